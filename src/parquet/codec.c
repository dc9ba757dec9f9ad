/*-------------------------------------------------------------------------
 *
 * codec.c
 *	  One compressed run of bytes into its exact decompressed size.
 *
 * The output buffer is the caller's and has the size that the page header claims and the
 * caller has checked; a codec that would give another number of bytes is CORRUPT.  Nothing
 * here allocates by a size found in the compressed bytes.
 *
 * LZ4 (codec 5) is written in three ways: Hadoop's framing (big-endian uncompressed size, then
 * one or more of {big-endian compressed size, block}), a raw block, and the LZ4 frame format; they are
 * tried in this order, because nothing in the file tells which it is.
 *
 * A CodecContext keeps decoders between pages; it belongs to one reader, whose columns use it one after the other.
 *
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include <brotli/decode.h>
#include <lz4.h>
#include <lz4frame.h>
#include <snappy-c.h>
#include <zlib.h>
#include <zstd.h>

#include "parquet/parquet_internal.h"

struct CodecContext
{
	ZSTD_DCtx *zstd;
	z_stream zlib;
	bool zlib_ready;
};

static CodecContext *
get_context(CodecContext **context)
{
	if (*context == NULL)
		*context = calloc(1, sizeof(CodecContext));
	return *context;
}

void
codec_context_free(CodecContext *context)
{
	if (context == NULL)
		return;
	ZSTD_freeDCtx(context->zstd);
	if (context->zlib_ready)
		inflateEnd(&context->zlib);
	free(context);
}

const char *
codec_name(ParquetCodec codec)
{
	static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"};

	return (unsigned) codec < sizeof(names) / sizeof(names[0]) ? names[codec] : "unknown";
}

static bool
bad_block(ParquetCodec codec, IngestError *error)
{
	return ingest_fail(error, INGEST_ERROR_CORRUPT, "%s block does not give the size that the page header claims",
					   codec_name(codec));
}

static bool
decompress_snappy(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length, IngestError *error)
{
	size_t length = 0;

	if (snappy_uncompressed_length((const char *) in, in_length, &length) != SNAPPY_OK || length != out_length ||
		snappy_uncompress((const char *) in, in_length, (char *) out, &length) != SNAPPY_OK || length != out_length)
		return bad_block(CODEC_SNAPPY, error);
	return true;
}

static bool
decompress_zstd(CodecContext **context, const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length,
				IngestError *error)
{
	CodecContext *state = get_context(context);
	size_t length;

	if (state == NULL || (state->zstd == NULL && (state->zstd = ZSTD_createDCtx()) == NULL))
		return ingest_out_of_memory(error);
	length = ZSTD_decompressDCtx(state->zstd, out, out_length, in, in_length);
	if (ZSTD_isError(length))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "ZSTD: %s", ZSTD_getErrorName(length));
	return length == out_length || bad_block(CODEC_ZSTD, error);
}

/* gzip or zlib header, any number of members behind each other */
static bool
decompress_gzip(CodecContext **context, const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length,
				IngestError *error)
{
	CodecContext *state = get_context(context);
	z_stream *zlib;

	if (state == NULL)
		return ingest_out_of_memory(error);
	zlib = &state->zlib;
	if (!state->zlib_ready && inflateInit2(zlib, 15 + 32) != Z_OK)
		return ingest_out_of_memory(error);
	state->zlib_ready = true;
	zlib->next_in = (Bytef *) in;
	zlib->avail_in = (uInt) in_length;
	zlib->next_out = out;
	zlib->avail_out = (uInt) out_length;
	do
	{
		if (inflateReset(zlib) != Z_OK || inflate(zlib, Z_FINISH) != Z_STREAM_END)
			return bad_block(CODEC_GZIP, error);
	} while (zlib->avail_in > 0 && zlib->avail_out > 0);
	return zlib->avail_out == 0 || bad_block(CODEC_GZIP, error);
}

static bool
decompress_brotli(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length, IngestError *error)
{
	size_t length = out_length;

	if (BrotliDecoderDecompress(in_length, in, &length, out) != BROTLI_DECODER_RESULT_SUCCESS || length != out_length)
		return bad_block(CODEC_BROTLI, error);
	return true;
}

static bool
decompress_lz4_block(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
	return in_length <= INT32_MAX && out_length <= INT32_MAX &&
		   LZ4_decompress_safe((const char *) in, (char *) out, (int) in_length, (int) out_length) == (int) out_length;
}

static uint32_t
load_big_endian(const uint8_t *data)
{
	return __builtin_bswap32(load_uint32(data));
}

/* Outer blocks of {uncompressed size, inner blocks}; false where the sizes do not fit. */
static bool
decompress_lz4_hadoop(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
	const uint8_t *end = in + in_length;

	while (end - in >= 8 && out_length > 0)
	{
		size_t outer = load_big_endian(in);

		in += 4;
		if (outer > out_length)
			return false;
		while (outer > 0)
		{
			size_t inner;
			int given;

			if (end - in < 4)
				return false;
			inner = load_big_endian(in);
			in += 4;
			if (inner > (size_t) (end - in) || inner > INT32_MAX)
				return false;
			given = LZ4_decompress_safe((const char *) in, (char *) out, (int) inner,
										outer > INT32_MAX ? INT32_MAX : (int) outer);
			if (given <= 0)
				return false;
			in += inner;
			out += given;
			out_length -= (size_t) given;
			outer -= (size_t) given;
		}
	}
	return out_length == 0 && in == end;
}

static bool
decompress_lz4_frame(const uint8_t *in, size_t in_length, uint8_t *out, size_t out_length)
{
	LZ4F_dctx *state;
	size_t left = 1;
	size_t given = out_length;
	size_t taken = in_length;

	if (LZ4F_isError(LZ4F_createDecompressionContext(&state, LZ4F_VERSION)))
		return false;
	left = LZ4F_decompress(state, out, &given, in, &taken, NULL);
	LZ4F_freeDecompressionContext(state);
	return left == 0 && given == out_length;
}

bool
codec_decompress(ParquetCodec codec, CodecContext **context, const uint8_t *in, size_t in_length, uint8_t *out,
				 size_t out_length, IngestError *error)
{
	switch (codec)
	{
		case CODEC_NONE:
			if (in_length != out_length)
				return bad_block(codec, error);
			memcpy(out, in, in_length);
			return true;
		case CODEC_SNAPPY:
			return decompress_snappy(in, in_length, out, out_length, error);
		case CODEC_GZIP:
			return decompress_gzip(context, in, in_length, out, out_length, error);
		case CODEC_BROTLI:
			return decompress_brotli(in, in_length, out, out_length, error);
		case CODEC_ZSTD:
			return decompress_zstd(context, in, in_length, out, out_length, error);
		case CODEC_LZ4_RAW:
			return decompress_lz4_block(in, in_length, out, out_length) || bad_block(codec, error);
		case CODEC_LZ4_HADOOP:
			return decompress_lz4_hadoop(in, in_length, out, out_length) ||
				   decompress_lz4_block(in, in_length, out, out_length) ||
				   decompress_lz4_frame(in, in_length, out, out_length) || bad_block(codec, error);
		default:
			return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "codec %s (%d) is not supported", codec_name(codec),
							   (int) codec);
	}
}
