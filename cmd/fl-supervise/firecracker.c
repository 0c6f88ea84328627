/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Firecracker's API (src/firecracker/swagger/firecracker.yaml of its sources) and its
 * metrics, which are differences since the last flush (docs/metrics.md).
 */
#include "cmd/fl-supervise/http.h"

#include <stdlib.h>
#include <string.h>

static bool send_order(struct fl_monitor *monitor, enum fl_order order)
{
	/* There is no power button: the keys make an orderly guest restart, which ends the VMM
	 * (and on arm64 there are no keys). To be told to quit, it has no call. */
	static const struct fl_http_call calls[] = {
#ifdef __x86_64__
		[FL_ORDER_POWER_OFF] = { "PUT", "/actions",
					 "{\"action_type\":\"SendCtrlAltDel\"}" },
#endif
		[FL_ORDER_PAUSE] = { "PATCH", "/vm", "{\"state\":\"Paused\"}" },
		[FL_ORDER_RESUME] = { "PATCH", "/vm", "{\"state\":\"Resumed\"}" },
		[FL_ORDER_COUNTERS] = { "PUT", "/actions",
					"{\"action_type\":\"FlushMetrics\"}" },
	};

	if (!calls[order].method)
		return false;
	if (order == FL_ORDER_COUNTERS)
		monitor->counters_wanted = true;
	return fl_http_api_send(monitor, order, &calls[order]);
}

static bool take(struct fl_monitor *monitor)
{
	struct fl_http_answer answer;
	bool good;

	if (!fl_http_api_take(monitor, &answer))
		return false;
	good = answer.status >= 200 && answer.status < 300;
	if (good && answer.order == FL_ORDER_PAUSE)
		monitor->paused = true;
	if (good && answer.order == FL_ORDER_RESUME)
		monitor->paused = false;
	free(answer.body);
	return true;
}

static void add_up(fl_json *sums, const fl_json *counters)
{
	for (void *i = fl_json_first(counters); i; i = fl_json_next(counters, i)) {
		int64_t before = fl_json_int(fl_json_get(sums, fl_json_key(i)));

		if (fl_json_is_int(fl_json_value(i)))
			fl_json_set(sums, fl_json_key(i),
				    fl_json_new_int(before + fl_json_int(fl_json_value(i))));
	}
}

static fl_json *sums_of(struct fl_monitor *monitor, const char *disk)
{
	fl_json *sums;

	if (!monitor->sums)
		monitor->sums = fl_json_new_object();
	sums = fl_json_get(monitor->sums, disk);
	if (sums)
		return sums;
	fl_json_set(monitor->sums, disk, fl_json_new_object());
	return fl_json_get(monitor->sums, disk);
}

static void tell(struct fl_monitor *monitor)
{
	static const char *const names[][2] = {
		{ "read_bytes", "read_bytes" }, { "write_bytes", "written_bytes" },
		{ "read_count", "reads" },	{ "write_count", "writes" },
		{ "flush_count", "flushes" },	{ NULL, NULL },
	};

	monitor->counters_wanted = false;
	fl_json_unref(monitor->disks);
	monitor->disks = fl_json_new_array();
	for (void *i = fl_json_first(monitor->sums); i; i = fl_json_next(monitor->sums, i))
		fl_json_add(monitor->disks,
			    fl_monitor_counters(fl_json_key(i), fl_json_value(i), names));
}

static void take_metrics(struct fl_monitor *monitor, const fl_json *metrics)
{
	static const char prefix[] = "block_";

	for (void *i = fl_json_first(metrics); i; i = fl_json_next(metrics, i)) {
		const char *key = fl_json_key(i), *disk = NULL;

		if (fl_str_starts(key, prefix))
			disk = fl_monitor_disk(monitor, key + strlen(prefix));
		if (disk)
			add_up(sums_of(monitor, disk), fl_json_value(i));
	}
	if (monitor->counters_wanted)
		tell(monitor);
}

/* A guest that switches off is halted; only a reset ends the VMM. */
const struct fl_protocol fl_protocol_firecracker = {
	.provider = "firecracker", .silent_end = FL_REASON_RESET, .send = send_order,
	.take = take, .event_end = "\n", .event = take_metrics
};
