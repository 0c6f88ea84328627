/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What microVMs use, asked of several at a time in threads of their own: a VMM that does not
 * answer keeps nobody else waiting, and never spoils the answer. VMMs are asked once a second
 * at most, however often and by however many they are scraped.
 *
 *     struct fl_scrape *scrape = fl_scrape_new(state, &samples);
 *     fl_scrape_add(scrape, entry);                          // for each that is wanted
 *     fl_scrape_start(scrape, base, done, arg);              // done(arg, text)
 */
#pragma once

#include "cmd/fl-serve/vms/index.h"

struct event_base;
struct fl_scrape;

/* What the last scrape learned; it outlives all of them. */
struct fl_samples {
	fl_vm_names live; /* who was asked */
	fl_json *list;    /* what they said */
	int64_t taken_ms;
	struct fl_str pools; /* the thin pools', as text */
	int64_t pools_ms;
};

void fl_samples_finish(struct fl_samples *samples);

/* state and samples outlive it. */
struct fl_scrape *fl_scrape_new(const struct fl_state *state, struct fl_samples *samples);

/* The entry stays until it is started. */
void fl_scrape_add(struct fl_scrape *scrape, const struct fl_index_entry *entry);

/* The thin pools' too, which fl-snap tells. */
void fl_scrape_add_pools(struct fl_scrape *scrape);

/* What stands before the microVMs' metrics. */
struct fl_str *fl_scrape_head(struct fl_scrape *scrape);

/* done is called once, maybe before this returns, and may steal the text; the scrape is freed
 * afterwards. */
void fl_scrape_start(struct fl_scrape *scrape, struct event_base *base,
		     void (*done)(void *arg, struct fl_str *text), void *arg);

/* Of one that was not started. */
void fl_scrape_discard(struct fl_scrape *scrape);

/* Waits for its thread; done is not called. */
void fl_scrape_abandon(struct fl_scrape *scrape);
