/*-------------------------------------------------------------------------
 *
 * bit_unpack.h
 *	  Bit-packed integers, least significant bit first.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_PARQUET_BIT_UNPACK_H
#define INGEST_PARQUET_BIT_UNPACK_H

#include <stddef.h>
#include <stdint.h>

/*
 * Values [first, first + count) of "width" bits (0 to 32) each out of "length" bytes; the caller made sure
 * that the bits of the last one lie inside.  Never reads past data + length.
 */
extern void
bit_unpack_uint32(const uint8_t *data, size_t length, uint32_t width, uint64_t first, uint32_t *out, size_t count);
/* The same for widths up to 64. */
extern void
bit_unpack_uint64(const uint8_t *data, size_t length, uint32_t width, uint64_t first, uint64_t *out, size_t count);
/* Single bits to bytes of 0 or 1. */
extern void bit_unpack_booleans(const uint8_t *data, size_t length, uint64_t first, uint8_t *out, size_t count);
/* Bytes of 0 or 1 to a bitmap; the unused bits of its last byte are 0. */
extern void bit_pack_booleans(const uint8_t *in, size_t count, uint8_t *out);

#endif
