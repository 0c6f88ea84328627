/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/http/pools.h"

#include "common/alloc.h"
#include "common/metrics.h"
#include "common/path.h"
#include "common/proc.h"

#include <fcntl.h>

#define ANSWER_MS 3000

static const struct {
	const char *name, *help, *member;
} gauges[] = {
	{ "flintlock_pool_size_bytes", "Data space of a thin pool.", "size" },
	{ "flintlock_pool_used_bytes", "Data space that is used.", "used" },
	{ "flintlock_pool_metadata_size_bytes", "Metadata space of a thin pool.", "metadata_size" },
	{ "flintlock_pool_metadata_used_bytes", "Metadata space that is used.", "metadata_used" },
	{ "flintlock_pool_volumes", "Volumes of microVMs in a thin pool.", "volumes" },
};

/* The rows of thin pools alone. */
static fl_json *parse(const struct fl_str *text)
{
	fl_json *pools = fl_json_new_array(), *row;
	size_t at = 0;

	while (text->len &&
	       (row = fl_json_parse_next(text->data, text->len, &at, "fl-snap", NULL))) {
		if (fl_str_equal(fl_json_text(fl_json_get(row, "backend")), "thin"))
			fl_json_add(pools, fl_json_ref(row));
		fl_json_unref(row);
	}
	return pools;
}

/* A line up to its further labels. */
static void add_sample(struct fl_str *out, const char *name, const fl_json *pool)
{
	fl_str_add(out, name);
	fl_metrics_label(out, "{pool", fl_json_text(fl_json_get(pool, "name")));
}

static void add_gauge(const fl_json *pools, size_t which, struct fl_str *out)
{
	fl_metrics_head(out, gauges[which].name, "gauge", gauges[which].help);
	for (size_t i = 0; i < fl_json_count(pools); i++) {
		const fl_json *pool = fl_json_item(pools, i);
		const fl_json *value = fl_json_get(pool, gauges[which].member);

		if (!value)
			continue;
		add_sample(out, gauges[which].name, pool);
		fl_str_addf(out, "} %lld\n", (long long)fl_json_int(value));
	}
}

static void add_states(const fl_json *pools, struct fl_str *out)
{
	fl_metrics_head(out, "flintlock_pool_state", "gauge", "How a thin pool is: ok, low, full, "
			"read-only, failed or missing.");
	for (size_t i = 0; i < fl_json_count(pools); i++) {
		const fl_json *pool = fl_json_item(pools, i);

		add_sample(out, "flintlock_pool_state", pool);
		fl_metrics_label(out, ",state", fl_json_text(fl_json_get(pool, "state")));
		fl_str_add(out, "} 1\n");
	}
}

bool fl_pools_are_used(const struct fl_state *state)
{
	return faccessat(state->dirfd, "thin", F_OK, 0) == 0;
}

void fl_pools_metrics(const struct fl_state *state, struct fl_str *out)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-snap");
	fl_cleanup_free char *folder = fl_asprintf("--state-dir=%s", state->dir);
	const char *argv[] = { program, "status", "--json", folder, NULL };
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *pools = NULL;

	if (fl_pools_are_used(state))
		fl_proc_ask(argv, ANSWER_MS, &text, NULL);
	pools = parse(&text);
	for (size_t i = 0; i < FL_COUNT(gauges); i++)
		add_gauge(pools, i, out);
	add_states(pools, out);
}
