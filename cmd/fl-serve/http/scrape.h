/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What microVMs use, asked of several at a time in threads of their own: a VMM that does not
 * answer keeps nobody else waiting, and never spoils the answer.
 *
 *     struct fl_scrape *scrape = fl_scrape_new(state);
 *     fl_scrape_add(scrape, entry);                          // for each that is wanted
 *     fl_scrape_start(scrape, base, done, arg);              // done(arg, text)
 */
#pragma once

#include "cmd/fl-serve/vms/index.h"

struct event_base;
struct fl_scrape;

/* state outlives it. */
struct fl_scrape *fl_scrape_new(const struct fl_state *state);

void fl_scrape_add(struct fl_scrape *scrape, const struct fl_index_entry *entry);

/* What stands before the microVMs' metrics. */
struct fl_str *fl_scrape_head(struct fl_scrape *scrape);

/* done is called once; the scrape is freed afterwards. */
void fl_scrape_start(struct fl_scrape *scrape, struct event_base *base,
		     void (*done)(void *arg, const struct fl_str *text), void *arg);

/* Of one that was not started. */
void fl_scrape_discard(struct fl_scrape *scrape);

/* Waits for its thread; done is not called. */
void fl_scrape_abandon(struct fl_scrape *scrape);
