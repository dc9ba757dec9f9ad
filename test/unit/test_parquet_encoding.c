/* Values of every encoding, written here by hand; what is cut short or lies. */
#include "unit/parquet_writer.h"

#include "parquet/parquet_internal.h"

static const LeafType int32_type = {
	.physical = PHYSICAL_INT32, .physical_width = 4, .layout = LAYOUT_FIXED, .width = 4};
static const LeafType int64_type = {
	.physical = PHYSICAL_INT64, .physical_width = 8, .layout = LAYOUT_FIXED, .width = 8};
static const LeafType text_type = {.physical = PHYSICAL_BYTE_ARRAY, .layout = LAYOUT_VARIABLE};
static const LeafType bytes3_type = {
	.physical = PHYSICAL_FIXED, .physical_width = 3, .layout = LAYOUT_FIXED, .width = 3};
static const LeafType boolean_type = {
	.physical = PHYSICAL_BOOLEAN, .physical_width = 1, .layout = LAYOUT_BIT, .width = 1};

static Workspace workspace;

/* ---- a writer of deltas, with any block size ------------------------------------------------ */

static void
pack_bits(Bytes *out, const uint64_t *values, size_t count, uint32_t width)
{
	size_t length = (count * width + 7) / 8;
	uint8_t *bits = calloc(length + 1, 1);

	for (size_t i = 0; i < count; i++)
	{
		for (uint32_t bit = 0; bit < width; bit++)
			bits[(i * width + bit) / 8] |= (uint8_t) ((values[i] >> bit & 1) << ((i * width + bit) % 8));
	}
	put(out, bits, length);
	free(bits);
}

static void
put_block(Bytes *out, const uint64_t *deltas, size_t count, size_t block, size_t miniblocks)
{
	size_t size = block / miniblocks;
	int64_t least = INT64_MAX;
	uint64_t *shifted = calloc(block, sizeof(*shifted));
	uint32_t *widths = calloc(miniblocks, sizeof(*widths));

	for (size_t i = 0; i < count; i++)
		least = (int64_t) deltas[i] < least ? (int64_t) deltas[i] : least;
	put_zigzag(out, least);
	for (size_t i = 0; i < count; i++)
	{
		shifted[i] = deltas[i] - (uint64_t) least;
		while (widths[i / size] < 64 && shifted[i] >> widths[i / size] != 0)
			widths[i / size]++;
	}
	/* the width of a miniblock that is not there may be anything */
	for (size_t m = 0; m < miniblocks; m++)
		put_byte(out, m * size < count ? (int) widths[m] : 0xee);
	for (size_t m = 0; m * size < count; m++)
		pack_bits(out, shifted + m * size, size, widths[m]);
	free(shifted);
	free(widths);
}

static void
put_deltas(Bytes *out, const int64_t *values, size_t count, size_t block, size_t miniblocks)
{
	uint64_t *deltas = calloc(count + 1, sizeof(*deltas));

	put_varint(out, block);
	put_varint(out, miniblocks);
	put_varint(out, count);
	put_zigzag(out, count > 0 ? values[0] : 0);
	for (size_t i = 1; i < count; i++)
		deltas[i - 1] = (uint64_t) values[i] - (uint64_t) values[i - 1];
	for (size_t i = 0; i + 1 < count; i += block)
		put_block(out, deltas + i, count - 1 - i < block ? count - 1 - i : block, block, miniblocks);
	free(deltas);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* "count" fixed values in portions; false where refused. */
static bool
read_fixed(const LeafType *type, int encoding, const Bytes *page, size_t count, size_t portion, void *out)
{
	/* the exact bytes, so that a read behind them shows under a sanitizer */
	uint8_t *exact = malloc(page->length + 1);
	ValueDecoder decoder = {.workspace = &workspace};
	IngestError error;
	bool good;

	memcpy(exact, page->data ? page->data : (const uint8_t *) "", page->length);
	exact = realloc(exact, page->length ? page->length : 1);
	good = value_decoder_start(&decoder, type, encoding, exact, page->length, &error);
	for (size_t i = 0; good && i < count; i += portion)
	{
		size_t part = count - i < portion ? count - i : portion;

		good = value_decoder_read_fixed(&decoder, (uint8_t *) out + i * (size_t) type->width, part, &error);
	}
	value_decoder_release(&decoder);
	free(exact);
	return good;
}

static void
deltas(void)
{
	static const size_t shapes[][2] = {{128, 4}, {128, 1}, {256, 8}, {1024, 32}, {128, 16}};
	static int64_t values[1000];
	static int64_t out[1001];
	static int32_t narrow[1000];

	for (int i = 0; i < 1000; i++)
		values[i] = i < 300   ? i * 7
					: i < 600 ? (int64_t) (UINT64_C(0x9E3779B97F4A7C15) * (uint64_t) i)
					: i % 2   ? INT64_MIN
							  : INT64_MAX;
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
	{
		for (size_t count = 0; count <= 1000; count = count < 3 ? count + 1 : count * 3 - 2)
		{
			Bytes page = {0};

			put_deltas(&page, values, count, shapes[s][0], shapes[s][1]);
			ok(read_fixed(&int64_type, 5, &page, count, 1, out) && memcmp(out, values, count * 8) == 0,
			   "%zu deltas in blocks of %zu / %zu, one at a time", count, shapes[s][0], shapes[s][1]);
			ok(read_fixed(&int64_type, 5, &page, count, 77, out) && memcmp(out, values, count * 8) == 0,
			   "77 at a time");
			ok(!read_fixed(&int64_type, 5, &page, count + 1, 300, out), "one more is refused");
			if (page.length > 8 && count > 1 && count < 600)
			{
				page.length = 8;
				ok(!read_fixed(&int64_type, 5, &page, count, 300, out), "cut short");
			}
			free(page.data);
		}
	}
	for (int i = 0; i < 200; i++)
		values[i] = i % 2 ? INT32_MIN : INT32_MAX;
	{
		Bytes page = {0};
		int wrong = 0;

		put_deltas(&page, values, 200, 128, 4);
		ok(read_fixed(&int32_type, 5, &page, 200, 50, narrow), "32-bit values");
		for (int i = 0; i < 200; i++)
			wrong += narrow[i] != values[i];
		is_int(wrong, 0, "wrap in 32 bits");
		free(page.data);
	}
}

static void
bad_delta_headers(void)
{
	static const int headers[][2] = {{0, 4}, {128, 0}, {100, 4}, {128, 3}, {128, 128}, {4, 128}};
	int64_t out[10];

	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++)
	{
		Bytes page = {0};

		put_varint(&page, (uint64_t) headers[i][0]);
		put_varint(&page, (uint64_t) headers[i][1]);
		put_varint(&page, 5);
		for (int k = 0; k < 300; k++)
			put_byte(&page, 0);
		ok(!read_fixed(&int64_type, 5, &page, 5, 5, out), "blocks of %d values and %d miniblocks", headers[i][0],
		   headers[i][1]);
		free(page.data);
	}
	{
		Bytes page = {0};

		put_varint(&page, 1);
		put_varint(&page, 0);
		put_varint(&page, 1);
		put_zigzag(&page, -7);
		ok(read_fixed(&int64_type, 5, &page, 1, 1, out) && out[0] == -7, "a single value needs no block size");
		ok(!read_fixed(&int64_type, 5, &page, 2, 2, out), "but there is no second one");
		free(page.data);
	}
	{
		/* 2^60 values that take no bytes: only what is asked for is decoded */
		Bytes page = {0};

		put_varint(&page, 1 << 30);
		put_varint(&page, 1);
		put_varint(&page, UINT64_C(1) << 60);
		put_zigzag(&page, 5);
		put_zigzag(&page, 2);
		put_byte(&page, 0);
		ok(read_fixed(&int64_type, 5, &page, 4, 4, out) && out[3] == 11, "a huge count costs nothing");
		free(page.data);
	}
}

/* Up to "count" byte arrays, each call limited to "limit" bytes in all: the values joined by commas. */
static char *
read_texts(int encoding, const Bytes *page, size_t count, size_t limit)
{
	uint8_t *exact = malloc(page->length + 1);
	ValueDecoder decoder = {.workspace = &workspace};
	IngestError error;
	Buffer text;
	bool good;

	memcpy(exact, page->data, page->length);
	exact = realloc(exact, page->length ? page->length : 1);
	buffer_init(&text, 1 << 20);
	good = value_decoder_start(&decoder, &text_type, encoding, exact, page->length, &error);
	while (good && count > 0)
	{
		VariableValues values = {0};
		size_t done;

		good = value_decoder_read_variable(&decoder, &values, count, limit, &done, &error) && done > 0;
		for (size_t i = 0; good && i < done; i++)
			good = buffer_printf(&text, &error, "%.*s,", values.offsets[i + 1] - values.offsets[i],
								 (const char *) values.data + values.offsets[i]);
		count -= good ? done : 0;
		variable_release(&values);
	}
	if (!good)
		text.length = 0;
	if (!buffer_append(&text, good ? "" : "refused", good ? 1 : 8, &error))
		abort();
	value_decoder_release(&decoder);
	free(exact);
	return text.data;
}

static void
is_texts(int encoding, const Bytes *page, size_t count, const char *expected, const char *name)
{
	for (size_t limit = 0; limit < 40; limit += 3)
	{
		char *text = read_texts(encoding, page, count, limit);

		is_text(text, expected, name);
		free(text);
	}
}

static void
byte_arrays(void)
{
	static const int64_t lengths[] = {3, 0, 5, 1};
	static const int64_t prefixes[] = {0, 2, 3, 0};
	static const int64_t suffixes[] = {5, 1, 2, 3};
	static const int64_t negative[] = {3, -1, 5, 1};
	static const int64_t too_long[] = {0, 6, 0, 0};
	Bytes page = {0};

	put_text(&page, "one");
	put_text(&page, "");
	put_text(&page, "three");
	is_texts(0, &page, 3, "one,,three,", "plain byte arrays");
	is_texts(0, &page, 4, "refused", "too few of them");
	page.length--;
	is_texts(0, &page, 3, "refused", "the last one cut short");
	page.length = 0;
	put_deltas(&page, lengths, 4, 128, 4);
	put(&page, "onethreex", 9);
	is_texts(6, &page, 4, "one,,three,x,", "lengths as deltas");
	page.length--;
	is_texts(6, &page, 4, "refused", "bytes cut short");
	page.length = 0;
	put_deltas(&page, negative, 4, 128, 4);
	put(&page, "onethreex", 9);
	is_texts(6, &page, 4, "refused", "a negative length");
	page.length = 0;
	put_deltas(&page, prefixes, 4, 128, 1);
	put_deltas(&page, suffixes, 4, 256, 8);
	put(&page,
		"hello"
		"y"
		"lo"
		"abc",
		11);
	is_texts(7, &page, 4, "hello,hey,heylo,abc,", "shared prefixes");
	page.length--;
	is_texts(7, &page, 4, "refused", "a suffix cut short");
	page.length = 0;
	put_deltas(&page, too_long, 4, 128, 4);
	put_deltas(&page, suffixes, 4, 128, 4);
	put(&page,
		"hello"
		"y"
		"lo"
		"abc",
		11);
	is_texts(7, &page, 4, "refused", "a prefix longer than the value before");
	free(page.data);
}

static void
fixed_bytes(void)
{
	static const int64_t prefixes[] = {0, 2};
	static const int64_t suffixes[] = {3, 1};
	Bytes page = {0};
	char out[6];

	put_deltas(&page, prefixes, 2, 128, 4);
	put_deltas(&page, suffixes, 2, 128, 4);
	put(&page, "abcd", 4);
	ok(read_fixed(&bytes3_type, 7, &page, 2, 1, out) && memcmp(out, "abcabd", 6) == 0, "prefixes of fixed bytes");
	page.length = 0;
	put_deltas(&page, prefixes, 2, 128, 4);
	put_deltas(&page, prefixes, 2, 128, 4);
	put(&page, "abcd", 4);
	ok(!read_fixed(&bytes3_type, 7, &page, 2, 2, out), "of another length");
	page.length = 0;
	put(&page, "adbecf", 6);
	ok(read_fixed(&bytes3_type, 9, &page, 2, 1, out) && memcmp(out, "abcdef", 6) == 0, "byte streams");
	ok(!read_fixed(&bytes3_type, 9, &page, 3, 3, out), "no third value");
	page.length--;
	ok(!read_fixed(&bytes3_type, 9, &page, 1, 1, out), "streams of uneven length");
	page.length = 0;
	put(&page, "abcdef", 6);
	ok(read_fixed(&bytes3_type, 0, &page, 2, 1, out) && memcmp(out, "abcdef", 6) == 0, "plain fixed bytes");
	ok(!read_fixed(&bytes3_type, 0, &page, 3, 2, out), "no third value");
	free(page.data);
}

static void
booleans(void)
{
	static const uint8_t expected[] = {1, 0, 1, 1, 1, 1};
	Bytes page = {0};
	uint8_t out[20];

	put_byte(&page, 0x3d);
	ok(read_fixed(&boolean_type, 0, &page, 6, 4, out) && memcmp(out, expected, 6) == 0, "plain booleans");
	ok(!read_fixed(&boolean_type, 0, &page, 9, 4, out), "no ninth one");
	page.length = 0;
	put_int32(&page, 2);
	put_byte(&page, 3);
	put_byte(&page, 0x3d);
	ok(read_fixed(&boolean_type, 3, &page, 6, 5, out) && memcmp(out, expected, 6) == 0, "booleans in runs");
	page.data[0] = 3;
	ok(!read_fixed(&boolean_type, 3, &page, 6, 6, out), "runs longer than their page");
	ok(!read_fixed(&int32_type, 3, &page, 1, 1, out), "runs are for booleans only");
	free(page.data);
}

static void
dictionaries(void)
{
	ParquetDictionary *dictionary = NULL;
	ValueDecoder decoder = {.workspace = &workspace};
	static const uint8_t indices[] = {2, 3, 0xe4, 0x1b}; /* 0 1 2 3 3 2 1 0 */
	Bytes page = {0};
	int32_t out[8];
	IngestError error;

	for (int i = 0; i < 4; i++)
		put_int32(&page, i * 100);
	ok(!dictionary_create(&int32_type, &workspace, page.data, page.length, 5, 1 << 20, &dictionary, &error),
	   "more values than bytes");
	ok(!dictionary_create(&int32_type, &workspace, page.data, page.length, -1, 1 << 20, &dictionary, &error),
	   "a negative number of them");
	ok(!dictionary_create(&int32_type, &workspace, page.data, page.length, 4, 15, &dictionary, &error),
	   "more than the limit");
	ok(!dictionary_create(&boolean_type, &workspace, page.data, page.length, 4, 1 << 20, &dictionary, &error),
	   "of booleans");
	ok(dictionary_create(&int32_type, &workspace, page.data, page.length, 4, 1 << 20, &dictionary, &error),
	   "a dictionary");
	decoder.dictionary = dictionary;
	ok(value_decoder_start(&decoder, &int32_type, 8, indices, 4, &error) &&
		   value_decoder_read_fixed(&decoder, (uint8_t *) out, 8, &error) && out[2] == 200 && out[4] == 300,
	   "its values");
	dictionary->count = 3;
	ok(value_decoder_start(&decoder, &int32_type, 8, indices, 4, &error) &&
		   !value_decoder_read_fixed(&decoder, (uint8_t *) out, 8, &error),
	   "an index behind its end");
	dictionary->count = 0;
	ok(value_decoder_start(&decoder, &int32_type, 8, indices, 0, &error) &&
		   !value_decoder_read_fixed(&decoder, (uint8_t *) out, 1, &error),
	   "index 0 of an empty one");
	ok(!value_decoder_start(&decoder, &int32_type, 8, (const uint8_t[]){33}, 1, &error), "indices of 33 bits");
	dictionary_release(dictionary);
	free(page.data);
}

int
main(void)
{
	deltas();
	bad_delta_headers();
	byte_arrays();
	fixed_bytes();
	booleans();
	dictionaries();
	workspace_release(&workspace);
	return done_testing();
}
