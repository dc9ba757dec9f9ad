/*-------------------------------------------------------------------------
 *
 * object_input.c
 *	  An object of the storage as what parquet/ reads from.
 *
 * Size and ETag are asked for once; every later read holds on to that ETag, so that a
 * file replaced in the middle is an error and not a mixture.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdlib.h>
#include <string.h>

static bool
read_object(void *state, uint64_t offset, size_t length, void *out, IngestError *error)
{
	ObjectInput *object = state;

	return storage_read(object->storage, object->path, object->etag, offset, length, out, object->cancel, error);
}

bool
object_input_open(ObjectInput *object, Storage *storage, char *path, ParquetInput *input, const IngestCancel *cancel,
				  IngestError *error)
{
	StorageObject head;

	memset(object, 0, sizeof(*object));
	object->storage = storage;
	object->path = path;
	object->cancel = cancel;
	if (!storage_head(storage, path, &head, cancel, error))
		return false;
	memcpy(object->etag, head.etag, sizeof(object->etag));
	memset(input, 0, sizeof(*input));
	input->read = read_object;
	input->state = object;
	input->size = head.size;
	storage_object_clear(&head);
	return true;
}

void
object_input_close(ObjectInput *object)
{
	free(object->path);
	object->path = NULL;
}
