/*-------------------------------------------------------------------------
 *
 * xml.h
 *	  A small strict XML reader for the answers of object stores.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_STORAGE_XML_H
#define INGEST_STORAGE_XML_H

#include "common/common.h"

#define XML_MAX_DEPTH 16

typedef enum XmlEvent
{
	XML_START, /* name */
	XML_END,   /* name, and text: what stood directly in the element, entities resolved */
	XML_DONE   /* the document is complete */
} XmlEvent;

typedef struct XmlReader
{
	const char *position;
	const char *end;
	const char *start;
	int depth;
	bool root_seen;
	bool empty_element; /* "<a/>": its end comes next */
	bool ended;         /* the last event was an end */
	Span names[XML_MAX_DEPTH];
	Span name;   /* of the event; in the input, a namespace prefix cut off */
	Buffer text; /* of the innermost element; valid at XML_END */
} XmlReader;

/* The input must outlive the reader. */
extern void xml_reader_init(XmlReader *reader, const char *data, size_t length);
extern void xml_reader_release(XmlReader *reader);

/* CORRUPT: not well-formed, a document type declaration, or nested too deep. */
extern bool xml_reader_next(XmlReader *reader, XmlEvent *event, IngestError *error) INGEST_MUST_CHECK;

#endif
