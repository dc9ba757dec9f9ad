/*-------------------------------------------------------------------------
 *
 * fuzz_format.c
 *	  Property: whatever the message, every format decodes it without a fault, each row and bad
 *	  record has its payload and a number, and a second decoding of the same message by the same
 *	  decoder gives the same number of rows and bad records.
 *
 *	  The first byte chooses the declaration, the rest is the message.
 *
 *	  clang -fsanitize=fuzzer,address,undefined -Isrc -Itest test/fuzz/fuzz_format.c libingest.a
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "format/format.h"

#define NAME(text) (char *) (text)
#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const char *const declarations[] = {
	"{\"name\": \"json\", \"config\": {\"update_format\": \"raw\"}}",
	"{\"name\": \"json\", \"config\": {\"update_format\": \"raw\", \"array\": true}}",
	"{\"name\": \"json\"}",
	"{\"name\": \"json\", \"config\": {\"array\": true, \"lines\": \"single\"}}",
	"{\"name\": \"json\", \"config\": {\"update_format\": \"debezium\", \"json_flavor\": \"debezium_postgres\"}}",
	"{\"name\": \"json\", \"config\": {\"update_format\": \"raw\", \"json_flavor\": \"blockchain\"}}",
	"{\"name\": \"csv\"}",
	"{\"name\": \"csv\", \"config\": {\"delimiter\": \"|\", \"flexible\": false, \"comment\": \"#\"}}",
	("{\"name\": \"csv\", \"config\": {\"escape\": \"\\\\\", \"double_quote\": false, \"headers\": true, \"trim\": "
	 "\"all\"}}"),
};

static ColumnTarget element = {.name = NAME("e"), .type_name = NAME("text"), .form = FORM_TEXT};
static ColumnTarget columns[] = {
	{.name = NAME("i"), .type_name = NAME("integer"), .form = FORM_INT4, .not_null = true, .in_key = true},
	{.name = NAME("b"), .type_name = NAME("boolean"), .form = FORM_BOOLEAN},
	{.name = NAME("n"), .type_name = NAME("numeric"), .form = FORM_NUMERIC},
	{.name = NAME("m"), .type_name = NAME("numeric(9,2)"), .form = FORM_NUMERIC, .precision = 9, .scale = 2},
	{.name = NAME("f"), .type_name = NAME("double precision"), .form = FORM_FLOAT8},
	{.name = NAME("r"), .type_name = NAME("real"), .form = FORM_FLOAT4},
	{.name = NAME("s"), .type_name = NAME("text"), .form = FORM_TEXT},
	{.name = NAME("c"), .type_name = NAME("character(9)"), .form = FORM_BPCHAR, .length = 9},
	{.name = NAME("y"), .type_name = NAME("bytea"), .form = FORM_BYTEA},
	{.name = NAME("u"), .type_name = NAME("uuid"), .form = FORM_UUID},
	{.name = NAME("d"), .type_name = NAME("date"), .form = FORM_DATE},
	{.name = NAME("t"), .type_name = NAME("time"), .form = FORM_TIME, .fraction_digits = 3},
	{.name = NAME("p"), .type_name = NAME("timestamp"), .form = FORM_TIMESTAMP, .fraction_digits = 6},
	{.name = NAME("z"), .type_name = NAME("timestamptz"), .form = FORM_TIMESTAMPTZ, .fraction_digits = 0},
	{.name = NAME("j"), .type_name = NAME("jsonb"), .form = FORM_JSON},
	{.name = NAME("a"), .type_name = NAME("text[]"), .form = FORM_ARRAY, .element = &element},
};
static const TargetTable target = {
	.name = NAME("public.t"), .column_count = LENGTH(columns), .columns = columns, .has_key = true, .utf8 = true};

static FormatDecoder *decoders[LENGTH(declarations)];

static void
open_decoders(void)
{
	static Arena arena;
	IngestError error;

	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < LENGTH(declarations); i++)
	{
		JsonValue *parsed;

		if (!json_parse(declarations[i], strlen(declarations[i]), &arena, &parsed, &error) ||
			!format_open(parsed, &target, &decoders[i], &error))
			abort();
	}
}

static void
decode(FormatDecoder *decoder, Span message, uint32_t *rows, uint32_t *bad)
{
	ChangeBatch *batch = batch_create(&target, 16, 64 << 20);
	Payload payload = {.value = message};
	IngestError error;
	uint32_t index;

	if (batch == NULL || !format_prepare_batch(decoder, batch, &error) ||
		!batch_add_payload(batch, &payload, &index, &error) || !format_decode(decoder, message, index, batch, &error))
		abort();
	for (uint32_t i = 0; i < batch->row_count; i++)
	{
		if (batch->row_numbers[i] < 1)
			abort();
	}
	for (uint32_t i = 0; i < batch->bad_count; i++)
	{
		if (batch->bad[i].record_number < 1 || batch->bad[i].message[0] == '\0' ||
			!utf8_is_valid(batch->bad[i].message, strlen(batch->bad[i].message)))
			abort();
	}
	batch_finish(batch);
	*rows = batch->row_count;
	*bad = batch->bad_count;
	batch_free(batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t rows[2];
	uint32_t bad[2];
	FormatDecoder *decoder;

	if (size == 0)
		return 0;
	if (decoders[0] == NULL)
		open_decoders();
	decoder = decoders[data[0] % LENGTH(declarations)];
	/* "flexible": false compares with the first record ever seen: let that be settled before */
	for (int i = 0; i < 2; i++)
		decode(decoder, (Span){(const char *) data + 1, size - 1}, &rows[i], &bad[i]);
	if (data[0] % LENGTH(declarations) != 7 && (rows[0] != rows[1] || bad[0] != bad[1]))
		abort();
	return 0;
}
