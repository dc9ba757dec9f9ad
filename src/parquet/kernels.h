/*-------------------------------------------------------------------------
 *
 * kernels.h
 *	  The loops that run for each value.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_PARQUET_KERNELS_H
#define INGEST_PARQUET_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many of the bytes are "value". */
extern size_t kernel_count_equal(const uint8_t *bytes, size_t count, uint8_t value);
/* The largest, 0 of none. */
extern uint8_t kernel_max_uint8(const uint8_t *values, size_t count);
/* Are all values below "limit", which is 1 to 2^31? */
extern bool kernel_all_below(const uint32_t *values, size_t count, uint32_t limit);
/* out[i] = bytes[i] >= value; returns how many are. */
extern size_t kernel_at_least(const uint8_t *bytes, size_t count, uint8_t value, uint8_t *out);
/* out[i] = values[indices[i]], each of "width" bytes. */
extern void kernel_gather(const uint8_t *values, const uint32_t *indices, uint8_t *out, size_t count, size_t width);
/*
 * Move "value_count" values at the front of "slots" to the slots where present is 1, in place.  The others are left
 * with bytes of their neighbours, or 0.
 */
extern void kernel_spread(uint8_t *values, const uint8_t *present, size_t slots, size_t value_count, size_t width);
/* The offsets of value_count values to those of "slots" slots, of which the absent ones are empty, in place. */
extern void kernel_spread_offsets(int32_t *offsets, const uint8_t *present, size_t slots, size_t value_count);

#endif
