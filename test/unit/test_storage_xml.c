/*-------------------------------------------------------------------------
 *
 * test_storage_xml.c
 *	  The XML reader: events and text as a trace, and what it refuses.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "storage/xml.h"
#include "unit/tap.h"

static IngestError error;

/* "<a" at a start, ">a=text;" at an end, "." at the end of the document; "!" on an error. */
static const char *
trace(const char *document)
{
	static char out[1024];
	size_t length = strlen(document);
	char *copy = malloc(length + 1); /* exact: the sanitizer sees a byte too far */
	char *end = out;
	XmlReader reader;
	XmlEvent event;

	memcpy(copy, document, length);
	xml_reader_init(&reader, copy, length);
	for (;;)
	{
		if (!xml_reader_next(&reader, &event, &error))
			end += sprintf(end, "!");
		else if (event == XML_START)
			end += sprintf(end, "<%.*s", (int) reader.name.length, reader.name.data);
		else if (event == XML_END)
			end += sprintf(end, ">%.*s=%.*s;", (int) reader.name.length, reader.name.data, (int) reader.text.length,
						   reader.text.length > 0 ? reader.text.data : "");
		else
			end += sprintf(end, ".");
		if (end[-1] == '!' || end[-1] == '.')
			break;
	}
	xml_reader_release(&reader);
	free(copy);
	return out;
}

static void
is_refused(const char *document)
{
	const char *got = trace(document);

	ok(got[strlen(got) - 1] == '!' && error.kind == INGEST_ERROR_CORRUPT, "%s: %s", document, error.message);
}

int
main(void)
{
	static const char *const bad[] = {"",
									  "   ",
									  "text",
									  "<a>",
									  "<a",
									  "<a b>",
									  "<a b=c/>",
									  "<a b='c/>",
									  "<a></b>",
									  "</a>",
									  "<a/><b/>",
									  "<a/>x",
									  "x<a/>",
									  "<a>&bogus;</a>",
									  "<a>&</a>",
									  "<a>&amp</a>",
									  "<a>&#0;</a>",
									  "<a>&#xD800;</a>",
									  "<a>&#x110000;</a>",
									  "<a>&#;</a>",
									  "<a>&#x;</a>",
									  "<a>&#99999999999;</a>",
									  "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
									  "<a><![CDATA[x]]</a>",
									  "<a><!-- </a>",
									  "<a></a",
									  "<a><b></a></b>",
									  "<1><1><1><1><1><1><1><1><1><1><1><1><1><1><1><1><1>"};

	is_text(trace("<?xml version=\"1.0\"?>\n<r xmlns='http://x/'><k>v</k></r>\n"), "<r<k>k=v;>r=;.", "a document");
	is_text(trace("<a/>"), "<a>a=;.", "an empty element");
	is_text(trace("<a b='>' c=\"/>\"/>"), "<a>a=;.", "attributes with markup in them");
	is_text(trace("<n:a xmlns:n='u'>x</n:a>"), "<a>a=x;.", "a namespace prefix");
	is_text(trace("<a>x<b/>y</a>"), "<a<b>b=;>a=y;.", "a child's text is not its parent's");
	is_text(trace("<a>&lt;&gt;&amp;&quot;&apos;</a>"), "<a>a=<>&\"';.", "named entities");
	is_text(trace("<a>&#39;&#x27;&#xe9;&#8364;&#x1F600;&#x1;</a>"), "<a>a=''\u00e9\u20ac\U0001F600\x01;.",
			"numeric entities");
	is_text(trace("<a>&amp;lt;</a>"), "<a>a=&lt;;.", "entities are resolved once");
	is_text(trace("<a>x<![CDATA[<&>]]>y<!-- no --></a>"), "<a>a=x<&>y;.", "CDATA and comments");
	is_text(trace("\xEF\xBB\xBF<a> b </a>"), "<a>a= b ;.", "a byte order mark; spaces of text stay");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		is_refused(bad[i]);
	return done_testing();
}
