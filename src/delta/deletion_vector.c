/*-------------------------------------------------------------------------
 *
 * deletion_vector.c
 *	  Where a deletion vector's bytes are, and whether they are the right ones.
 *
 *	  storageType u	<root>/[<prefix>/]deletion_vector_<uuid>.bin; the last 20 characters
 *					are Z85 of the UUID's 16 bytes, the ones before are the prefix
 *	  p				an absolute URI
 *	  i				the data itself, Z85 text
 *
 * In a file:
 *	  0				version byte, 1
 *	  offset		int32 big-endian: size of the data, equal to sizeInBytes
 *	  +4			data (roaring.c)
 *	  +4 + size		CRC-32 of the data, big-endian
 *
 * Everything is checked: version, size, CRC, number of rows, and that every row exists
 * in the data file.  A vector that fails is an error, never "nothing deleted".
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define UUID_TEXT_LENGTH 20
/* The highest digit. */
#define Z85_FILL '#'
/* A vector behind this offset has its version byte read apart. */
#define NEAR_OFFSET 4096

/* ---- Z85 ----------------------------------------------------------------------------------------- */

static int
z85_digit(char character)
{
	static const char alphabet[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
	const char *found = character == '\0' ? NULL : strchr(alphabet, character);

	return found == NULL ? -1 : (int) (found - alphabet);
}

bool
z85_decode(Span text, uint8_t *out, size_t *length, IngestError *error)
{
	*length = 0;
	if (text.length % 5 != 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "Z85 text of %zu characters, which 5 does not divide",
						   text.length);
	for (size_t i = 0; i < text.length; i += 5)
	{
		uint64_t word = 0;
		size_t bytes = 4;
		size_t first = 0;

		/* a last word of fewer bytes, which some writers fill up with the highest digit in front: no whole word begins
		 * so, since it would not fit 32 bits */
		for (; i + 5 == text.length && first < 3 && text.data[i + first] == Z85_FILL; first++)
			bytes--;
		for (size_t j = first; j < 5; j++)
		{
			int digit = z85_digit(text.data[i + j]);

			if (digit < 0)
				return ingest_fail(error, INGEST_ERROR_CORRUPT, "Z85 text has a character that is not Z85");
			word = word * 85 + (uint64_t) digit;
		}
		if (word >> (8 * bytes) != 0)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "Z85 text has a group above its range");
		for (size_t j = bytes; j > 0; j--)
			out[(*length)++] = (uint8_t) (word >> (8 * (j - 1)));
	}
	return true;
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

static uint32_t
big_endian(const uint8_t *data)
{
	return (uint32_t) data[0] << 24 | (uint32_t) data[1] << 16 | (uint32_t) data[2] << 8 | data[3];
}

/* The object that holds the vector; malloc'ed. */
static bool
vector_path(Storage *storage, const VectorDescriptor *descriptor, char **out, IngestError *error)
{
	Span text = descriptor->path_or_inline;
	size_t prefix;
	uint8_t uuid[16];
	char name[128];
	size_t length;
	char *path;
	bool done;

	if (descriptor->storage_type == 'p')
		return delta_path_resolve(storage, "", text.data, out, error);
	if (text.length < UUID_TEXT_LENGTH)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the identifier of a deletion vector is too short");
	prefix = text.length - UUID_TEXT_LENGTH;
	if (!z85_decode((Span){text.data + prefix, UUID_TEXT_LENGTH}, uuid, &length, error))
		return false;
	if (length != sizeof(uuid))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the identifier of a deletion vector is no UUID");
	snprintf(name, sizeof(name),
			 "deletion_vector_%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x.bin", uuid[0],
			 uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8], uuid[9], uuid[10], uuid[11],
			 uuid[12], uuid[13], uuid[14], uuid[15]);
	if (asprintf(&path, "%.*s%s%s", (int) prefix, text.data, prefix > 0 ? "/" : "", name) < 0)
		return ingest_out_of_memory(error);
	done = delta_path_resolve(storage, "", path, out, error);
	free(path);
	return done;
}

/* "frame" is size, data and CRC. */
static bool
check_frame(const uint8_t *frame, size_t size, IngestError *error)
{
	if (big_endian(frame) != size)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the log says %zu bytes, the file %u", size, big_endian(frame));
	if (crc32(crc32(0, NULL, 0), frame + 4, (uInt) size) != big_endian(frame + 4 + size))
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "wrong checksum");
	return true;
}

static bool
read_frame(Storage *storage, const char *path, uint64_t offset, size_t size, uint8_t *bytes, DeletionVector **out,
		   const IngestCancel *cancel, IngestError *error)
{
	bool is_near = offset <= NEAR_OFFSET;
	uint64_t first = is_near ? 0 : offset;
	uint8_t version;
	uint8_t *frame = bytes + (offset - first);

	if (!storage_read(storage, path, NULL, first, (size_t) (offset - first) + 4 + size + 4, bytes, cancel, error))
		return false;
	if (is_near)
		version = bytes[0];
	else if (!storage_read(storage, path, NULL, 0, 1, &version, cancel, error))
		return false;
	if (version != 1)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "unknown version %d of the file", version);
	return check_frame(frame, size, error) && deletion_vector_parse(frame + 4, size, out, error);
}

static bool
load_from_file(Storage *storage, const VectorDescriptor *descriptor, DeletionVector **out, const IngestCancel *cancel,
			   IngestError *error)
{
	/* the version byte stands at 0, so that an absent offset means the first place behind it */
	uint64_t offset = descriptor->has_offset ? (uint64_t) descriptor->offset : 1;
	size_t size = (size_t) descriptor->size;
	char *path;
	uint8_t *bytes;
	bool done;

	if (!vector_path(storage, descriptor, &path, error))
		return false;
	bytes = malloc(size + 8 + NEAR_OFFSET);
	done = bytes == NULL ? ingest_out_of_memory(error)
						 : read_frame(storage, path, offset, size, bytes, out, cancel, error);
	free(bytes);
	if (!done && error->kind == INGEST_ERROR_NOT_FOUND)
	{
		ingest_fail(error, INGEST_ERROR_GONE, "deletion vector \"%s\" is missing", path);
		ingest_hint(error, "VACUUM may have removed it while it was still needed.");
	}
	else if (!done)
		ingest_context(error, "deletion vector \"%s\"", path);
	free(path);
	return done;
}

static bool
load_inline(const VectorDescriptor *descriptor, DeletionVector **out, IngestError *error)
{
	Span text = descriptor->path_or_inline;
	uint8_t *bytes = malloc(text.length / 5 * 4 + 1);
	size_t length;
	bool done;

	if (bytes == NULL)
		return ingest_out_of_memory(error);
	done = z85_decode(text, bytes, &length, error);
	/* the text may be padded to whole words */
	if (done && ((size_t) descriptor->size > length || length - (size_t) descriptor->size >= 4))
		done = ingest_fail(error, INGEST_ERROR_CORRUPT, "the log says %lld bytes, the text holds %zu",
						   (long long) descriptor->size, length);
	done = done && deletion_vector_parse(bytes, (size_t) descriptor->size, out, error);
	free(bytes);
	return done || ingest_context(error, "inline deletion vector");
}

bool
deletion_vector_load(Storage *storage, const VectorDescriptor *descriptor, int64_t row_count, DeletionVector **out,
					 const IngestCancel *cancel, IngestError *error)
{
	/* no container is larger than one of 65,536 single-row runs, and there is one for 65,536 rows */
	uint64_t largest = 64 + ((uint64_t) row_count / 65536 + 1) * (65536 * 4 + 64);
	uint64_t cardinality;

	*out = NULL;
	if ((uint64_t) descriptor->size > largest || descriptor->size > INT32_MAX)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "a deletion vector of %lld bytes for a file of %lld rows",
						   (long long) descriptor->size, (long long) row_count);
	if (descriptor->storage_type == 'i' ? !load_inline(descriptor, out, error)
										: !load_from_file(storage, descriptor, out, cancel, error))
		return false;
	cardinality = deletion_vector_cardinality(*out);
	if (cardinality == (uint64_t) descriptor->cardinality &&
		(cardinality == 0 || deletion_vector_last(*out) < (uint64_t) row_count))
		return true;
	if (cardinality != (uint64_t) descriptor->cardinality)
		ingest_fail(error, INGEST_ERROR_CORRUPT, "a deletion vector has %llu rows, the log says %lld",
					(unsigned long long) cardinality, (long long) descriptor->cardinality);
	else
		ingest_fail(error, INGEST_ERROR_CORRUPT, "a deletion vector names row %llu of a file of %lld rows",
					(unsigned long long) deletion_vector_last(*out), (long long) row_count);
	deletion_vector_free(*out);
	*out = NULL;
	return false;
}
