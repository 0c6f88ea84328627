/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Cloud Hypervisor's API (vmm/src/api/openapi/cloud-hypervisor.yaml of its sources) and what
 * it reports of the guest's life (--event-monitor).
 */
#include "cmd/fl-supervise/http.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define API "/api/v1/"

static bool send_resize(struct fl_monitor *monitor)
{
	int number = fl_monitor_disk_number(monitor, monitor->resize.volume);
	char body[96];

	snprintf(body, sizeof(body), "{\"id\":\"d%d\",\"desired_size\":%" PRIu64 "}", number,
		 monitor->resize.bytes);
	return number >= 0 &&
	       fl_http_api_send(monitor, FL_ORDER_RESIZE,
				&(struct fl_http_call){ "PUT", API "vm.resize-disk", body });
}

static bool send_order(struct fl_monitor *monitor, enum fl_order order)
{
	static const struct fl_http_call calls[] = {
		[FL_ORDER_POWER_OFF] = { "PUT", API "vm.power-button", NULL },
		[FL_ORDER_PAUSE] = { "PUT", API "vm.pause", NULL },
		[FL_ORDER_RESUME] = { "PUT", API "vm.resume", NULL },
		[FL_ORDER_QUIT] = { "PUT", API "vmm.shutdown", NULL },
		[FL_ORDER_COUNTERS] = { "GET", API "vm.counters", NULL },
	};

	return order == FL_ORDER_RESIZE ? send_resize(monitor)
					: fl_http_api_send(monitor, order, &calls[order]);
}

/* What was never measured is 2^64 - 1, a number that readers of JSON refuse. */
static fl_json *parse_counters(char *text)
{
	static const char never[] = "18446744073709551615";

	for (char *at = text; (at = strstr(at, never)); at += strlen(never)) {
		memset(at, ' ', strlen(never));
		*at = '0';
	}
	return fl_json_parse(text, strlen(text), "counters", NULL);
}

static void take_counters(struct fl_monitor *monitor, char *text)
{
	fl_cleanup_json fl_json *counters = parse_counters(text);
	static const char *const names[][2] = {
		{ "read_bytes", "read_bytes" }, { "write_bytes", "written_bytes" },
		{ "read_ops", "reads" },	{ "write_ops", "writes" },
		{ NULL, NULL },
	};

	fl_json_unref(monitor->disks);
	monitor->disks = fl_json_new_array();
	for (void *i = fl_json_first(counters); i; i = fl_json_next(counters, i)) {
		const char *disk = fl_monitor_disk(monitor, fl_json_key(i));

		if (disk)
			fl_json_add(monitor->disks,
				    fl_monitor_counters(disk, fl_json_value(i), names));
	}
}

static bool take(struct fl_monitor *monitor)
{
	struct fl_http_answer answer;

	if (!fl_http_api_take(monitor, &answer))
		return false;
	if (answer.order == FL_ORDER_COUNTERS && answer.good && answer.body)
		take_counters(monitor, answer.body);
	if (answer.order == FL_ORDER_RESIZE && answer.good)
		fl_monitor_resized(monitor, NULL);
	free(answer.body);
	return true;
}

static void end_because(struct fl_monitor *monitor, const char *reason)
{
	if (!*monitor->reason)
		snprintf(monitor->reason, sizeof(monitor->reason), "%s", reason);
}

/* A guest's reset would start it again in the same process, for ever after a panic. The run
 * ends here: what follows is for the supervisor to say, as under every VMM. */
static void take_event(struct fl_monitor *monitor, const fl_json *doc)
{
	const char *source = fl_json_text(fl_json_get(doc, "source"));
	const char *event = fl_json_text(fl_json_get(doc, "event"));

	if (fl_str_equal(source, "guest") && fl_str_equal(event, "panic"))
		end_because(monitor, FL_REASON_PANIC);
	if (!fl_str_equal(source, "vm"))
		return;
	if (fl_str_equal(event, "rebooting")) {
		end_because(monitor, FL_REASON_RESET);
		monitor->must_end = true;
	} else if (fl_str_equal(event, "shutdown")) {
		end_because(monitor, FL_REASON_POWER_OFF);
	} else if (fl_str_equal(event, "paused") || fl_str_equal(event, "resumed")) {
		monitor->paused = fl_str_equal(event, "paused");
		monitor->unsure = false;
	}
}

const struct fl_protocol fl_protocol_cloudhypervisor = {
	.provider = "cloudhypervisor", .send = send_order, .take = take, .event_end = "\n}\n",
	.event = take_event
};
