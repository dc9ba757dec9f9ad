/*-------------------------------------------------------------------------
 *
 * retry.c
 *	  When to try a call again: transient errors only, with exponential back-off.
 *
 * The pause doubles from backoff_first_ms to backoff_most_ms; half of it is random,
 * or readers that failed together would come back together.  A call gives up after
 * max_retries failures, or retry_timeout_ms, without progress; a large read over a bad
 * line may fail as often as it likes while it gets on.
 *
 * Pauses are slept in steps of at most 50 ms, between which the cancel is polled.
 *
 *-------------------------------------------------------------------------
 */
#include <sys/random.h>
#include <time.h>

#include "storage/retry.h"

#define SLEEP_STEP_MS 50

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void
retry_begin(Retry *retry)
{
	retry->since_ms = now_ms();
	retry->progress = 0;
	retry->attempts = 0;
}

/* The caller's error stays as it is: it gets its context when the call ends. */
static void
tell(const Retry *retry, const IngestError *error, int64_t pause)
{
	const Storage *storage = retry->storage;
	IngestError told = *error;

	if (storage->retrying == NULL)
		return;
	(void) retry->context(storage, retry->doing, retry->key, &told);
	storage->retrying(storage->retrying_state, &told, retry->attempts, pause);
}

static int64_t
pause_ms(const StorageConfig *config, int attempts, int64_t wait_hint_ms)
{
	int64_t pause = config->backoff_first_ms;
	uint32_t random = 0;

	for (int i = 1; i < attempts && pause < config->backoff_most_ms; i++)
		pause *= 2;
	if (pause > config->backoff_most_ms)
		pause = config->backoff_most_ms;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) == sizeof(random))
		pause = pause / 2 + (int64_t) (random % (uint64_t) (pause / 2 + 1));
	if (wait_hint_ms > config->backoff_most_ms)
		wait_hint_ms = config->backoff_most_ms;
	return pause > wait_hint_ms ? pause : wait_hint_ms;
}

static bool
sleep_until(int64_t until_ms, const IngestCancel *cancel, IngestError *error)
{
	for (int64_t left; (left = until_ms - now_ms()) > 0;)
	{
		struct timespec step = {.tv_nsec = (left < SLEEP_STEP_MS ? left : SLEEP_STEP_MS) * 1000000};

		if (ingest_cancelled(cancel))
			return ingest_fail(error, INGEST_ERROR_CANCELLED, "cancelled");
		nanosleep(&step, NULL);
	}
	return true;
}

bool
retry_wait(Retry *retry, uint64_t progress, int64_t wait_hint_ms, IngestError *error)
{
	const StorageConfig *config = &retry->storage->config;
	int64_t pause;

	if (error->kind != INGEST_ERROR_TRANSIENT)
		return false;
	if (progress > retry->progress)
	{
		retry->progress = progress;
		retry->attempts = 0;
		retry->since_ms = now_ms();
	}
	if (retry->attempts >= config->max_retries || now_ms() - retry->since_ms > config->retry_timeout_ms)
		return retry->attempts > 0 && ingest_context(error, "after %d retries", retry->attempts);
	retry->attempts++;
	pause = pause_ms(config, retry->attempts, wait_hint_ms);
	tell(retry, error, pause);
	return sleep_until(now_ms() + pause, retry->cancel, error);
}
