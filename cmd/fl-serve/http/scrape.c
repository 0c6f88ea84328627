/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/scrape.h"

#include "cmd/fl-serve/http/pools.h"
#include "common/alloc.h"
#include "common/clock.h"
#include "common/metrics.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define AT_ONCE 8
#define FRESH_MS 1000

struct fl_scrape {
	const struct fl_state *state;
	struct fl_samples *samples;
	fl_vm_names live;
	FL_VEC(struct fl_metrics_rest) resting; /* with labels of their own */
	fl_json *list;                          /* what the live ones said */
	struct fl_str text;
	bool asks_pools;
	struct fl_str pools; /* what fl-snap said of them */
	pthread_t thread;
	pthread_mutex_t lock; /* on list and next */
	size_t next;          /* of live, to be asked */
	int ready;
	struct event *event;
	void (*done)(void *arg, struct fl_str *text);
	void *arg;
};

void fl_samples_finish(struct fl_samples *samples)
{
	fl_vm_names_finish(&samples->live);
	fl_json_unref(samples->list);
	fl_str_finish(&samples->pools);
	*samples = (struct fl_samples){ 0 };
}

struct fl_scrape *fl_scrape_new(const struct fl_state *state, struct fl_samples *samples)
{
	struct fl_scrape *scrape = fl_alloc_zero(1, sizeof(*scrape));

	scrape->state = state;
	scrape->samples = samples;
	scrape->list = fl_json_new_array();
	scrape->ready = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (scrape->ready < 0 || pthread_mutex_init(&scrape->lock, NULL) != 0)
		abort();
	return scrape;
}

void fl_scrape_add(struct fl_scrape *scrape, const struct fl_index_entry *entry)
{
	struct fl_vm_name name = { 0 };

	if (!entry->live) {
		FL_VEC_ADD(&scrape->resting, ((struct fl_metrics_rest){
				fl_metrics_labels(entry->name_space, entry->name, entry->uid),
				fl_index_state_name(entry->state), entry->restarts }));
		return;
	}
	name.name_space = fl_strdup(entry->name_space);
	name.name = fl_strdup(entry->name);
	snprintf(name.uid, sizeof(name.uid), "%s", entry->uid);
	FL_VEC_ADD(&scrape->live, name);
}

static void add_pools(struct fl_scrape *scrape, const struct fl_str *pools)
{
	fl_str_add_bytes(&scrape->text, pools->data, pools->len);
}

void fl_scrape_add_pools(struct fl_scrape *scrape)
{
	const struct fl_samples *samples = scrape->samples;

	if (!fl_pools_are_used(scrape->state))
		fl_pools_metrics(scrape->state, &scrape->text);
	else if (samples->pools.len && fl_clock_ms() - samples->pools_ms <= FRESH_MS)
		add_pools(scrape, &samples->pools);
	else
		scrape->asks_pools = true;
}

struct fl_str *fl_scrape_head(struct fl_scrape *scrape)
{
	return &scrape->text;
}

/* The next that nobody has asked yet; NULL: none. one: what the last one said, or NULL. */
static const struct fl_vm_name *take(struct fl_scrape *scrape, fl_json *one)
{
	const struct fl_vm_name *name = NULL;

	pthread_mutex_lock(&scrape->lock);
	if (one)
		fl_json_add(scrape->list, one);
	if (scrape->next < scrape->live.count)
		name = &scrape->live.items[scrape->next++];
	pthread_mutex_unlock(&scrape->lock);
	return name;
}

static void *ask_some(void *arg)
{
	struct fl_scrape *scrape = arg;
	const struct fl_vm_name *name = take(scrape, NULL);

	while (name) {
		fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
		fl_json *one = NULL;

		if (fl_vm_open(scrape->state, name->name_space, name->name, name->uid, &vm, NULL) == 0)
			one = fl_metrics_read(&vm, FL_METRICS_WAIT_MS, NULL);
		/* Without an answer it went meanwhile, or its record is damaged. */
		name = take(scrape, one);
	}
	return NULL;
}

/* Most of the time is waiting for one VMM or another. */
static void *ask_all(void *arg)
{
	struct fl_scrape *scrape = arg;
	pthread_t threads[AT_ONCE - 1];
	size_t count = 0;

	while (count < FL_COUNT(threads) && count + 1 < scrape->live.count &&
	       pthread_create(&threads[count], NULL, ask_some, scrape) == 0)
		count++;
	if (scrape->asks_pools)
		fl_pools_metrics(scrape->state, &scrape->pools);
	ask_some(scrape);
	while (count > 0)
		pthread_join(threads[--count], NULL);
	eventfd_write(scrape->ready, 1);
	return NULL;
}

void fl_scrape_discard(struct fl_scrape *scrape)
{
	close(scrape->ready);
	pthread_mutex_destroy(&scrape->lock);
	fl_vm_names_finish(&scrape->live);
	for (size_t i = 0; i < scrape->resting.count; i++)
		free((char *)scrape->resting.items[i].labels);
	free(scrape->resting.items);
	fl_json_unref(scrape->list);
	fl_str_finish(&scrape->text);
	fl_str_finish(&scrape->pools);
	free(scrape);
}

void fl_scrape_abandon(struct fl_scrape *scrape)
{
	pthread_join(scrape->thread, NULL);
	event_free(scrape->event);
	fl_scrape_discard(scrape);
}

static void answer(struct fl_scrape *scrape, const fl_json *list)
{
	fl_metrics_print(list, scrape->resting.items, scrape->resting.count, &scrape->text);
	scrape->done(scrape->arg, &scrape->text);
}

static void keep(struct fl_scrape *scrape)
{
	struct fl_samples *samples = scrape->samples;

	fl_vm_names_finish(&samples->live);
	fl_json_unref(samples->list);
	samples->live = scrape->live;
	samples->list = fl_json_ref(scrape->list);
	samples->taken_ms = fl_clock_ms();
	memset(&scrape->live, 0, sizeof(scrape->live));
	if (!scrape->asks_pools)
		return;
	fl_str_finish(&samples->pools);
	samples->pools = scrape->pools;
	samples->pools_ms = samples->taken_ms;
	scrape->pools = (struct fl_str)FL_STR_INIT;
}

static bool are_fresh(const struct fl_samples *samples, const fl_vm_names *live)
{
	if (!samples->list || samples->live.count != live->count ||
	    fl_clock_ms() - samples->taken_ms > FRESH_MS)
		return false;
	for (size_t i = 0; i < live->count; i++)
		if (strcmp(samples->live.items[i].uid, live->items[i].uid) != 0)
			return false;
	return true;
}

static void on_ready(evutil_socket_t fd, short what, void *arg)
{
	struct fl_scrape *scrape = arg;

	(void)fd;
	(void)what;
	if (scrape->asks_pools)
		add_pools(scrape, &scrape->pools);
	answer(scrape, scrape->list);
	keep(scrape);
	fl_scrape_abandon(scrape);
}

void fl_scrape_start(struct fl_scrape *scrape, struct event_base *base,
		     void (*done)(void *arg, struct fl_str *text), void *arg)
{
	scrape->done = done;
	scrape->arg = arg;
	if (!scrape->asks_pools &&
	    (!scrape->live.count || are_fresh(scrape->samples, &scrape->live))) {
		answer(scrape, scrape->live.count ? scrape->samples->list : NULL);
		fl_scrape_discard(scrape);
		return;
	}
	scrape->event = event_new(base, scrape->ready, EV_READ, on_ready, scrape);
	if (!scrape->event || pthread_create(&scrape->thread, NULL, ask_all, scrape) != 0)
		abort();
	event_add(scrape->event, NULL);
}
