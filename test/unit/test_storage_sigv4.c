/*-------------------------------------------------------------------------
 *
 * test_storage_sigv4.c
 *	  Signatures against AWS's published vectors: the Signature Version 4 test
 *	  suite, and the examples of the S3 API reference.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "storage/sigv4.h"
#include "storage/storage_internal.h"
#include "unit/tap.h"

typedef struct Vector
{
	const char *name;
	const char *path;         /* decoded */
	Sigv4Field parameters[4]; /* decoded, ended by a null name */
	Sigv4Field headers[6];    /* beside host and x-amz-date, ended by a null name */
	const char *signature;
} Vector;

static IngestError error;

/* The suite, without what it takes from normalising paths (S3 does not) and duplicate headers. */
static const Vector suite[] = {
	{"get-vanilla", "/", {{0}}, {{0}}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"get-vanilla-empty-query-key",
	 "/",
	 {{"Param1", "value1"}},
	 {{0}},
	 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{"get-vanilla-query-order-key-case",
	 "/",
	 {{"Param2", "value2"}, {"Param1", "value1"}},
	 {{0}},
	 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-vanilla-query-order-encoded",
	 "/",
	 {{"Param-3", "Value3"}, {"Param", "Value2"}, {"\u1234", "Value1"}},
	 {{0}},
	 "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{"get-vanilla-query-unreserved",
	 "/",
	 {{"-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	   "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}},
	 {{0}},
	 "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{"get-vanilla-utf8-query",
	 "/",
	 {{"\u1234", "bar"}},
	 {{0}},
	 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{"get-utf8", "/\u1234", {{0}}, {{0}}, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{"get-space-normalized",
	 "/example space/",
	 {{0}},
	 {{0}},
	 "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{"get-slashes-unnormalized",
	 "//example//",
	 {{0}},
	 {{0}},
	 "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
	{"get-unreserved",
	 "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
	 {{0}},
	 {{0}},
	 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{"get-header-value-trim",
	 "/",
	 {{0}},
	 {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}},
	 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"get-vanilla-with-session-token",
	 "/",
	 {{0}},
	 {{"x-amz-security-token", "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267"}},
	 "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
};

/* The S3 API reference, "Signature Calculations for the Authorization Header". */
static const Vector s3_examples[] = {
	{"GET object with a range",
	 "/test.txt",
	 {{0}},
	 {{"range", "bytes=0-9"}, {"x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD}},
	 "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{"GET bucket lifecycle",
	 "/",
	 {{"lifecycle", ""}},
	 {{"x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD}},
	 "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{"GET bucket, list objects",
	 "/",
	 {{"prefix", "J"}, {"max-keys", "2"}},
	 {{"x-amz-content-sha256", SIGV4_EMPTY_PAYLOAD}},
	 "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
};

static size_t
count_fields(const Sigv4Field *fields, size_t most)
{
	size_t count = 0;

	while (count < most && fields[count].name != NULL)
		count++;
	return count;
}

static void
check_vector(const Vector *vector, const char *host, Sigv4Request request)
{
	Sigv4Field parameters[4];
	Sigv4Field headers[8] = {{"x-amz-date", request.timestamp}, {"host", host}};
	size_t header_count = count_fields(vector->headers, 6);
	Buffer path, query, authorization;
	const char *signature;

	memcpy(parameters, vector->parameters, sizeof(parameters));
	memcpy(headers + 2, vector->headers, header_count * sizeof(Sigv4Field));
	buffer_init(&path, 1000);
	buffer_init(&query, 1000);
	buffer_init(&authorization, 2000);
	if (!storage_uri_encode(&path, vector->path, true, &error) || !buffer_append(&path, "", 1, &error) ||
		!sigv4_query(parameters, count_fields(parameters, 4), &query, &error) || !buffer_append(&query, "", 1, &error))
		abort();
	request.method = "GET";
	request.path = path.data;
	request.query = query.data;
	request.headers = headers;
	request.header_count = header_count + 2;
	if (!sigv4_authorization(&request, &authorization, &error) || !buffer_append(&authorization, "", 1, &error))
		abort();
	signature = strstr(authorization.data, "Signature=");
	is_text(signature != NULL ? signature + 10 : "", vector->signature, vector->name);
	buffer_release(&path);
	buffer_release(&query);
	buffer_release(&authorization);
}

static void
test_whole_header(void)
{
	Sigv4Field headers[] = {{"x-amz-date", "20150830T123600Z"}, {"host", "example.amazonaws.com"}};
	Sigv4Request request = {.method = "GET",
							.path = "/",
							.query = "",
							.headers = headers,
							.header_count = 2,
							.payload_hash = SIGV4_EMPTY_PAYLOAD,
							.access_key_id = "AKIDEXAMPLE",
							.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
							.region = "us-east-1",
							.service = "service",
							.timestamp = "20150830T123600Z"};
	Buffer out;

	buffer_init(&out, 2000);
	ok(sigv4_authorization(&request, &out, &error) && buffer_append(&out, "", 1, &error), "signed");
	is_text(out.data,
			"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
			"SignedHeaders=host;x-amz-date, "
			"Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
			"the whole header");
	buffer_release(&out);
}

int
main(void)
{
	Sigv4Request suite_request = {.payload_hash = SIGV4_EMPTY_PAYLOAD,
								  .access_key_id = "AKIDEXAMPLE",
								  .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
								  .region = "us-east-1",
								  .service = "service",
								  .timestamp = "20150830T123600Z"};
	Sigv4Request s3_request = {.payload_hash = SIGV4_EMPTY_PAYLOAD,
							   .access_key_id = "AKIAIOSFODNN7EXAMPLE",
							   .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
							   .region = "us-east-1",
							   .service = "s3",
							   .timestamp = "20130524T000000Z"};

	for (size_t i = 0; i < sizeof(suite) / sizeof(suite[0]); i++)
		check_vector(&suite[i], "example.amazonaws.com", suite_request);
	for (size_t i = 0; i < sizeof(s3_examples) / sizeof(s3_examples[0]); i++)
		check_vector(&s3_examples[i], "examplebucket.s3.amazonaws.com", s3_request);
	test_whole_header();
	return done_testing();
}
