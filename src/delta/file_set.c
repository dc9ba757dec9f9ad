/*-------------------------------------------------------------------------
 *
 * file_set.c
 *	  Files by key: those that a replay has decided about, those that are live.
 *
 * A log may name tens of millions of files, so the set keeps 24 bytes an entry: a
 * 128-bit hash (MurmurHash3, x64) in place of the key, and a number (what decided it, or
 * where the file is).  Two keys of one hash would lose a file; at 10^9 files the chance of that
 * is 10^-21, far below that of a memory error.
 *
 * Open addressing with linear probing, at most two thirds full.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

typedef struct FileSetEntry
{
	uint64_t hash[2]; /* both 0: free */
	int64_t number;
} FileSetEntry;

struct FileSet
{
	size_t capacity; /* a power of two */
	size_t count;
	FileSetEntry *entries;
};

static inline uint64_t
rotate_left(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

static inline uint64_t
final_mix(uint64_t value)
{
	value ^= value >> 33;
	value *= UINT64_C(0xff51afd7ed558ccd);
	value ^= value >> 33;
	value *= UINT64_C(0xc4ceb9fe1a85ec53);
	return value ^ value >> 33;
}

static const uint64_t first_factor = UINT64_C(0x87c37b91114253d5);
static const uint64_t second_factor = UINT64_C(0x4cf5ad432745937f);

static void
hash_key(const char *data, size_t length, uint64_t hash[2])
{
	uint64_t one = 0;
	uint64_t two = 0;
	uint64_t words[2];
	size_t at = 0;

	for (; length - at >= 16; at += 16)
	{
		memcpy(words, data + at, 16);
		one ^= rotate_left(words[0] * first_factor, 31) * second_factor;
		one = (rotate_left(one, 27) + two) * 5 + 0x52dce729;
		two ^= rotate_left(words[1] * second_factor, 33) * first_factor;
		two = (rotate_left(two, 31) + one) * 5 + 0x38495ab5;
	}
	memset(words, 0, sizeof(words));
	memcpy(words, data + at, length - at);
	two ^= rotate_left(words[1] * second_factor, 33) * first_factor;
	one ^= rotate_left(words[0] * first_factor, 31) * second_factor;
	one ^= length;
	two ^= length;
	one += two;
	two += one;
	one = final_mix(one);
	two = final_mix(two);
	one += two;
	two += one;
	hash[0] = one;
	hash[1] = one == 0 && two == 0 ? 1 : two;
}

FileSet *
file_set_create(void)
{
	FileSet *set = calloc(1, sizeof(FileSet));

	if (set == NULL)
		return NULL;
	set->capacity = 1024;
	set->entries = calloc(set->capacity, sizeof(FileSetEntry));
	if (set->entries == NULL)
	{
		free(set);
		return NULL;
	}
	return set;
}

void
file_set_free(FileSet *set)
{
	if (set == NULL)
		return;
	free(set->entries);
	free(set);
}

/* The entry of this hash, or the free one where it belongs. */
static FileSetEntry *
find_entry(const FileSet *set, const uint64_t hash[2])
{
	size_t at = hash[0] & (set->capacity - 1);

	while ((set->entries[at].hash[0] | set->entries[at].hash[1]) != 0 &&
		   (set->entries[at].hash[0] != hash[0] || set->entries[at].hash[1] != hash[1]))
		at = (at + 1) & (set->capacity - 1);
	return &set->entries[at];
}

static bool
grow(FileSet *set)
{
	FileSet larger = {.capacity = set->capacity * 2, .count = set->count};

	larger.entries = calloc(larger.capacity, sizeof(FileSetEntry));
	if (larger.entries == NULL)
		return false;
	for (size_t i = 0; i < set->capacity; i++)
		if ((set->entries[i].hash[0] | set->entries[i].hash[1]) != 0)
			*find_entry(&larger, set->entries[i].hash) = set->entries[i];
	free(set->entries);
	*set = larger;
	return true;
}

bool
file_set_get(const FileSet *set, const char *key, size_t length, int64_t *number)
{
	uint64_t hash[2];
	const FileSetEntry *entry;

	if (set->count == 0)
		return false;
	hash_key(key, length, hash);
	entry = find_entry(set, hash);
	*number = entry->number;
	return (entry->hash[0] | entry->hash[1]) != 0;
}

bool
file_set_contains(const FileSet *set, const char *key, size_t length)
{
	int64_t ignored;

	return file_set_get(set, key, length, &ignored);
}

int64_t *
file_set_put(FileSet *set, const char *key, size_t length, bool *is_new)
{
	uint64_t hash[2];
	FileSetEntry *entry;

	if (set->count + 1 > set->capacity / 3 * 2 && !grow(set))
		return NULL;
	hash_key(key, length, hash);
	entry = find_entry(set, hash);
	*is_new = (entry->hash[0] | entry->hash[1]) == 0;
	if (*is_new)
	{
		memcpy(entry->hash, hash, sizeof(hash));
		set->count++;
	}
	return &entry->number;
}
