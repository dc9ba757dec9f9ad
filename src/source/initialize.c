/*-------------------------------------------------------------------------
 *
 * initialize.c
 *	  What has to happen once per process before the first source starts.
 *
 *-------------------------------------------------------------------------
 */
#include <malloc.h>

#include "source/source_internal.h"
#include "storage/storage.h"

/*
 * glibc gives each thread a heap of its own and hands little of it back.  Batches are filled on one thread
 * and freed on another, so a heap a thread would only multiply what lies about unused; two serve
 * the few threads of a worker as fast, and keep it below its memory bound.
 */
#define MAX_HEAPS 2

/* On the main thread, before any thread exists. */
void
source_initialize(void)
{
	mallopt(M_ARENA_MAX, MAX_HEAPS);
	storage_initialize();
}
