/* Codecs: what was compressed comes back, in every framing; damaged blocks and other sizes are refused. */
#include "unit/tap.h"

#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

#include "parquet/parquet_internal.h"

#define SIZE 10000

static uint8_t plain[SIZE];
static CodecContext *context;

static bool
gives_plain(ParquetCodec codec, const uint8_t *in, size_t length, size_t size)
{
	uint8_t *exact = malloc(length ? length : 1);
	uint8_t *out = malloc(size ? size : 1);
	IngestError error;
	bool good;

	memcpy(exact, in, length);
	good = codec_decompress(codec, &context, exact, length, out, size, &error) && memcmp(out, plain, size) == 0;
	free(exact);
	free(out);
	return good;
}

static void
check(ParquetCodec codec, const uint8_t *in, size_t length, const char *name)
{
	uint8_t *damaged = malloc(length);

	ok(gives_plain(codec, in, length, SIZE), "%s", name);
	ok(gives_plain(codec, in, length, SIZE), "%s again with the same context", name);
	ok(!gives_plain(codec, in, length, SIZE - 1), "%s into less", name);
	ok(!gives_plain(codec, in, length - 1, SIZE), "%s cut short", name);
	ok(!gives_plain(codec, in, 0, SIZE), "%s of nothing", name);
	/* errors or not: no byte outside the buffers is touched */
	for (size_t i = 0; i < length && i < 400; i++)
	{
		memcpy(damaged, in, length);
		damaged[i] ^= 0x55;
		(void) gives_plain(codec, damaged, length, SIZE);
	}
	ok(gives_plain(codec, in, length, SIZE), "%s after damaged ones", name);
	free(damaged);
}

static size_t
gzip(uint8_t *out, size_t room, const uint8_t *in, size_t length, int window)
{
	z_stream stream = {0};

	if (deflateInit2(&stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	stream.next_in = (Bytef *) in;
	stream.avail_in = (uInt) length;
	stream.next_out = out;
	stream.avail_out = (uInt) room;
	deflate(&stream, Z_FINISH);
	deflateEnd(&stream);
	return stream.total_out;
}

static void
put_big_endian(uint8_t *out, uint32_t value)
{
	value = __builtin_bswap32(value);
	memcpy(out, &value, 4);
}

/* Hadoop's frames: an outer block of two inner ones, then one of one. */
static size_t
hadoop(uint8_t *out)
{
	size_t length = 0;
	size_t parts[] = {3000, 3000, SIZE - 6000};
	size_t done = 0;

	for (int i = 0; i < 3; i++)
	{
		int given;

		if (i != 1)
		{
			put_big_endian(out + length, i == 0 ? 6000 : SIZE - 6000);
			length += 4;
		}
		given = LZ4_compress_default((const char *) plain + done, (char *) out + length + 4, (int) parts[i], 2 * SIZE);
		put_big_endian(out + length, (uint32_t) given);
		length += 4 + (size_t) given;
		done += parts[i];
	}
	return length;
}

int
main(void)
{
	uint8_t *out = malloc(4 * SIZE);
	size_t length = 4 * SIZE;
	IngestError error;

	for (size_t i = 0; i < SIZE; i++)
		plain[i] = (uint8_t) ((i * i / 1000) ^ (i % 7 == 0 ? (unsigned) rand() : 0));
	check(CODEC_NONE, plain, SIZE, "no codec");
	snappy_compress((const char *) plain, SIZE, (char *) out, &length);
	check(CODEC_SNAPPY, out, length, "snappy");
	length = ZSTD_compress(out, 4 * SIZE, plain, 4000, 1);
	length += ZSTD_compress(out + length, 3 * SIZE, plain + 4000, SIZE - 4000, 1);
	check(CODEC_ZSTD, out, length, "zstd of two frames");
	length = gzip(out, 2 * SIZE, plain, 4000, 15 + 16);
	length += gzip(out + length, 2 * SIZE, plain + 4000, SIZE - 4000, 15 + 16);
	check(CODEC_GZIP, out, length, "gzip of two members");
	length = gzip(out, 2 * SIZE, plain, SIZE, 15);
	check(CODEC_GZIP, out, length, "gzip with zlib's header");
	length = (size_t) LZ4_compress_default((const char *) plain, (char *) out, SIZE, 2 * SIZE);
	check(CODEC_LZ4_RAW, out, length, "a raw lz4 block");
	check(CODEC_LZ4_HADOOP, out, length, "a raw lz4 block under the other name");
	length = LZ4F_compressFrame(out, 4 * SIZE, plain, SIZE, NULL);
	check(CODEC_LZ4_HADOOP, out, length, "an lz4 frame");
	length = hadoop(out);
	check(CODEC_LZ4_HADOOP, out, length, "lz4 in Hadoop's frames");
	ok(!codec_decompress(CODEC_LZO, &context, plain, 5, out, 5, &error) && error.kind == INGEST_ERROR_UNSUPPORTED,
	   "LZO is not supported");
	ok(!codec_decompress((ParquetCodec) 77, &context, plain, 5, out, 5, &error) &&
		   error.kind == INGEST_ERROR_UNSUPPORTED,
	   "nor is what nobody knows");
	codec_context_free(context);
	free(out);
	return done_testing();
}
