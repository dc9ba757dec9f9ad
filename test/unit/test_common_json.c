/* The JSON scanner and tree: what they accept, what they refuse, what they keep. */
#include "unit/tap.h"

#include <stdlib.h>

#include "common/common.h"

static bool
parses(const char *text)
{
	Arena arena;
	JsonValue *value;
	IngestError error;
	bool parsed;

	arena_init(&arena, 1 << 20);
	parsed = json_parse(text, strlen(text), &arena, &value, &error);
	arena_release(&arena);
	return parsed;
}

static void
accepted_and_refused(void)
{
	static const char *const good[] = {"{}",
									   "[]",
									   " [1 , 2]\n",
									   "{\"a\":{\"b\":[null,true,false]}}",
									   "-0.5e+10",
									   "\"\"",
									   "\"\\u00e9\\ud83d\\ude00\"",
									   "0",
									   "[[[[]]]]"};
	static const char *const bad[] = {"",          "{",           "[1,]", "{\"a\"}", "{\"a\":1,}", "01",    "1.",
									  "+1",        "nul",         "\"a",  "\"\\x\"", "[1 2]",      "{} {}", "\"\t\"",
									  "\"\\u12\"", "\"\\ud800\"", "[1}",  "1e",      "-",          "{1:2}"};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(parses(good[i]), "accepts %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!parses(bad[i]), "refuses %s", bad[i]);
}

static void
values(void)
{
	static const char text[] = "{\"n\":12345678901234567890.10,\"s\":\"a\\\"\\u00e9\\n\",\"i\":\"42\",\"f\":7.0,"
							   "\"o\":{\"x\":[1, 2]},\"n\":3}";
	Arena arena;
	JsonValue *value;
	IngestError error;
	int64_t number = 0;

	arena_init(&arena, 1 << 20);
	if (!ok(json_parse(text, strlen(text), &arena, &value, &error), "parse"))
		return;
	is_text(value->members[0].value->text.data, "12345678901234567890.10", "a number keeps its text");
	is_text(json_get_string(value, "s"), "a\"\xc3\xa9\n", "escapes are decoded");
	ok(json_to_int64(json_get(value, "i"), &number) && number == 42, "a string that is an integer");
	ok(json_to_int64(json_get(value, "f"), &number) && number == 7, "7.0 is an integer");
	ok(json_to_int64(json_get(value, "n"), &number) && number == 3, "the last of duplicate keys");
	ok(!json_to_int64(json_get(value, "s"), &number), "text is no integer");
	ok(json_get(value, "none") == NULL, "absent key");
	ok(span_equals(json_get(value, "o")->text, "{\"x\":[1, 2]}"), "an object keeps its text");
	arena_release(&arena);
}

static void
bounds(void)
{
	char deep[4 * JSON_MAX_DEPTH];
	JsonScanner scanner;
	IngestError error;
	Span raw;
	Arena arena;
	JsonValue *value;

	memset(deep, '[', sizeof(deep));
	json_scanner_init(&scanner, deep, sizeof(deep));
	ok(!json_skip_value(&scanner, &raw, &error) && error.kind == INGEST_ERROR_LIMIT, "the scanner bounds the depth");
	arena_init(&arena, 1 << 20);
	ok(!json_parse(deep, sizeof(deep), &arena, &value, &error) && error.kind == INGEST_ERROR_LIMIT,
	   "the tree bounds the depth");
	arena_release(&arena);
	arena_init(&arena, 8192);
	ok(arena_alloc(&arena, 1 << 20) == NULL, "an arena keeps its limit");
	ok(arena_alloc(&arena, SIZE_MAX - 3) == NULL, "no overflow in the rounding");
	ok(arena_alloc_array(&arena, SIZE_MAX / 2, 3) == NULL, "no overflow in the product");
	arena_release(&arena);

	json_scanner_init(&scanner, "{\"a\":[1,{\"b\":\"]\"}]} tail", 25);
	ok(json_skip_value(&scanner, &raw, &error) && span_equals(raw, "{\"a\":[1,{\"b\":\"]\"}]}"), "skips one value");
}

static void
writing(void)
{
	Buffer buffer;
	IngestError error;

	buffer_init(&buffer, 1 << 20);
	ok(json_write_string(&buffer, "a\"\\\n\x01\xc3\xa9", 7, &error) && buffer_append(&buffer, "", 1, &error), "write");
	is_text(buffer.data, "\"a\\\"\\\\\\n\\u0001\xc3\xa9\"", "escapes what must be escaped");
	buffer_release(&buffer);
	buffer_init(&buffer, 4);
	ok(!buffer_append(&buffer, "12345", 5, &error) && error.kind == INGEST_ERROR_LIMIT, "a buffer keeps its limit");
	buffer_release(&buffer);
}

static void
utf8(void)
{
	ok(utf8_is_valid("plain ascii text \xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 26), "valid UTF-8");
	ok(!utf8_is_valid("\xc0\x80", 2), "overlong");
	ok(!utf8_is_valid("\xed\xa0\x80", 3), "surrogate");
	ok(!utf8_is_valid("\xf4\x90\x80\x80", 4), "above U+10FFFF");
	ok(!utf8_is_valid("12345678\xe2\x82", 10), "cut off");
}

int
main(void)
{
	accepted_and_refused();
	values();
	bounds();
	writing();
	utf8();
	return done_testing();
}
