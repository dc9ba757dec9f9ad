/*-------------------------------------------------------------------------
 *
 * test_format_csv.c
 *	  CSV messages: Feldera's own cases, TPC-H lines, and what is wrong with records.
 *
 *-------------------------------------------------------------------------
 */
#include "unit/format_case.h"

#define NAME(text) (char *) (text)

static ColumnTarget pair_columns[] = {
	{.name = NAME("x"), .type_name = NAME("text"), .form = FORM_TEXT},
	{.name = NAME("y"), .type_name = NAME("text"), .form = FORM_TEXT},
};
static const TargetTable pair = {.name = NAME("public.p"), .column_count = 2, .columns = pair_columns, .utf8 = true};

static ColumnTarget typed_columns[] = {
	{.name = NAME("i"), .type_name = NAME("integer"), .form = FORM_INT4},
	{.name = NAME("g"), .type_name = NAME("integer"), .form = FORM_INT4, .generated = true},
	{.name = NAME("b"), .type_name = NAME("boolean"), .form = FORM_BOOLEAN},
	{.name = NAME("s"), .type_name = NAME("text"), .form = FORM_TEXT, .not_null = true},
	{.name = NAME("n"), .type_name = NAME("integer"), .form = FORM_INT4, .not_null = true},
	{.name = NAME("j"), .type_name = NAME("jsonb"), .form = FORM_JSON},
	{.name = NAME("a"), .type_name = NAME("integer[]"), .form = FORM_ARRAY},
};
static const TargetTable typed = {.name = NAME("public.t"), .column_count = 7, .columns = typed_columns, .utf8 = true};

#define CSV "{\"name\": \"csv\"}"
#define WITH(options) "{\"name\": \"csv\", \"config\": {" options "}}"

static void
test_fields(void)
{
	check_message(&pair, CSV, "foo,bar\nbaz,qux", "+ foo|bar; + baz|qux", "", "records end at line ends");
	check_message(&pair, CSV, "foo,bar\r\nbaz,qux\r\n\r\n\n", "+ foo|bar; + baz|qux", "", "CRLF, empty lines");
	check_message(&pair, CSV, "", "", "", "an empty message");
	check_message(&pair, CSV, ",\n\"\",\"\"\n, x ", "+ \\N|\\N; + |; + \\N| x ", "",
				  "empty is null, quoted empty is not");
	check_message(&pair, CSV, "\"a\nb\",\"c,d\"\n\"x\"y,z\"w\"", "+ a\nb|c,d; + xy|z\"w\"", "", "quotes");
	check_message(&pair, WITH("\"quote\": \"'\""), "foo,'bar,baz'", "+ foo|bar,baz", "", "another quote");
	check_message(&pair, WITH("\"escape\": \"\\\\\", \"double_quote\": false"), "\"foo\\\"bar\",baz", "+ foo\"bar|baz",
				  "", "an escape");
	check_message(&pair, CSV, "\"foo\"\"bar\",\"\"\"\"", "+ foo\"bar|\"", "", "doubled quotes");
	check_message(&pair, WITH("\"double_quote\": false"), "\"foo\"\"bar\",baz", "+ foo\"bar\"|baz", "",
				  "not collapsed when off");
	check_message(&pair, WITH("\"quoting\": false"), "\"hello\",world\n\"a\nb\",c", "+ \"hello\"|world; + b\"|c",
				  "2 22P04 invalid length 1, expected 2 columns",
				  "quoting off: a quote is a character, a newline ends the record");
	check_message(&pair, WITH("\"trim\": \"fields\""), " a , b\t\n   ,\" c \"", "+ a|b; + \\N|c", "", "trimmed");
	check_message(&pair, WITH("\"trim\": \"headers\""), " a , b", "+  a | b", "",
				  "trim headers leaves the fields alone");
	check_message(&pair, WITH("\"comment\": \"#\""), "# one\nfoo,bar\n#two\r\nb#z,#q\n# end", "+ foo|bar; + b#z|#q", "",
				  "comments");
	check_message(&pair, WITH("\"delimiter\": \"\\t\""), "a\tb,c", "+ a|b,c", "", "a tab");
	check_message(&pair, CSV, "caf\xc3\xa9,\xff", "+ caf\xc3\xa9|?\xff", "", "what is no UTF-8 is left to the server");
}

static void
test_length(void)
{
	static const char *const two[] = {"a,b\nc,d,e\n", "f,g,h\nk,l\n", NULL};

	check_message(&pair, CSV, "qux,quux,extra,more\n", "+ qux|quux", "", "extra fields are ignored");
	check_message(&pair, CSV, "a\nb,c\nd", "+ b|c",
				  "1 22P04 invalid length 1, expected 2 columns; "
				  "3 22P04 invalid length 1, expected 2 columns",
				  "too few fields are not");
	check_message(&pair, WITH("\"delimiter\": \"|\""), "a|b|\nc|d|\n|\n", "+ a|b; + c|d; + \\N|\\N", "",
				  "a trailing delimiter");
	check_messages(&pair, WITH("\"flexible\": false"), two, "+ a|b; + k|l",
				   "2 22P04 found record with 3 fields, but the first record has 2 fields; "
				   "1 22P04 found record with 3 fields, but the first record has 2 fields",
				   "not flexible: as many fields as the first record");
	check_message(&pair, WITH("\"flexible\": false"), "a,b,\nc,d\n", "+ a|b; + c|d", "",
				  "a trailing delimiter is no field, flexible or not");
	check_message(&pair, CSV, "a,b\nc,\"d\ne,f\n", "+ a|b", "2 22P04 unterminated quoted field", "an open quote");
}

static void
test_headers(void)
{
	static const char *const messages[] = {"x,y\na,b\n", "X,z\n", "c,d\n", "", NULL};

	check_messages(&pair, WITH("\"headers\": true"), messages, "+ a|b",
				   "1 22P04 the message holds one line only, which \"headers\" says to pass over",
				   "the first record of each message is the header");
	check_message(&pair, WITH("\"headers\": true, \"comment\": \"#\""), "#c\nx,y\na,b", "+ a|b", "",
				  "also behind a comment");
}

static void
test_types(void)
{
	check_message(&typed, CSV, "15,true,foo,0x7F,\"{\"\"a\"\":[1]}\",\"[1,null,3]\"",
				  "+ 15||t|foo|127|?{\"a\":[1]}|?{1,NULL,3}", "",
				  "each to its type; a generated column takes no field");
	check_message(&typed, CSV, "x,maybe,,,,{1}\n16,false,,1,,[1", "+ ?x||?maybe||?|\\N|?{1}; + 16||f||1|\\N|?[1", "",
				  "what does not fit is left to the server; NOT NULL text is empty");
}

static void
test_refused(void)
{
	check_refused(&pair, WITH("\"delimiter\": \"||\""), "$.format.config.delimiter: must be one ASCII character",
				  "tab");
	check_refused(&pair, WITH("\"delimiter\": \"\xc2\xa7\""), "$.format.config.delimiter", "");
	check_refused(&pair, WITH("\"delimiter\": \"\\n\""), "$.format.config.delimiter", "");
	check_refused(&pair, WITH("\"delimiter\": \"\\\"\""), "$.format.config.delimiter: must differ", "");
	check_refused(&pair, WITH("\"header\": true"), "$.format.config: unknown option \"header\"",
				  "headers, flexible, trim");
	check_refused(&pair, WITH("\"trim\": \"both\""), "$.format.config.trim", "none, headers, fields, all");
	check_refused(&pair, WITH("\"flexible\": \"x\""), "$.format.config.flexible", "");
}

int
main(void)
{
	test_fields();
	test_length();
	test_headers();
	test_types();
	test_refused();
	return done_testing();
}
