/* Lists, maps and structs: the forms they are written in, and levels that do not fit together. */
#include "unit/parquet_writer.h"

#define GROUP(name, repetition, children, converted)                                                                   \
	{                                                                                                                  \
		name, -1, repetition, children, converted, 0, 0, 0                                                             \
	}
#define INT32(name, repetition)                                                                                        \
	{                                                                                                                  \
		name, 1, repetition, 0, -1, 0, 0, 0                                                                            \
	}

enum
{
	REQUIRED,
	OPTIONAL,
	REPEATED
};
enum
{
	NONE = -1,
	MAP = 1,
	MAP_KEY_VALUE = 2,
	LIST = 3
};

typedef struct Leaf
{
	const char *repetitions;
	const char *definitions;
	int value_count;
	int first_value; /* the values count up from it */
} Leaf;

/* One row group with one page a leaf; "split" > 0: the page is cut in two before that entry. */
static Bytes
nested_file(const ElementSpec *elements, int element_count, const Leaf *leaves, int leaf_count, int64_t rows, int split)
{
	ChunkSpec chunks[4] = {0};

	for (int i = 0; i < leaf_count; i++)
	{
		const char *levels = leaves[i].definitions ? leaves[i].definitions : leaves[i].repetitions;
		int entries = levels ? (int) strlen(levels) : leaves[i].value_count;
		int values = 0;
		char parts[2][2][64] = {0};

		chunks[i] = (ChunkSpec){.type = 1, .value_count = entries};
		for (int part = 0; part < 2; part++)
		{
			int from = part == 0 ? 0 : split;
			int to = part == 0 && split > 0 ? split : entries;
			Bytes page = {0};
			int highest = 0;

			if (part == 1 && split == 0)
				break;
			for (int k = 0; leaves[i].definitions && k < entries; k++)
				highest = leaves[i].definitions[k] > highest ? leaves[i].definitions[k] : highest;
			for (int k = from; k < to; k++)
			{
				if (leaves[i].repetitions)
					parts[part][0][k - from] = leaves[i].repetitions[k];
				if (leaves[i].definitions)
					parts[part][1][k - from] = leaves[i].definitions[k];
				if (values < leaves[i].value_count && (!leaves[i].definitions || leaves[i].definitions[k] == highest))
					put_int32(&page, leaves[i].first_value + values++);
			}
			put_page(&chunks[i].pages, (PageSpec){.value_count = to - from,
												  .repetitions = leaves[i].repetitions ? parts[part][0] : NULL,
												  .definitions = leaves[i].definitions ? parts[part][1] : NULL,
												  .values = page});
		}
	}
	return write_file(&(FileSpec){elements, element_count, chunks, leaf_count, &rows, 1});
}

#define CHECK(elements, leaves, rows, expected, name)                                                                  \
	check(elements, sizeof(elements) / sizeof((elements)[0]), leaves, sizeof(leaves) / sizeof((leaves)[0]), rows,      \
		  expected, name)

/* The rows, whatever the portions, and wherever the pages are cut. */
static void
check(const ElementSpec *elements, size_t element_count, const Leaf *leaves, size_t leaf_count, int64_t rows,
	  const char *expected, const char *name)
{
	int entries = (int) strlen(leaves[0].definitions ? leaves[0].definitions : leaves[0].repetitions);

	for (int split = 0; split < entries; split++)
	{
		Bytes file =
			nested_file(elements, (int) element_count, leaves, (int) leaf_count, rows, leaf_count == 1 ? split : 0);

		for (int most = 0; most < 3; most++)
			is_file(&file, (ReadSpec){.max_rows = most, .options = {.byte_budget = 1}}, expected, name);
		free(file.data);
	}
}

static void
list_forms(void)
{
	/* {[1,null,2]}, {[]}, {null}, {[3]} in all forms that can say so */
	static const ElementSpec three[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST),
										GROUP("list", REPEATED, 1, NONE), INT32("element", OPTIONAL)};
	static const Leaf three_leaf[] = {{"011000", "323103", 3, 1}};
	static const ElementSpec two[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST), INT32("array", REPEATED)};
	static const Leaf two_leaf[] = {{"01000", "22102", 3, 1}};
	static const ElementSpec bare[] = {GROUP("s", 0, 1, NONE), INT32("l", REPEATED)};
	static const Leaf bare_leaf[] = {{"0100", "1101", 3, 1}};
	static const ElementSpec array_group[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST),
											  GROUP("array", REPEATED, 1, NONE), INT32("x", REQUIRED)};
	static const ElementSpec tuple[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST),
										GROUP("l_tuple", REPEATED, 1, NONE), INT32("x", REQUIRED)};
	static const ElementSpec several[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST),
										  GROUP("bag", REPEATED, 2, NONE), INT32("x", REQUIRED), INT32("y", REQUIRED)};
	static const Leaf pair[] = {{"01000", "22102", 3, 1}, {"01000", "22102", 3, 7}};
	static const ElementSpec no_list[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST), INT32("x", REQUIRED)};
	static const Leaf plain[] = {{NULL, "101", 2, 1}};

	CHECK(three, three_leaf, 4, "{\"l\":[1,null,2]}\n{\"l\":[]}\n{\"l\":null}\n{\"l\":[3]}\n", "three levels");
	CHECK(two, two_leaf, 4, "{\"l\":[1,2]}\n{\"l\":[]}\n{\"l\":null}\n{\"l\":[3]}\n", "two levels");
	CHECK(bare, bare_leaf, 3, "{\"l\":[1,2]}\n{\"l\":[]}\n{\"l\":[3]}\n", "a repeated field");
	CHECK(array_group, two_leaf, 4, "{\"l\":[{\"x\":1},{\"x\":2}]}\n{\"l\":[]}\n{\"l\":null}\n{\"l\":[{\"x\":3}]}\n",
		  "a group named array is the element");
	CHECK(tuple, two_leaf, 4, "{\"l\":[{\"x\":1},{\"x\":2}]}\n{\"l\":[]}\n{\"l\":null}\n{\"l\":[{\"x\":3}]}\n",
		  "a group named like the list is the element");
	CHECK(several, pair, 4,
		  "{\"l\":[{\"x\":1,\"y\":7},{\"x\":2,\"y\":8}]}\n{\"l\":[]}\n{\"l\":null}\n{\"l\":[{\"x\":3,\"y\":9}]}\n",
		  "a group of several fields is the element");
	CHECK(no_list, plain, 3, "{\"l\":{\"x\":1}}\n{\"l\":null}\n{\"l\":{\"x\":2}}\n", "a list that is none");
}

static void
maps_and_structs(void)
{
	static const ElementSpec map[] = {GROUP("s", 0, 1, NONE), GROUP("m", OPTIONAL, 1, MAP),
									  GROUP("key_value", REPEATED, 2, NONE), INT32("key", REQUIRED),
									  INT32("value", OPTIONAL)};
	static const Leaf map_leaves[] = {{"01000", "22102", 3, 1}, {"01000", "32103", 2, 7}};
	static const ElementSpec old_map[] = {GROUP("s", 0, 1, NONE), GROUP("m", OPTIONAL, 1, MAP_KEY_VALUE),
										  GROUP("map", REPEATED, 2, MAP_KEY_VALUE), INT32("k", REQUIRED),
										  INT32("v", OPTIONAL)};
	static const ElementSpec set[] = {GROUP("s", 0, 1, NONE), GROUP("m", OPTIONAL, 1, MAP),
									  GROUP("key_value", REPEATED, 1, NONE), INT32("key", REQUIRED)};
	static const Leaf set_leaf[] = {{"0100", "2210", 2, 1}};
	static const ElementSpec nested[] = {GROUP("s", 0, 1, NONE), GROUP("a", OPTIONAL, 1, NONE),
										 GROUP("b", REQUIRED, 1, NONE), GROUP("c", OPTIONAL, 1, NONE),
										 INT32("x", OPTIONAL)};
	static const Leaf nested_leaf[] = {{NULL, "0123", 1, 5}};
	static const ElementSpec list_in_list[] = {GROUP("s", 0, 1, NONE),           GROUP("l", OPTIONAL, 1, LIST),
											   GROUP("list", REPEATED, 1, NONE), GROUP("element", OPTIONAL, 1, LIST),
											   GROUP("list", REPEATED, 1, NONE), INT32("element", OPTIONAL)};
	static const Leaf list_in_list_leaf[] = {{"021110"
											  "0"
											  "00",
											  "554"
											  "3"
											  "2"
											  "10"
											  "5"
											  "4",
											  3, 1}};
	static const char *const map_rows = "{\"m\":[{\"key\":1,\"value\":7},{\"key\":2,\"value\":null}]}\n{\"m\":[]}\n"
										"{\"m\":null}\n{\"m\":[{\"key\":3,\"value\":8}]}\n";

	CHECK(map, map_leaves, 4, map_rows, "a map");
	CHECK(old_map, map_leaves, 4, map_rows, "a map in its old form");
	CHECK(set, set_leaf, 3,
		  "{\"m\":[{\"key\":1,\"value\":null},{\"key\":2,\"value\":null}]}\n{\"m\":[]}\n{\"m\":null}\n",
		  "a map without values");
	CHECK(nested, nested_leaf, 4,
		  "{\"a\":null}\n{\"a\":{\"b\":{\"c\":null}}}\n{\"a\":{\"b\":{\"c\":{\"x\":null}}}}\n"
		  "{\"a\":{\"b\":{\"c\":{\"x\":5}}}}\n",
		  "a struct is null where its level says so");
	CHECK(list_in_list, list_in_list_leaf, 5,
		  "{\"l\":[[1,2],[null],[],null]}\n{\"l\":[]}\n{\"l\":null}\n{\"l\":[[3]]}\n{\"l\":[[null]]}\n",
		  "a list in a list");
}

static void
struct_without_its_columns(void)
{
	static const ElementSpec elements[] = {GROUP("s", 0, 1, NONE), GROUP("a", OPTIONAL, 1, NONE), INT32("x", OPTIONAL)};
	static const Leaf leaf[] = {{NULL, "021", 1, 5}};
	Bytes file = nested_file(elements, 3, leaf, 1, 3, 0);
	struct ArrowSchema a = {.format = "+s", .name = "a"};
	struct ArrowSchema *children[] = {&a};
	struct ArrowSchema projection = {.format = "+s", .n_children = 1, .children = children};

	is_file(&file, (ReadSpec){.projection = &projection}, "{\"a\":null}\n{\"a\":{}}\n{\"a\":{}}\n",
			"a struct of which no column is wanted still is null or not");
	free(file.data);
}

static void
levels_that_do_not_fit(void)
{
	static const ElementSpec pair[] = {GROUP("s", 0, 1, NONE), GROUP("l", OPTIONAL, 1, LIST),
									   GROUP("bag", REPEATED, 2, NONE), INT32("x", REQUIRED), INT32("y", REQUIRED)};
	static const Leaf other_length[] = {{"0100", "2222", 4, 1}, {"0010", "2222", 4, 1}};
	static const Leaf other_null[] = {{"00", "10", 0, 1}, {"00", "01", 0, 1}};
	static const Leaf inside[] = {{"1000", "2222", 4, 1}, {"1000", "2222", 4, 1}};
	static const Leaf above[] = {{"0100", "3222", 4, 1}, {"0100", "2222", 4, 1}};
	static const ElementSpec two_columns[] = {GROUP("s", 0, 1, NONE), GROUP("a", OPTIONAL, 2, NONE),
											  INT32("x", OPTIONAL), INT32("y", OPTIONAL)};
	static const Leaf struct_differs[] = {{NULL, "201", 1, 1}, {NULL, "210", 1, 1}};
	Bytes file = nested_file(pair, 5, other_length, 2, 3, 0);

	is_refused(&file, (ReadSpec){0}, "do not agree", "lists of other lengths in two columns");
	free(file.data);
	file = nested_file(pair, 5, other_null, 2, 2, 0);
	is_refused(&file, (ReadSpec){0}, "do not agree", "a list null in one column only");
	free(file.data);
	file = nested_file(pair, 5, inside, 2, 3, 0);
	is_refused(&file, (ReadSpec){0}, "starts inside a row", "a chunk that starts inside a row");
	free(file.data);
	file = nested_file(pair, 5, above, 2, 3, 0);
	is_refused(&file, (ReadSpec){0}, "level 3 above the maximum of 2", "a level above the maximum");
	free(file.data);
	file = nested_file(two_columns, 4, struct_differs, 2, 3, 0);
	is_refused(&file, (ReadSpec){0}, "do not agree", "a struct null in one column only");
	free(file.data);
}

static void
schemas(void)
{
	static const ElementSpec lacking[] = {GROUP("s", 0, 3, NONE), INT32("x", REQUIRED)};
	static const ElementSpec beyond[] = {GROUP("s", 0, 0, NONE), INT32("x", REQUIRED)};
	static const ElementSpec empty_group[] = {GROUP("s", 0, 2, NONE), GROUP("a", OPTIONAL, 0, NONE),
											  INT32("x", OPTIONAL)};
	static const Leaf leaf[] = {{NULL, "10", 1, 5}};
	ElementSpec deep[200];
	Bytes file = nested_file(lacking, 2, leaf, 1, 2, 0);

	is_refused(&file, (ReadSpec){0}, "lacks children", "a tree that ends early");
	free(file.data);
	file = nested_file(beyond, 2, leaf, 1, 2, 0);
	is_refused(&file, (ReadSpec){0}, "behind the end of its tree", "elements behind the tree");
	free(file.data);
	file = nested_file(empty_group, 3, leaf, 1, 2, 0);
	is_file(&file, (ReadSpec){0}, "{\"x\":5}\n{\"x\":null}\n", "a group without a leaf is no column");
	free(file.data);
	for (int i = 0; i < 199; i++)
		deep[i] = (ElementSpec) GROUP("g", REPEATED, 1, NONE);
	deep[199] = (ElementSpec) INT32("x", OPTIONAL);
	file = nested_file(deep, 200, leaf, 1, 2, 0);
	is_refused(&file, (ReadSpec){0}, "more than 100 deep", "a tree without an end");
	free(file.data);
	file = nested_file(empty_group, 3, leaf, 0, 2, 0);
	is_refused(&file, (ReadSpec){0}, "0 column chunks for 1 columns", "a column without a chunk");
	free(file.data);
}

int
main(void)
{
	list_forms();
	maps_and_structs();
	struct_without_its_columns();
	levels_that_do_not_fit();
	schemas();
	return done_testing();
}
