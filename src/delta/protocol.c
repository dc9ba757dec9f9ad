/*-------------------------------------------------------------------------
 *
 * protocol.c
 *	  The protocol gate: may this reader read a table of this protocol at all?
 *
 * Readable: minReaderVersion up to 3, and at 3 every name in readerFeatures is in the
 * table below.  Writer version and writerFeatures never matter, but for column mapping,
 * which some writers list there only.  Names are case-sensitive.
 *
 *-------------------------------------------------------------------------
 */
#include "delta/delta_internal.h"

#include <stdio.h>
#include <string.h>

#define MAX_READER_VERSION 3

static const char *const supported_features[] = {
	"columnMapping",    "deletionVectors",
	"timestampNtz",     "timestampWithoutTimezone", /* the same under an older name */
	"typeWidening",     "typeWidening-preview",
	"v2Checkpoint",     "vacuumProtocolCheck", /* nothing to do for a reader */
	"variantType",      "variantType-preview",
	"variantShredding", "variantShredding-preview",
};

/* The newest commits of these tables are known to a catalog only. */
static const char *const catalog_features[] = {"catalogManaged", "catalogOwned", "catalogOwned-preview"};

static bool
is_in(const char *name, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], name) == 0)
			return true;
	return false;
}

static bool
list_has(const JsonValue *list, const char *name)
{
	if (list == NULL || list->type != JSON_TYPE_ARRAY)
		return false;
	for (size_t i = 0; i < list->count; i++)
		if (list->elements[i]->type == JSON_TYPE_STRING && strcmp(list->elements[i]->text.data, name) == 0)
			return true;
	return false;
}

/* Gather the names that are not supported; false (error filled) where there is one. */
static bool
check_features(const JsonValue *features, IngestError *error)
{
	char unsupported[512] = "";
	bool managed = false;

	for (size_t i = 0; i < features->count; i++)
	{
		const JsonValue *feature = features->elements[i];
		size_t length = strlen(unsupported);

		if (feature->type != JSON_TYPE_STRING)
			return ingest_fail(error, INGEST_ERROR_CORRUPT, "readerFeatures holds something that is not a string");
		if (is_in(feature->text.data, supported_features, sizeof(supported_features) / sizeof(char *)))
			continue;
		managed = managed || is_in(feature->text.data, catalog_features, sizeof(catalog_features) / sizeof(char *));
		snprintf(unsupported + length, sizeof(unsupported) - length, "%s\"%s\"", length > 0 ? ", " : "",
				 feature->text.data);
	}
	if (unsupported[0] == '\0')
		return true;
	ingest_fail(error, INGEST_ERROR_UNSUPPORTED, "the table needs reader features that are not supported: %s",
				unsupported);
	if (managed)
		return ingest_hint(error, "The newest commits of a catalog-managed table are known to its catalog only.");
	return false;
}

bool
delta_protocol_check(const JsonValue *protocol, bool *mapping_supported, IngestError *error)
{
	const JsonValue *reader_features = json_get(protocol, "readerFeatures");
	int64_t version;

	if (!json_to_int64(json_get(protocol, "minReaderVersion"), &version) || version < 0)
		return ingest_fail(error, INGEST_ERROR_CORRUPT, "the protocol action has no valid minReaderVersion");
	if (version > MAX_READER_VERSION)
		return ingest_fail(error, INGEST_ERROR_UNSUPPORTED,
						   "the table needs Delta reader version %lld, supported are versions up to %d",
						   (long long) version, MAX_READER_VERSION);
	if (reader_features != NULL && reader_features->type != JSON_TYPE_ARRAY)
		reader_features = NULL;
	if (version == 3 && reader_features == NULL)
		return ingest_fail(error, INGEST_ERROR_CORRUPT,
						   "the protocol action has reader version 3 but no readerFeatures");
	if (version == 3 && !check_features(reader_features, error))
		return false;
	*mapping_supported =
		version == 2 || (version == 3 && (list_has(reader_features, "columnMapping") ||
										  list_has(json_get(protocol, "writerFeatures"), "columnMapping")));
	return true;
}
