/*-------------------------------------------------------------------------
 *
 * sigv4.h
 *	  AWS Signature Version 4 of a request without a body.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_SIGV4_H
#define INGEST_STORAGE_SIGV4_H

#include "common/common.h"

/* SHA-256 of nothing: the payload of a GET or HEAD. */
#define SIGV4_EMPTY_PAYLOAD "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

typedef struct Sigv4Field
{
	const char *name; /* headers: lower case */
	const char *value;
} Sigv4Field;

typedef struct Sigv4Request
{
	const char *method;
	const char *path;    /* as on the wire, percent-encoded */
	const char *query;   /* as on the wire: what sigv4_query made */
	Sigv4Field *headers; /* those to sign; sorted in place */
	size_t header_count;
	const char *payload_hash;
	const char *access_key_id;
	const char *secret_access_key;
	const char *region;
	const char *service;
	const char *timestamp; /* "20150830T123600Z", the value of x-amz-date too */
} Sigv4Request;

/* Append "name=value&..." of decoded parameters, encoded and in the order that is signed. Sorts
 * the parameters in place. */
extern bool sigv4_query(Sigv4Field *parameters, size_t count, Buffer *out, IngestError *error) INGEST_MUST_CHECK;

/* Append the value of the Authorization header. */
extern bool sigv4_authorization(const Sigv4Request *request, Buffer *out, IngestError *error) INGEST_MUST_CHECK;

#endif
