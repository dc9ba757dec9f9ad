/*-------------------------------------------------------------------------
 *
 * sigv4.c
 *	  AWS Signature Version 4, by libcrypto's SHA-256 and HMAC.
 *
 *	  canonical request  method, path, sorted query, sorted headers with values
 *						 trimmed, names of the headers, hash of the payload: one a line
 *	  string to sign	 "AWS4-HMAC-SHA256", timestamp, scope, hash of the above
 *	  key				 HMAC chain over date, region, service, "aws4_request"
 *
 * S3 signs the path as it is sent: it neither normalises it nor encodes it a second
 * time, so the caller passes the bytes of the request line.  libcurl's own signer is
 * not used because it neither sorts the query nor sends the payload's hash, and strict
 * servers refuse that.
 *
 * Keys made here are wiped before return; nothing is cached.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "storage/sigv4.h"
#include "storage/storage_internal.h"

#define DIGEST_SIZE 32
#define DATE_LENGTH 8
#define CANONICAL_LIMIT (64 * 1024) /* a key has 1 KB at most, a token a few */

static int
compare_fields(const void *a, const void *b)
{
	const Sigv4Field *x = a;
	const Sigv4Field *y = b;
	int order = strcmp(x->name, y->name);

	return order != 0 ? order : strcmp(x->value, y->value);
}

/* Parameters are to be in the order of their encoded names, which is not that of the decoded
 * ones: "%E1" comes before "A". */
static int
compare_encoded(const void *a, const void *b)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

static char *
encode_parameter(const Sigv4Field *parameter, IngestError *error)
{
	Buffer pair;

	/* '\1' sorts "a" before "a-"; put right when both are joined */
	buffer_init(&pair, CANONICAL_LIMIT);
	if (storage_uri_encode(&pair, parameter->name, false, error) && buffer_append(&pair, "\1", 1, error) &&
		storage_uri_encode(&pair, parameter->value, false, error) && buffer_append(&pair, "", 1, error))
		return pair.data;
	buffer_release(&pair);
	return NULL;
}

static bool
join_parameters(char **pairs, size_t count, Buffer *out, IngestError *error)
{
	qsort(pairs, count, sizeof(char *), compare_encoded);
	for (size_t i = 0; i < count; i++)
	{
		*strchr(pairs[i], '\1') = '=';
		if ((i > 0 && !buffer_append(out, "&", 1, error)) || !buffer_append_string(out, pairs[i], error))
			return false;
	}
	return true;
}

bool
sigv4_query(Sigv4Field *parameters, size_t count, Buffer *out, IngestError *error)
{
	char **pairs = calloc(count + 1, sizeof(char *));
	size_t made = 0;
	bool done;

	if (pairs == NULL)
		return ingest_out_of_memory(error);
	while (made < count && (pairs[made] = encode_parameter(&parameters[made], error)) != NULL)
		made++;
	done = made == count && join_parameters(pairs, count, out, error);
	for (size_t i = 0; i < made; i++)
		free(pairs[i]);
	free(pairs);
	return done;
}

/* Values go in with the space around them cut off and runs of it made one. */
static bool
append_trimmed(Buffer *out, const char *value, IngestError *error)
{
	bool space = false;
	bool first = true;

	for (; *value != '\0'; value++)
	{
		if (*value == ' ' || *value == '\t')
		{
			space = true;
			continue;
		}
		if (space && !first && !buffer_append(out, " ", 1, error))
			return false;
		if (!buffer_append(out, value, 1, error))
			return false;
		space = first = false;
	}
	return true;
}

static bool
append_header_names(const Sigv4Request *request, Buffer *out, IngestError *error)
{
	for (size_t i = 0; i < request->header_count; i++)
		if ((i > 0 && !buffer_append(out, ";", 1, error)) ||
			!buffer_append_string(out, request->headers[i].name, error))
			return false;
	return true;
}

static bool
append_canonical(const Sigv4Request *request, Buffer *out, IngestError *error)
{
	if (!buffer_printf(out, error, "%s\n%s\n%s\n", request->method, request->path, request->query))
		return false;
	for (size_t i = 0; i < request->header_count; i++)
		if (!buffer_printf(out, error, "%s:", request->headers[i].name) ||
			!append_trimmed(out, request->headers[i].value, error) || !buffer_append(out, "\n", 1, error))
			return false;
	return buffer_append(out, "\n", 1, error) && append_header_names(request, out, error) &&
		   buffer_printf(out, error, "\n%s", request->payload_hash);
}

static void
to_hex(const unsigned char *digest, char *hex)
{
	static const char digits[] = "0123456789abcdef";

	for (int i = 0; i < DIGEST_SIZE; i++)
	{
		*hex++ = digits[digest[i] >> 4];
		*hex++ = digits[digest[i] & 15];
	}
	*hex = '\0';
}

static bool
crypto_failed(IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_TRANSIENT, "the cryptography library could not make a signature");
}

static bool
hash_canonical(const Sigv4Request *request, char *hex, IngestError *error)
{
	Buffer canonical;
	unsigned char digest[DIGEST_SIZE];
	bool done;

	buffer_init(&canonical, CANONICAL_LIMIT);
	done = append_canonical(request, &canonical, error);
	if (done && EVP_Digest(canonical.data, canonical.length, digest, NULL, EVP_sha256(), NULL) != 1)
		done = crypto_failed(error);
	buffer_release(&canonical);
	if (done)
		to_hex(digest, hex);
	return done;
}

static bool
hmac_step(unsigned char *key, size_t key_length, const char *data, size_t length, IngestError *error)
{
	unsigned char digest[DIGEST_SIZE];

	if (HMAC(EVP_sha256(), key, (int) key_length, (const unsigned char *) data, length, digest, NULL) == NULL)
		return crypto_failed(error);
	memcpy(key, digest, DIGEST_SIZE);
	return true;
}

static bool
sign(const Sigv4Request *request, const char *text, size_t length, char *hex, IngestError *error)
{
	size_t secret_length = strlen(request->secret_access_key);
	size_t size = 4 + secret_length > DIGEST_SIZE ? 4 + secret_length : DIGEST_SIZE;
	unsigned char *key = malloc(size);
	bool done;

	if (key == NULL)
		return ingest_out_of_memory(error);
	memcpy(key, "AWS4", 4);
	memcpy(key + 4, request->secret_access_key, secret_length);
	done = hmac_step(key, 4 + secret_length, request->timestamp, DATE_LENGTH, error) &&
		   hmac_step(key, DIGEST_SIZE, request->region, strlen(request->region), error) &&
		   hmac_step(key, DIGEST_SIZE, request->service, strlen(request->service), error) &&
		   hmac_step(key, DIGEST_SIZE, "aws4_request", strlen("aws4_request"), error) &&
		   hmac_step(key, DIGEST_SIZE, text, length, error);
	if (done)
		to_hex(key, hex);
	explicit_bzero(key, size);
	free(key);
	return done;
}

bool
sigv4_authorization(const Sigv4Request *request, Buffer *out, IngestError *error)
{
	char canonical_hash[2 * DIGEST_SIZE + 1];
	char signature[2 * DIGEST_SIZE + 1];
	Buffer text;
	bool done;

	qsort(request->headers, request->header_count, sizeof(Sigv4Field), compare_fields);
	buffer_init(&text, CANONICAL_LIMIT);
	done = hash_canonical(request, canonical_hash, error) &&
		   buffer_printf(&text, error, "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", request->timestamp,
						 request->timestamp, request->region, request->service, canonical_hash) &&
		   sign(request, text.data, text.length, signature, error);
	buffer_release(&text);
	return done &&
		   buffer_printf(out, error, "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=",
						 request->access_key_id, request->timestamp, request->region, request->service) &&
		   append_header_names(request, out, error) && buffer_printf(out, error, ", Signature=%s", signature);
}
