/*-------------------------------------------------------------------------
 *
 * s3_error.c
 *	  What an S3 server's answer means when it is not the thing asked for.
 *
 * The body is an <Error> document, or nothing at all (HEAD), or something a proxy
 * wrote.  Only its Code, Message, RequestId and region are used: other elements may
 * repeat the signature's text or the token.  All of it is foreign text, so control
 * characters are taken out and its length is bounded.
 *
 *-------------------------------------------------------------------------
 */
#include <ctype.h>
#include <string.h>

#include "storage/s3.h"
#include "storage/xml.h"

typedef struct S3Answer
{
	char code[64];
	char message[400];
	char request_id[128];
	char region[S3_REGION_SIZE];
	char bucket_region[S3_REGION_SIZE];
} S3Answer;

static void
copy_clean(char *out, size_t size, const Buffer *text)
{
	size_t length = text->length < size - 1 ? text->length : size - 1;

	for (size_t i = 0; i < length; i++)
		out[i] = (unsigned char) text->data[i] < 0x20 ? ' ' : text->data[i];
	out[length] = '\0';
}

static void
take_element(S3Answer *answer, Span name, const Buffer *text)
{
	if (span_equals(name, "Code"))
		copy_clean(answer->code, sizeof(answer->code), text);
	else if (span_equals(name, "Message"))
		copy_clean(answer->message, sizeof(answer->message), text);
	else if (span_equals(name, "RequestId"))
		copy_clean(answer->request_id, sizeof(answer->request_id), text);
	else if (span_equals(name, "Region"))
		copy_clean(answer->region, sizeof(answer->region), text);
	else if (span_equals(name, "BucketRegion"))
		copy_clean(answer->bucket_region, sizeof(answer->bucket_region), text);
}

/* A body that is no such document leaves the answer empty. */
static void
parse_answer(const HttpResponse *response, S3Answer *answer)
{
	XmlReader reader;
	XmlEvent event = XML_START;
	IngestError ignored;

	memset(answer, 0, sizeof(*answer));
	xml_reader_init(&reader, response->text.data != NULL ? response->text.data : "", response->text.length);
	while (xml_reader_next(&reader, &event, &ignored) && event != XML_DONE)
		if (event == XML_END && reader.depth == 1)
			take_element(answer, reader.name, &reader.text);
	xml_reader_release(&reader);
	if (response->request_id[0] != '\0')
		strcpy(answer->request_id, response->request_id);
}

bool
s3_region_is_valid(const char *region)
{
	size_t length = strlen(region);

	/* it becomes part of a host's name: no dot, no slash */
	return length > 0 && length < S3_REGION_SIZE &&
		   strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == length;
}

bool
s3_answered_region(const HttpResponse *response, char region[S3_REGION_SIZE])
{
	S3Answer answer;
	const char *found;

	if (response->status != 301 && response->status != 307 && response->status != 400 && response->status != 403)
		return false;
	parse_answer(response, &answer);
	found = response->bucket_region[0] != '\0' ? response->bucket_region
			: answer.bucket_region[0] != '\0'  ? answer.bucket_region
											   : answer.region;
	if (!s3_region_is_valid(found))
		return false;
	strcpy(region, found);
	return true;
}

static bool
one_of(const char *code, const char *const *codes)
{
	for (; *codes != NULL; codes++)
		if (strcmp(code, *codes) == 0)
			return true;
	return false;
}

static IngestErrorKind
kind_of_bad_request(const char *code)
{
	static const char *const transient[] = {
		"RequestTimeout",       "SlowDown",      "Throttling", "ThrottlingException",
		"RequestLimitExceeded", "InternalError", NULL};
	static const char *const denied[] = {"ExpiredToken",
										 "InvalidToken",
										 "TokenRefreshRequired",
										 "InvalidAccessKeyId",
										 "AuthorizationHeaderMalformed",
										 "InvalidSecurity",
										 NULL};

	if (one_of(code, transient))
		return INGEST_ERROR_TRANSIENT;
	return one_of(code, denied) ? INGEST_ERROR_DENIED : INGEST_ERROR_INVALID;
}

static IngestErrorKind
kind_of_status(int status, const char *code)
{
	switch (status)
	{
		case 400:
			return kind_of_bad_request(code);
		case 401:
		case 403:
		case 407:
			return INGEST_ERROR_DENIED;
		case 404:
			return INGEST_ERROR_NOT_FOUND;
		case 412:
			return INGEST_ERROR_CHANGED;
		case 416:
			return INGEST_ERROR_CORRUPT;
		case 501:
		case 505:
			return INGEST_ERROR_UNSUPPORTED;
		case 408:
		case 409:
		case 425:
		case 429:
			return INGEST_ERROR_TRANSIENT;
		default:
			return status >= 500 ? INGEST_ERROR_TRANSIENT : INGEST_ERROR_INVALID;
	}
}

static void
add_hint(const S3Storage *storage, const HttpResponse *response, const S3Answer *answer, IngestError *error)
{
	char region[S3_REGION_SIZE];

	if (strcmp(answer->code, "RequestTimeTooSkewed") == 0)
		(void) ingest_hint(error, "The clock of this machine and that of the server differ.");
	else if (storage->region_given && s3_answered_region(response, region) && strcmp(region, storage->region) != 0)
		(void) ingest_hint(error, "The bucket is in another region: set \"aws_region\" to \"%s\".", region);
	else if (response->status == 301 || response->status == 307)
		(void) ingest_hint(error, "Check \"aws_region\" and \"aws_endpoint\".");
	else if (error->kind == INGEST_ERROR_DENIED && storage->base.config.skip_signature)
		(void) ingest_hint(error, "The request was not signed, because \"aws_skip_signature\" is set.");
}

bool
s3_fail(const S3Storage *storage, const HttpResponse *response, IngestError *error)
{
	S3Answer answer;

	parse_answer(response, &answer);
	(void) ingest_fail(error, kind_of_status(response->status, answer.code), "%s%s%s%sHTTP status %d%s%s%s",
					   answer.code, answer.code[0] != '\0' && answer.message[0] != '\0' ? ": " : "", answer.message,
					   answer.code[0] != '\0' || answer.message[0] != '\0' ? " (" : "", response->status,
					   answer.request_id[0] != '\0' ? ", request " : "", answer.request_id,
					   answer.code[0] != '\0' || answer.message[0] != '\0' ? ")" : "");
	add_hint(storage, response, &answer, error);
	return false;
}
