/*-------------------------------------------------------------------------
 *
 * batch_dump.h
 *	  Rows of a batch as text, for the tests of batch/ and format/.
 *
 *	  "+ 1|abc|\N" an insert; "-" a delete, "*" an update.  \N is null, nothing at all a
 *	  missing value, ?text a value that travels as text.  Decoding is written anew here, so that
 *	  an error in the encoders cannot hide.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_TEST_BATCH_DUMP_H
#define INGEST_TEST_BATCH_DUMP_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "batch/batch.h"

#define DUMP_MAX 8192

static inline const unsigned char *
dump_varlena(uint64_t datum, size_t *length)
{
	const unsigned char *pointer = (const unsigned char *) (uintptr_t) datum;
	uint32_t header;

	if (pointer[0] & 1)
	{
		*length = (size_t) (pointer[0] >> 1) - 1;
		return pointer + 1;
	}
	memcpy(&header, pointer, 4);
	*length = (header >> 2) - 4;
	return pointer + 4;
}

/* Sign, digits in groups with the weight of the first, display scale: 12345.60 is "+1.2345.6000^1s2". */
static inline void
dump_numeric(uint64_t datum, char *out)
{
	size_t length;
	const unsigned char *data = dump_varlena(datum, &length);
	uint16_t header;
	int16_t digit;
	int weight;
	int scale;
	bool negative;
	size_t position = 2;

	memcpy(&header, data, 2);
	if (header & 0x8000)
	{
		negative = (header & 0x2000) != 0;
		scale = (header & 0x1f80) >> 7;
		weight = (header & 0x40) ? (int) (header & 0x3f) - 64 : (header & 0x3f);
	}
	else
	{
		memcpy(&digit, data + 2, 2);
		negative = (header & 0x4000) != 0;
		scale = header & 0x3fff;
		weight = digit;
		position = 4;
	}
	out += sprintf(out, "%c", negative ? '-' : '+');
	for (; position < length; position += 2)
	{
		memcpy(&digit, data + position, 2);
		out += sprintf(out, "%d%s", digit, position + 2 < length ? "." : "");
	}
	sprintf(out, "^%ds%d", weight, scale);
}

static inline void
dump_datum(const ColumnTarget *column, uint64_t datum, char *out)
{
	size_t length;
	const unsigned char *data;
	double wide;
	float narrow;
	int64_t time;
	int32_t parts[2];

	switch (column->form)
	{
		case FORM_BOOLEAN:
			strcpy(out, datum ? "t" : "f");
			break;
		case FORM_FLOAT4:
			memcpy(&narrow, &datum, 4);
			sprintf(out, "%.9g", (double) narrow);
			break;
		case FORM_FLOAT8:
			memcpy(&wide, &datum, 8);
			sprintf(out, "%.17g", wide);
			break;
		case FORM_NUMERIC:
			dump_numeric(datum, out);
			break;
		case FORM_TEXT:
		case FORM_BPCHAR:
			data = dump_varlena(datum, &length);
			sprintf(out, "%.*s", (int) length, (const char *) data);
			break;
		case FORM_BYTEA:
		case FORM_UUID:
			data = (const unsigned char *) (uintptr_t) datum;
			length = 16;
			if (column->form == FORM_BYTEA)
				data = dump_varlena(datum, &length);
			*out = '\0';
			for (size_t i = 0; i < length; i++)
				out += sprintf(out, "%02x", data[i]);
			break;
		case FORM_INTERVAL:
			memcpy(&time, (const void *) (uintptr_t) datum, 8);
			memcpy(parts, (const char *) (uintptr_t) datum + 8, 8);
			sprintf(out, "%dm %dd %" PRId64, parts[1], parts[0], time);
			break;
		default:
			sprintf(out, "%" PRId64, (int64_t) datum);
			break;
	}
}

static inline void
dump_cell(const ChangeBatch *batch, int column, uint32_t row, char *out)
{
	const BatchColumn *cells = &batch->columns[column];
	const InputText *input;

	*out = '\0';
	if (cells->states == NULL || cells->states[row] == VALUE_MISSING)
		return;
	if (cells->states[row] == VALUE_NULL)
		strcpy(out, "\\N");
	else if (cells->states[row] == VALUE_DATUM)
		dump_datum(&batch->target->columns[column], cells->values[row], out);
	else
	{
		input = (const InputText *) (uintptr_t) cells->values[row];
		sprintf(out, "?%.*s", (int) input->length, input->data);
	}
}

/* All rows, separated by "; "; the result is valid until the next call. */
static inline const char *
dump_rows(const ChangeBatch *batch)
{
	static char text[DUMP_MAX * 4];
	char *out = text;

	*out = '\0';
	for (uint32_t row = 0; row < batch->row_count; row++)
	{
		int kind = batch->kinds == NULL ? CHANGE_INSERT : batch->kinds[row];

		out += sprintf(out, "%s%c ", row > 0 ? "; " : "", "+-*"[kind]);
		for (int i = 0; i < batch->target->column_count; i++)
		{
			char cell[DUMP_MAX];

			dump_cell(batch, i, row, cell);
			out += sprintf(out, "%s%s", i > 0 ? "|" : "", cell);
		}
	}
	return text;
}

/* All bad records: "number SQLSTATE message", separated by "; ". */
static inline const char *
dump_bad(const ChangeBatch *batch)
{
	static char text[DUMP_MAX];
	char *out = text;

	*out = '\0';
	for (uint32_t i = 0; i < batch->bad_count; i++)
		out += sprintf(out, "%s%d %s %s", i > 0 ? "; " : "", (int) batch->bad[i].record_number, batch->bad[i].sqlstate,
					   batch->bad[i].message);
	return text;
}

#endif
