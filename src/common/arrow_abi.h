/*-------------------------------------------------------------------------
 *
 * arrow_abi.h
 *	  The Arrow C Data Interface: the two structs, as its specification gives
 *	  them (https://arrow.apache.org/docs/format/CDataInterface.html).
 *
 * Columns leave parquet/ and delta/ in this form.  Whoever holds a struct whose
 * release is not null owns it and calls release once; a moved struct has its
 * release set to null by the mover.  Release callbacks may run on another
 * thread than the one that made the array.
 *
 *-------------------------------------------------------------------------
 */
#ifndef INGEST_ARROW_ABI_H
#define INGEST_ARROW_ABI_H

#include <stdint.h>

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema
{
	const char *format;
	const char *name;
	const char *metadata;
	int64_t flags;
	int64_t n_children;
	struct ArrowSchema **children;
	struct ArrowSchema *dictionary;
	void (*release)(struct ArrowSchema *);
	void *private_data;
};

struct ArrowArray
{
	int64_t length;
	int64_t null_count;
	int64_t offset;
	int64_t n_buffers;
	int64_t n_children;
	const void **buffers;
	struct ArrowArray **children;
	struct ArrowArray *dictionary;
	void (*release)(struct ArrowArray *);
	void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#endif
