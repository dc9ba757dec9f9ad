/*-------------------------------------------------------------------------
 *
 * test_delta_vector.c
 *	  Deletion vectors: every kind of container, rows beyond 2^32, broken bytes, files.
 *
 *-------------------------------------------------------------------------
 */
#include <zlib.h>

#include "delta_case.h"
#include "delta_vector.h"

static uint64_t random_state = 88172645463325252u;

static uint64_t
random_number(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Ascending rows from "first" with random gaps below "gap". */
static uint64_t *
random_rows(uint64_t first, uint64_t gap, size_t count)
{
	uint64_t *rows = malloc(count * sizeof(uint64_t));

	for (size_t i = 0; i < count; i++)
		rows[i] = first = first + 1 + random_number() % gap;
	return rows;
}

/* Does marking any stretch agree with the list? */
static bool
agrees(const DeletionVector *vector, const uint64_t *rows, size_t count)
{
	uint8_t mask[9000];

	for (int round = 0; round < 300; round++)
	{
		size_t length = 1 + random_number() % sizeof(mask);
		uint64_t near = rows[random_number() % count];
		uint64_t first = near > length ? near - random_number() % length : 0;
		size_t at = 0;
		uint64_t next;
		bool any;

		memset(mask, 0, sizeof(mask));
		deletion_vector_mark(vector, first, length, 4, mask);
		while (at < count && rows[at] < first)
			at++;
		any = deletion_vector_next(vector, first, first + length, &next);
		if (any != (at < count && rows[at] < first + length) || (any && next != rows[at]))
			return false;
		for (size_t i = 0; i < length; i++)
		{
			bool expected = at < count && rows[at] == first + i;

			at += expected;
			if ((mask[i] == 4) != expected)
				return false;
		}
	}
	return true;
}

static void
test_containers(void)
{
	static const struct
	{
		uint64_t first, gap;
		size_t count;
		char kind;
		const char *name;
	} cases[] = {
		{0, 1000, 500, 'a', "arrays"},
		{0, 3, 40000, 'a', "bitmaps"},
		{5, 2, 3000, 'r', "runs"},
		{0, 5000, 5000, 'r', "runs in many containers"},
		{UINT64_C(4294960000), 100, 2000, 'a', "across 2^32"},
		{UINT64_C(1) << 40, 7, 20000, 'a', "beyond 2^32"},
		{65530, 1, 20, 'r', "a run across a container's border"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		uint64_t *rows = random_rows(cases[i].first, cases[i].gap, cases[i].count);
		DeletionVector *vector = NULL;
		IngestError error = {0};
		Buffer data;

		buffer_init(&data, 1 << 22);
		put_vector(&data, rows, cases[i].count, cases[i].kind);
		ok(deletion_vector_parse((const uint8_t *) data.data, data.length, &vector, &error), "%s: parses %s",
		   cases[i].name, error.message);
		if (vector != NULL)
		{
			is_int((int64_t) deletion_vector_cardinality(vector), (int64_t) cases[i].count, "its cardinality");
			is_int((int64_t) deletion_vector_last(vector), (int64_t) rows[cases[i].count - 1], "its last row");
			ok(agrees(vector, rows, cases[i].count), "its rows");
		}
		deletion_vector_free(vector);
		buffer_release(&data);
		free(rows);
	}
}

/* Every byte changed and every length cut: an error or a set, never a crash (the sanitizers watch). */
static void
test_broken(void)
{
	uint64_t *rows = random_rows(60000, 20, 3000);
	static const char kinds[] = {'a', 'r'};
	size_t cut_accepted = 0;

	for (int k = 0; k < 2; k++)
	{
		Buffer data;

		buffer_init(&data, 1 << 22);
		put_vector(&data, rows, 3000, kinds[k]);
		for (size_t i = 0; i < data.length; i += i < 200 ? 1 : 37)
			for (int bit = 0; bit < 8; bit++)
			{
				DeletionVector *vector;
				IngestError error;
				uint8_t mask[100] = {0};

				data.data[i] ^= (char) (1 << bit);
				if (deletion_vector_parse((const uint8_t *) data.data, data.length, &vector, &error))
				{
					deletion_vector_mark(vector, 60000, sizeof(mask), 1, mask);
					deletion_vector_free(vector);
				}
				data.data[i] ^= (char) (1 << bit);
			}
		for (size_t length = 0; length < data.length; length += length < 200 ? 1 : 41)
		{
			DeletionVector *vector;
			IngestError error;

			if (deletion_vector_parse((const uint8_t *) data.data, length, &vector, &error))
			{
				cut_accepted++;
				deletion_vector_free(vector);
			}
		}
		buffer_release(&data);
	}
	is_int((int64_t) cut_accepted, 0, "a vector that was cut short is refused");
	free(rows);
}

static void
test_native(void)
{
	uint64_t rows[] = {3, 70000};
	Buffer data;
	Buffer bitmap;
	DeletionVector *vector = NULL;
	IngestError error;

	buffer_init(&data, 1 << 20);
	buffer_init(&bitmap, 1 << 20);
	put_bitmap(&bitmap, rows, 2, 'a');
	put32(&data, 1681511376);
	put32(&data, 1);
	put32(&data, (uint32_t) bitmap.length);
	(void) !buffer_append(&data, bitmap.data, bitmap.length, &error);
	ok(deletion_vector_parse((const uint8_t *) data.data, data.length, &vector, &error) &&
		   deletion_vector_cardinality(vector) == 2 && deletion_vector_last(vector) == 70000,
	   "the older form without keys");
	deletion_vector_free(vector);
	data.data[0] = 0;
	ok(!deletion_vector_parse((const uint8_t *) data.data, data.length, &vector, &error), "an unknown magic number");
	buffer_release(&data);
	buffer_release(&bitmap);
}

static bool
decodes(const char *text, const char *hex)
{
	uint8_t bytes[64];
	char got[130] = "";
	size_t length;
	IngestError error;

	if (!z85_decode((Span){text, strlen(text)}, bytes, &length, &error))
		return strcmp(hex, "ERROR") == 0;
	for (size_t i = 0; i < length; i++)
		snprintf(got + 2 * i, 3, "%02x", bytes[i]);
	return strcmp(got, hex) == 0;
}

static void
test_z85(void)
{
	ok(decodes("HelloWorld", "864fd26fb559f75b"), "Z85: the specification's vector");
	ok(decodes("", ""), "Z85: nothing");
	ok(decodes("Hell", "ERROR"), "Z85: four characters");
	ok(decodes("He lo", "ERROR"), "Z85: a blank");
	ok(decodes("%nSc1", "ERROR"), "Z85: above 2^32");
	ok(decodes("%nSc0", "ffffffff"), "Z85: 2^32 - 1");
	ok(decodes("##093", "0300"), "Z85: a short last word, filled up in front");
	ok(decodes("##09300000", "ERROR"), "Z85: which only the last word may be");
}

/* A file with a vector of two rows at offset 1, changed at a byte. */
static IngestErrorKind
load_from(DeltaCase *test, int change_at, int64_t size, int64_t cardinality, int64_t row_count)
{
	uint64_t rows[] = {3, 5};
	Buffer data;
	uint8_t file[256] = {1};
	VectorDescriptor descriptor = {'u', {"vBn[lx{q8@P<9BNH/isA", 20}, true, 1, size, cardinality};
	DeletionVector *vector = NULL;
	uint32_t crc;
	bool loaded;

	buffer_init(&data, 1024);
	put_vector(&data, rows, 2, 'a');
	crc = (uint32_t) crc32(0, (const uint8_t *) data.data, (uInt) data.length);
	file[4] = (uint8_t) data.length;
	memcpy(file + 5, data.data, data.length);
	for (int i = 0; i < 4; i++)
		file[5 + data.length + (size_t) i] = (uint8_t) (crc >> (24 - 8 * i));
	if (change_at >= 0)
		file[change_at] ^= 1;
	case_write(test, "deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin", file, data.length + 9);
	if (size < 0)
		descriptor.size = (int64_t) data.length;
	ingest_error_clear(&test->error);
	loaded = deletion_vector_load(test->storage, &descriptor, row_count, &vector, NULL, &test->error);
	if (loaded && deletion_vector_cardinality(vector) != 2)
		test->error.kind = INGEST_ERROR_INVALID;
	deletion_vector_free(vector);
	buffer_release(&data);
	return loaded == (test->error.kind == INGEST_ERROR_NONE) ? test->error.kind : INGEST_ERROR_INVALID;
}

static void
test_file(void)
{
	DeltaCase test = case_begin();
	VectorDescriptor gone = {'u', {"xBn[lx{q8@P<9BNH/isA", 20}, true, 1, 36, 2};
	DeletionVector *vector;

	is_int(load_from(&test, -1, -1, 2, 6), INGEST_ERROR_NONE, "a vector in a file");
	is_int(load_from(&test, 0, -1, 2, 6), INGEST_ERROR_UNSUPPORTED, "another version of the file");
	is_int(load_from(&test, 4, -1, 2, 6), INGEST_ERROR_CORRUPT, "its size disagrees");
	is_int(load_from(&test, 20, -1, 2, 6), INGEST_ERROR_CORRUPT, "a changed byte: the checksum");
	is_int(load_from(&test, -1, 20, 2, 6), INGEST_ERROR_CORRUPT, "the log's size disagrees");
	is_int(load_from(&test, -1, -1, 3, 6), INGEST_ERROR_CORRUPT, "the log's cardinality disagrees");
	is_int(load_from(&test, -1, -1, 2, 5), INGEST_ERROR_CORRUPT, "a row that the data file does not have");
	is_int(load_from(&test, -1, INT32_MAX, 2, 6), INGEST_ERROR_CORRUPT, "an absurd size");
	ok(!deletion_vector_load(test.storage, &gone, 6, &vector, NULL, &test.error) &&
		   test.error.kind == INGEST_ERROR_GONE && error_has(&test, "deletion_vector_") &&
		   strstr(test.error.hint, "VACUUM") != NULL,
	   "a missing file is named, and VACUUM");
	case_end(&test);
}

int
main(void)
{
	test_containers();
	test_broken();
	test_native();
	test_z85();
	test_file();
	return done_testing();
}
