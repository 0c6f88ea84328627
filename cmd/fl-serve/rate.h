/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How many requests a second an address may make: a bucket of tokens for each, filled at
 * that rate up to one second's worth, in bounded memory.
 *
 *     struct fl_rate *rate = fl_rate_create(1000);
 *     if (!fl_rate_take(rate, "192.0.2.1")) ... too many
 */
#pragma once

#include <stdbool.h>

struct fl_rate;

/* per_second 0: as many as they like. */
struct fl_rate *fl_rate_create(unsigned per_second);
void fl_rate_free(struct fl_rate *rate); /* NULL is fine */

/* Whether one more request from there is all right; it is counted then. */
bool fl_rate_take(struct fl_rate *rate, const char *peer);
