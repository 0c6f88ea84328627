/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Firecracker's API (src/firecracker/swagger/firecracker.yaml of its sources) and its
 * metrics, which are differences since the last flush (docs/metrics.md).
 */
#include "cmd/fl-supervise/http.h"

#include "common/alloc.h"

#include <stdlib.h>
#include <string.h>

/* It looks at the disk's size anew when it is given the disk anew. */
static bool send_resize(struct fl_monitor *monitor)
{
	int number = fl_monitor_disk_number(monitor, monitor->resize.volume);
	const fl_json *paths = fl_json_get(monitor->launch, "disk_paths");
	fl_cleanup_free char *id = fl_asprintf("d%d", number);
	fl_cleanup_free char *path = fl_asprintf("/drives/%s", id);
	fl_cleanup_json fl_json *body = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (number < 0 || !fl_json_item(paths, (size_t)number))
		return false;
	fl_json_set(body, "drive_id", fl_json_new_text(id));
	fl_json_set(body, "path_on_host", fl_json_ref(fl_json_item(paths, (size_t)number)));
	fl_json_print(body, false, &text);
	return fl_http_api_send(monitor, FL_ORDER_RESIZE,
				&(struct fl_http_call){ "PATCH", path, text.data });
}

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

	if (order == FL_ORDER_RESIZE)
		return send_resize(monitor);
	if (!calls[order].method)
		return false;
	if (order == FL_ORDER_COUNTERS)
		monitor->counters_wanted = true;
	return fl_http_api_send(monitor, order, &calls[order]);
}

static bool take(struct fl_monitor *monitor)
{
	struct fl_http_answer answer;

	if (!fl_http_api_take(monitor, &answer))
		return false;
	free(answer.body);
	if (answer.order == FL_ORDER_COUNTERS)
		monitor->counters_wanted &= answer.good;
	if (answer.order == FL_ORDER_RESIZE && answer.good)
		fl_monitor_resized(monitor, NULL);
	if (answer.good && (answer.order == FL_ORDER_PAUSE || answer.order == FL_ORDER_RESUME)) {
		monitor->paused = answer.order == FL_ORDER_PAUSE;
		monitor->unsure = false;
	}
	return true;
}

static void add_up(fl_json *sums, const fl_json *counters)
{
	for (void *i = fl_json_first(counters); i; i = fl_json_next(counters, i)) {
		int64_t before = fl_json_int(fl_json_get(sums, fl_json_key(i))), sum;

		if (!fl_json_is_int(fl_json_value(i)))
			continue;
		if (__builtin_add_overflow(before, fl_json_int(fl_json_value(i)), &sum))
			sum = INT64_MAX;
		fl_json_set(sums, fl_json_key(i), fl_json_new_int(sum));
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

/* A guest that switches off is halted, and only a reset ends the VMM; on arm64 both do, and the
 * console tells them apart. */
const struct fl_protocol fl_protocol_firecracker = {
	.provider = "firecracker", .silent_end = FL_REASON_RESET, .send = send_order,
	.take = take, .event_end = "\n", .event = take_metrics
};
