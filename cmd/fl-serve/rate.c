/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rate.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024
#define TOKEN 1000000 /* parts of a token: a rate of 1 a second gives one part each microsecond */

struct bucket {
	char peer[48];
	int64_t parts, filled_us;
};

struct fl_rate {
	int64_t per_second;
	struct bucket buckets[BUCKETS];
};

struct fl_rate *fl_rate_create(unsigned per_second)
{
	struct fl_rate *rate = fl_alloc_zero(1, sizeof(*rate));

	rate->per_second = per_second;
	return rate;
}

void fl_rate_free(struct fl_rate *rate)
{
	free(rate);
}

static void fill(const struct fl_rate *rate, struct bucket *bucket)
{
	int64_t now = fl_clock_us(), passed = now - bucket->filled_us;

	/* A second fills it; more would overflow one day. */
	bucket->parts += (passed < TOKEN ? passed : TOKEN) * rate->per_second;
	if (bucket->parts > rate->per_second * TOKEN)
		bucket->parts = rate->per_second * TOKEN;
	bucket->filled_us = now;
}

/* Two addresses in one place share a bucket, until one of them rests. */
static struct bucket *bucket_of(struct fl_rate *rate, const char *peer)
{
	uint64_t hash = 14695981039346656037u;
	struct bucket *bucket;

	for (const char *at = peer; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 1099511628211u;
	bucket = &rate->buckets[(hash ^ hash >> 32) % BUCKETS];
	fill(rate, bucket);
	if (strcmp(bucket->peer, peer) != 0 && bucket->parts == rate->per_second * TOKEN)
		snprintf(bucket->peer, sizeof(bucket->peer), "%s", peer);
	return bucket;
}

bool fl_rate_take(struct fl_rate *rate, const char *peer)
{
	struct bucket *bucket;

	if (!rate->per_second)
		return true;
	bucket = bucket_of(rate, peer);
	if (bucket->parts < TOKEN)
		return false;
	bucket->parts -= TOKEN;
	return true;
}
