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

/*
 * What is larger is mapped by itself and goes back to the system when it is freed.  Left alone, glibc raises this bound
 * to the largest block that was ever freed, 32 MB at most, and batches and pages then leave holes in the heaps, which
 * double a worker's memory.
 */
#define MAPPED_FROM (1 << 20)

/* On the main thread, before any thread exists. */
void
source_initialize(void)
{
	mallopt(M_ARENA_MAX, MAX_HEAPS);
	mallopt(M_MMAP_THRESHOLD, MAPPED_FROM);
	storage_initialize();
}
