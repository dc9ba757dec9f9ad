/*-------------------------------------------------------------------------
 *
 * datagen_random.c
 *	  The random numbers of one row, and the distributions drawn from them.
 *
 * The generator is SplitMix64, begun for each row from a mix of seed and row number.  So a
 * row's content depends on nothing else: not on batches, restarts or threads.
 *
 * Zipf ranks are drawn by rejection-inversion (W. Hörmann, G. Derflinger: Rejection-inversion to
 * generate variates from monotone discrete distributions, 1996), which needs no table and so takes
 * any number of ranks.  The hat is h(x) = x^-exponent; H is its integral, anchored at H(1) = 0.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>

#include "source/datagen_internal.h"

/* ---- the generator --------------------------------------------------------- */

static uint64_t
mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

/* Consecutive rows must not be shifted copies of one sequence, so the sum is mixed first. */
void
random_begin_row(DatagenRandom *random, uint64_t seed, int64_t row)
{
	random->state = mix(seed + (uint64_t) row + UINT64_C(0x9e3779b97f4a7c15));
}

uint64_t
random_next(DatagenRandom *random)
{
	random->state += UINT64_C(0x9e3779b97f4a7c15);
	return mix(random->state);
}

/* Without bias: draws from the incomplete last stretch are drawn again. */
static uint64_t
below64(DatagenRandom *random, uint64_t count)
{
	uint64_t rest = (0 - count) % count;
	WideUnsigned product;

	do
		product = (WideUnsigned) random_next(random) * count;
	while ((uint64_t) product < rest);
	return (uint64_t) (product >> 64);
}

/* Uniform in [0, count); count > 0. */
WideUnsigned
random_below(DatagenRandom *random, WideUnsigned count)
{
	WideUnsigned rest;
	WideUnsigned drawn;

	if (count <= UINT64_MAX)
		return below64(random, (uint64_t) count);
	rest = (0 - count) % count;
	do
		drawn = ((WideUnsigned) random_next(random) << 64) | random_next(random);
	while (drawn < rest);
	return drawn % count;
}

/* In [0, 1), with 53 bits. */
double
random_unit(DatagenRandom *random)
{
	return (double) (random_next(random) >> 11) * 0x1.0p-53;
}

/* ---- zipf ------------------------------------------------------------------ */

/* (exp(x) - 1) / x and log(1 + x) / x, good near 0 */
static double
exp_minus_one_ratio(double x)
{
	return fabs(x) > 1e-8 ? expm1(x) / x : 1 + x / 2 * (1 + x / 3);
}

static double
log_plus_one_ratio(double x)
{
	return fabs(x) > 1e-8 ? log1p(x) / x : 1 - x * (0.5 - x / 3);
}

static double
integral(const Zipf *zipf, double x)
{
	double logarithm = log(x);

	return exp_minus_one_ratio((1 - zipf->exponent) * logarithm) * logarithm;
}

static double
integral_inverse(const Zipf *zipf, double x)
{
	double t = x * (1 - zipf->exponent);

	if (t < -1)
		t = -1; /* beyond the last rank by rounding */
	return exp(log_plus_one_ratio(t) * x);
}

static double
hat(const Zipf *zipf, double x)
{
	return exp(-zipf->exponent * log(x));
}

/* "count" ranks, at least one; exponent 0 is uniform. */
void
zipf_init(Zipf *zipf, uint64_t count, int64_t exponent)
{
	zipf->count = count;
	zipf->exponent = (double) exponent;
	zipf->integral_first = integral(zipf, 1.5) - 1;
	zipf->integral_last = integral(zipf, (double) count + 0.5);
	zipf->shortcut = 2 - integral_inverse(zipf, integral(zipf, 2.5) - hat(zipf, 2));
}

/* A rank from 1 to count. */
uint64_t
zipf_rank(const Zipf *zipf, DatagenRandom *random)
{
	if (zipf->count == 1)
		return 1;
	for (;;)
	{
		double u = zipf->integral_last + random_unit(random) * (zipf->integral_first - zipf->integral_last);
		double x = integral_inverse(zipf, u);
		double k = floor(x + 0.5);

		if (k < 1)
			k = 1;
		else if (k > (double) zipf->count)
			k = (double) zipf->count;
		if (k - x <= zipf->shortcut || u >= integral(zipf, k + 0.5) - hat(zipf, k))
			/* A count above 2^53 may have been rounded up. */
			return k >= (double) zipf->count ? zipf->count : (uint64_t) k;
	}
}
