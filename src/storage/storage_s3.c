#include "storage/storage_internal.h"
bool
storage_s3_open(const char *location, const StorageConfig *config, Storage **out, IngestError *error)
{
	(void) location;
	(void) config;
	(void) out;
	return ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "s3: is not supported yet");
}
