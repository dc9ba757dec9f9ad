/*-------------------------------------------------------------------------
 *
 * labels.c
 *	  Is the net of labels and start_after sound?  Checked before a declaring
 *	  transaction commits.
 *
 * Contract.  Reads all connectors that carry or wait for a label under one snapshot that the caller's
 * lock makes the last word, and raises 22023 where
 *
 *	1. a connector declared or altered here waits for a label that nobody carries
 *	2. a label was taken away for the last time and somebody unreleased waits for it
 *	3. somebody unreleased waits for a label one of whose carriers can never complete
 *	4. labels and start_after form a cycle through a connector declared or altered here
 *
 * A gate that is open is never looked at again, so rules 1 to 3 pass over released connectors.  Rule 4 does not:
 * a cycle is a mistake also where history happened to open it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog_internal.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

typedef struct LabelNode
{
	int64 connector_id;
	char *name;
	List *labels;
	List *start_after;
	bool released;
	bool completes; /* can complete, or has */
	bool touched;
	enum
	{
		UNSEEN,
		ON_PATH,
		DONE
	} visit;
	int previous;       /* on the path: the node that waits for this one, -1 at its begin */
	char *waited_label; /* ... and for which label */
} LabelNode;

typedef struct LabelGraph
{
	int count;
	LabelNode *nodes;
} LabelGraph;

static bool
list_has(List *labels, const char *label)
{
	for (int i = 0; i < list_length(labels); i++)
	{
		if (strcmp(list_nth(labels, i), label) == 0)
			return true;
	}
	return false;
}

static bool
is_touched(List *touched, int64 connector_id)
{
	for (int i = 0; i < list_length(touched); i++)
	{
		if (*(int64 *) list_nth(touched, i) == connector_id)
			return true;
	}
	return false;
}

/* Inside a session. */
static LabelGraph
read_graph(List *touched)
{
	static CatalogQuery query = {
		.sql = "SELECT c.connector_id, c.name, c.labels, c.start_after, c.released_at IS NOT NULL, "
			   "c.completes_backfill OR p.backfill_completed_at IS NOT NULL "
			   "FROM feldera.connector c JOIN feldera.progress p USING (connector_id) "
			   "WHERE c.labels <> '{}' OR c.start_after <> '{}' ORDER BY c.name",
	};
	LabelGraph graph;

	PushActiveSnapshot(GetLatestSnapshot());
	graph.count = (int) catalog_execute_with_active_snapshot(&query);
	PopActiveSnapshot();
	graph.nodes = palloc0(sizeof(LabelNode) * Max(graph.count, 1));
	for (int i = 0; i < graph.count; i++)
	{
		LabelNode *node = &graph.nodes[i];

		node->connector_id = catalog_column_int64(i, 1, 0);
		node->name = catalog_column_text(i, 2, CurrentMemoryContext);
		node->labels = catalog_column_text_list(i, 3, CurrentMemoryContext);
		node->start_after = catalog_column_text_list(i, 4, CurrentMemoryContext);
		node->released = catalog_column_bool(i, 5);
		node->completes = catalog_column_bool(i, 6);
		node->touched = is_touched(touched, node->connector_id);
	}
	return graph;
}

static bool
is_carried(const LabelGraph *graph, const char *label)
{
	for (int i = 0; i < graph->count; i++)
	{
		if (list_has(graph->nodes[i].labels, label))
			return true;
	}
	return false;
}

/* "Known labels are a, b." */
static char *
known_labels(const LabelGraph *graph)
{
	StringInfoData text;
	List *seen = NIL;

	initStringInfo(&text);
	for (int i = 0; i < graph->count; i++)
	{
		for (int k = 0; k < list_length(graph->nodes[i].labels); k++)
		{
			char *label = list_nth(graph->nodes[i].labels, k);

			if (list_has(seen, label))
				continue;
			appendStringInfo(&text, "%s%s", seen == NIL ? "Known labels are " : ", ", label);
			seen = lappend(seen, label);
		}
	}
	if (seen == NIL)
		return pstrdup("No connector carries a label.");
	appendStringInfoChar(&text, '.');
	return text.data;
}

/* Rules 1 and 2. */
static void
check_carried(const LabelGraph *graph, const LabelNode *waiter, const char *label, List *labels_taken)
{
	if (is_carried(graph, label))
		return;
	if (waiter->touched)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("connector \"%s\": $.start_after: unknown label \"%s\"", waiter->name, label),
						errhint("%s", known_labels(graph))));
	if (list_has(labels_taken, label))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("the last carrier of label \"%s\" cannot be taken away", label),
						errdetail("Connector \"%s\" waits for this label.", waiter->name),
						errhint("Start it with skip_start_after => true, or change its start_after, before.")));
}

/* Rule 3. */
static void
check_can_complete(const LabelGraph *graph, const LabelNode *waiter, const char *label)
{
	for (int i = 0; i < graph->count; i++)
	{
		const LabelNode *carrier = &graph->nodes[i];

		if (carrier->completes || !list_has(carrier->labels, label) || (!carrier->touched && !waiter->touched))
			continue;
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("connector \"%s\" waits for label \"%s\", which connector \"%s\" can never complete",
						waiter->name, label, carrier->name),
				 errhint("A backfill ends with enable.partition.eof for Kafka, a limit in each plan for datagen, "
						 "and end_version for a followed Delta table.")));
	}
}

/* ---- rule 4 ------------------------------------------------------------------------------ */

/* The cycle that ends at "last" and closes at "first", in Feldera's words. */
pg_noreturn static void
report_cycle(const LabelGraph *graph, int first, int last, const char *closing_label)
{
	StringInfoData text;
	List *path = NIL;
	const char *own_label;

	for (int node = last; node != first; node = graph->nodes[node].previous)
		path = lcons_int(node, path);
	own_label = closing_label;
	initStringInfo(&text);
	appendStringInfo(&text, "endpoint '%s' with label '%s'", graph->nodes[first].name, own_label);
	for (int i = 0; i < list_length(path); i++)
	{
		const LabelNode *node = &graph->nodes[list_nth_int(path, i)];

		appendStringInfo(&text, "%s waits for endpoint '%s' with label '%s'", i > 0 ? ", which" : "", node->name,
						 node->waited_label);
	}
	appendStringInfo(&text, "%s waits for endpoint '%s' with label '%s'", path != NIL ? ", which" : "",
					 graph->nodes[first].name, closing_label);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("cyclic 'start_after' dependency detected: %s", text.data)));
	pg_unreachable();
}

/* Depth first along "waits for". */
static void
find_cycle(LabelGraph *graph, int at)
{
	LabelNode *node = &graph->nodes[at];

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	node->visit = ON_PATH;
	for (int k = 0; k < list_length(node->start_after); k++)
	{
		char *label = list_nth(node->start_after, k);

		for (int i = 0; i < graph->count; i++)
		{
			LabelNode *carrier = &graph->nodes[i];

			if (carrier->visit == DONE || !list_has(carrier->labels, label))
				continue;
			if (carrier->visit == ON_PATH)
				report_cycle(graph, i, at, label);
			carrier->previous = at;
			carrier->waited_label = label;
			find_cycle(graph, i);
		}
	}
	node->visit = DONE;
}

/* ---- the check -------------------------------------------------------------------------------- */

/* A wait is told once, when it begins. */
static void
log_wait(const LabelNode *waiter)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int k = 0; k < list_length(waiter->start_after); k++)
		appendStringInfo(&text, "%s%s", k > 0 ? ", " : "", (char *) list_nth(waiter->start_after, k));
	ereport(LOG, (errmsg("connector \"%s\" waits for %s", waiter->name, text.data), errhidecontext(true),
				  errhidestmt(true)));
}

static void
check_waiter(const LabelGraph *graph, const LabelNode *waiter, List *labels_taken)
{
	for (int k = 0; k < list_length(waiter->start_after); k++)
	{
		const char *label = list_nth(waiter->start_after, k);

		check_carried(graph, waiter, label, labels_taken);
		check_can_complete(graph, waiter, label);
	}
}

void
labels_check(List *touched, List *labels_taken)
{
	CatalogSession session;
	LabelGraph graph;

	if (!OidIsValid(catalog_extension_oid(NULL)))
		return; /* dropped in this very transaction */
	catalog_session_begin(&session);
	graph = read_graph(touched);
	for (int i = 0; i < graph.count; i++)
	{
		if (graph.nodes[i].touched && graph.nodes[i].visit == UNSEEN)
			find_cycle(&graph, i);
	}
	for (int i = 0; i < graph.count; i++)
	{
		if (!graph.nodes[i].released)
			check_waiter(&graph, &graph.nodes[i], labels_taken);
	}
	for (int i = 0; i < graph.count; i++)
	{
		if (!graph.nodes[i].released && graph.nodes[i].touched)
			log_wait(&graph.nodes[i]);
	}
	catalog_session_end(&session);
}
