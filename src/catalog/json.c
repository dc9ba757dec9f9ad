/*-------------------------------------------------------------------------
 *
 * json.c
 *	  What this room does with jsonb: merge patches, and to and from text.
 *
 * Contract.  Nothing is changed in place; results are palloc'ed.  Numbers keep their digits,
 * because jsonb holds them as numeric.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog_internal.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* The text of a jsonb value. */
char *
catalog_json_text(const Jsonb *value)
{
	return JsonbToCString(NULL, unconstify(JsonbContainer *, &value->root), VARSIZE(value));
}

/* A jsonb value from text; raises the server's own error for what is not JSON. */
Jsonb *
catalog_json_parse(const char *text)
{
	return DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
}

/* The member of a top-level object, or null. */
JsonbValue *
catalog_json_get(const Jsonb *object, const char *key)
{
	if (!JB_ROOT_IS_OBJECT(object))
		return NULL;
	return getKeyJsonValueFromContainer(unconstify(JsonbContainer *, &object->root), key, strlen(key), NULL);
}

static bool
is_object(const JsonbValue *value)
{
	return value != NULL && value->type == jbvBinary && JsonContainerIsObject(value->val.binary.data);
}

/* A whole document as a value, also where it is a scalar. */
static JsonbValue *
root_value(const Jsonb *document)
{
	JsonbValue *value = palloc(sizeof(JsonbValue));

	if (JB_ROOT_IS_SCALAR(document))
	{
		JsonbExtractScalar(unconstify(JsonbContainer *, &document->root), value);
		return value;
	}
	value->type = jbvBinary;
	value->val.binary.data = unconstify(JsonbContainer *, &document->root);
	value->val.binary.len = VARSIZE_ANY_EXHDR(document);
	return value;
}

static JsonbValue *
member(const JsonbValue *object, const JsonbValue *key)
{
	if (!is_object(object))
		return NULL;
	return getKeyJsonValueFromContainer(object->val.binary.data, key->val.string.val, key->val.string.len, NULL);
}

static JsonbValue *merge(const JsonbValue *target, const JsonbValue *patch);

static void
push_member(JsonbParseState **state, JsonbValue *key, JsonbValue *value)
{
	(void) pushJsonbValue(state, WJB_KEY, key);
	(void) pushJsonbValue(state, WJB_VALUE, value);
}

/* Each member of "source"; those of the target that the patch does not name, or those of the patch. */
static void
merge_members(JsonbParseState **state, const JsonbValue *source, const JsonbValue *target, const JsonbValue *patch)
{
	JsonbIterator *iterator = JsonbIteratorInit(source->val.binary.data);
	JsonbIteratorToken token;
	JsonbValue key;
	JsonbValue value;

	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &key, true)) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (source == target && member(patch, &key) == NULL)
			push_member(state, &key, &value);
		else if (source == patch && value.type != jbvNull)
			push_member(state, &key, merge(member(target, &key), &value));
	}
}

/* RFC 7396, section 2; "target" is null where there is none. */
static JsonbValue *
merge(const JsonbValue *target, const JsonbValue *patch)
{
	JsonbParseState *state = NULL;
	JsonbValue *built;

	check_stack_depth();
	if (!is_object(patch))
		return unconstify(JsonbValue *, patch);
	(void) pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
	if (is_object(target))
		merge_members(&state, target, target, patch);
	merge_members(&state, patch, target, patch);
	built = pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	return root_value(JsonbValueToJsonb(built));
}

Jsonb *
catalog_json_merge(const Jsonb *target, const Jsonb *patch)
{
	return JsonbValueToJsonb(merge(root_value(target), root_value(patch)));
}
