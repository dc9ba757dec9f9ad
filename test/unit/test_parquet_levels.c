/* Bit-packed integers, the RLE hybrid, levels: against plain definitions of them, and cut short. */
#include "unit/tap.h"

#include <stdlib.h>

#include "parquet/bit_unpack.h"
#include "parquet/kernels.h"
#include "parquet/parquet_internal.h"

static uint64_t
bits_at(const uint8_t *data, uint64_t bit, uint32_t width)
{
	uint64_t value = 0;

	for (uint32_t i = 0; i < width; i++, bit++)
		value |= (uint64_t) (data[bit / 8] >> (bit % 8) & 1) << i;
	return value;
}

static void
every_width(void)
{
	uint8_t data[2048];
	uint32_t narrow[100];
	uint64_t wide[100];
	int wrong = 0;

	srand(1);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) rand();
	for (uint32_t width = 0; width <= 64; width++)
	{
		for (uint64_t first = 0; first < 40; first++)
		{
			/* just as long as needed: a read behind the end shows under a sanitizer */
			size_t length = (size_t) (((first + 100) * width + 7) / 8);
			uint8_t *exact = malloc(length ? length : 1);

			memcpy(exact, data, length);
			bit_unpack_uint64(exact, length, width, first, wide, 100);
			if (width <= 32)
				bit_unpack_uint32(exact, length, width, first, narrow, 100);
			for (uint64_t i = 0; i < 100; i++)
			{
				uint64_t expected = bits_at(data, (first + i) * width, width);

				wrong += wide[i] != expected;
				wrong += width <= 32 && narrow[i] != expected;
			}
			free(exact);
		}
	}
	is_int(wrong, 0, "bit-packed integers of every width from every place");
}

static void
booleans(void)
{
	uint8_t data[32];
	uint8_t bytes[200];
	uint8_t packed[25];
	int wrong = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) rand();
	for (uint64_t first = 0; first < 20; first++)
	{
		bit_unpack_booleans(data, sizeof(data), first, bytes, 200);
		for (uint64_t i = 0; i < 200; i++)
			wrong += bytes[i] != bits_at(data, first + i, 1);
	}
	bit_unpack_booleans(data, sizeof(data), 0, bytes, 197);
	bit_pack_booleans(bytes, 197, packed);
	for (uint64_t i = 0; i < 197; i++)
		wrong += bytes[i] != bits_at(packed, i, 1);
	is_int(wrong, 0, "booleans to bytes and back");
	is_int(packed[24] >> 5, 0, "unused bits of a bitmap are 0");
}

/* Decode "count" values in two portions; the sum of value * (place + 1), or -1 where that is refused. */
static int64_t
hybrid_sum(const uint8_t *data, size_t length, uint32_t width, size_t count, size_t portion)
{
	HybridDecoder decoder;
	IngestError error;
	uint32_t *values = malloc((count + 1) * sizeof(*values));
	int64_t sum = 0;
	bool good;

	hybrid_init(&decoder, data, length, width);
	good = hybrid_read_uint32(&decoder, values, portion, &error) &&
		   hybrid_read_uint32(&decoder, values + portion, count - portion, &error);
	for (size_t i = 0; good && i < count; i++)
		sum += (int64_t) values[i] * (int64_t) (i + 1);
	free(values);
	return good ? sum : -1;
}

static void
hybrid(void)
{
	/* four times 5; a bit-packed group 0..7 of 3 bits; a run of nothing; two times 6 */
	static const uint8_t runs[] = {8, 5, 3, 0x88, 0xc6, 0xfa, 0, 4, 6};
	static const uint8_t wide_run[] = {4, 0x0a};
	static const uint8_t endless[] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
	static const uint8_t huge[] = {0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 1};
	int64_t expected = 0;

	for (int i = 0; i < 14; i++)
		expected += (i < 4 ? 5 : i < 12 ? i - 4 : 6) * (i + 1);
	for (size_t portion = 0; portion <= 14; portion++)
		is_int(hybrid_sum(runs, sizeof(runs), 3, 14, portion), expected, "runs and groups, in two portions");
	is_int(hybrid_sum(runs, sizeof(runs), 3, 15, 0), -1, "more values than there are");
	is_int(hybrid_sum(runs, 4, 3, 6, 0), 5 * 10 + 6, "the last group may be cut short");
	is_int(hybrid_sum(runs, 4, 3, 7, 0), -1, "but not the values that are needed");
	is_int(hybrid_sum(runs, 3, 3, 5, 0), -1, "a group without its bytes");
	is_int(hybrid_sum(runs, 1, 3, 1, 0), -1, "a run without its value");
	is_int(hybrid_sum(NULL, 0, 0, 9, 4), 0, "width 0 needs no run at all");
	is_int(hybrid_sum(wide_run, 2, 3, 2, 0), -1, "a value wider than its width");
	is_int(hybrid_sum(wide_run, 2, 4, 2, 0), 30, "the same where it fits");
	is_int(hybrid_sum(endless, sizeof(endless), 1, 1, 0), -1, "a header without an end");
	is_int(hybrid_sum(huge, sizeof(huge), 1, 3, 1), 6, "a huge run costs what is asked for");
}

static void
levels(void)
{
	/* levels 0..7 of 3 bits, most significant bit first */
	static const uint8_t legacy[] = {0x05, 0x39, 0x77};
	LevelDecoder decoder = {.max_level = 7, .legacy = true, .data = legacy, .bit_end = 24};
	uint8_t out[9];
	IngestError error;

	is_int(bits_for_level(0), 0, "no level takes no bits");
	is_int(bits_for_level(1), 1, "level 1");
	is_int(bits_for_level(4), 3, "level 4");
	ok(level_decoder_read(&decoder, out, 8, &error) && memcmp(out, "\0\1\2\3\4\5\6\7", 8) == 0, "legacy levels");
	ok(!level_decoder_read(&decoder, out, 1, &error), "no more of them");
	decoder = (LevelDecoder){.max_level = 5, .legacy = true, .data = legacy, .bit_end = 24};
	ok(!level_decoder_read(&decoder, out, 8, &error), "a level above the maximum");
	decoder = (LevelDecoder){.max_level = 0};
	out[0] = 9;
	ok(level_decoder_read(&decoder, out, 1, &error) && out[0] == 0, "without levels all are 0");
}

static void
kernels(void)
{
	static const uint8_t present[] = {0, 1, 1, 0, 0, 1, 1, 1, 0};
	uint8_t values[9 * 16];
	int32_t offsets[10] = {0, 3, 3, 7, 8, 20};
	static const int32_t spread[] = {0, 0, 3, 3, 3, 3, 7, 8, 20, 20};
	uint32_t indices[] = {4, 0, 7, 7};

	for (size_t width = 1; width <= 16; width++)
	{
		int wrong = 0;
		uint8_t next = 0;

		for (size_t i = 0; i < 5 * width; i++)
			values[i] = (uint8_t) (i / width + 1);
		kernel_spread(values, present, 9, 5, width);
		for (size_t i = 0; i < 9; i++)
		{
			next = (uint8_t) (next + present[i]);
			for (size_t k = 0; present[i] && k < width; k++)
				wrong += values[i * width + k] != next;
		}
		is_int(wrong, 0, "values go to their slots");
	}
	kernel_spread_offsets(offsets, present, 9, 5);
	ok(memcmp(offsets, spread, sizeof(spread)) == 0, "offsets go to their slots");
	ok(kernel_all_below(indices, 4, 8) && !kernel_all_below(indices, 4, 7), "indices below a size");
	indices[1] = UINT32_MAX;
	ok(!kernel_all_below(indices, 4, 8), "no index is negative");
	indices[1] = 0x80000003;
	ok(!kernel_all_below(indices, 4, 8) && !kernel_all_below(indices, 4, 1u << 31), "nor large enough to look so");
	memset(values, 2, sizeof(values));
	values[100] = 1;
	is_int((int64_t) kernel_count_equal(values, sizeof(values), 2), sizeof(values) - 1, "bytes are counted");
	is_int(kernel_max_uint8(values, sizeof(values)), 2, "the largest byte");
}

int
main(void)
{
	every_width();
	booleans();
	hybrid();
	levels();
	kernels();
	return done_testing();
}
