/* SPDX-License-Identifier: MPL-2.0 */
/* QEMU's machine protocol, as much of it as a supervisor needs: docs/interop/qmp-spec. */
#include "cmd/fl-supervise/monitor.h"
#include "cmd/fl-supervise/stream.h"

#include <stdio.h>
#include <string.h>

static bool execute(struct fl_monitor *monitor, const char *command)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "{\"execute\":\"%s\"}\r\n", command);

	return fl_stream_send(monitor->fd, text, (size_t)len);
}

#define RESIZE "resize" /* by which its answer is known */

static bool send_resize(struct fl_monitor *monitor)
{
	fl_cleanup_json fl_json *doc = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_str_addf(&text, "disk-%s", monitor->resize.volume);
	fl_json_set(doc, "execute", fl_json_new_text("block_resize"));
	fl_json_put(doc, "arguments.device", fl_json_new_text(text.data));
	fl_json_put(doc, "arguments.size", fl_json_new_int((int64_t)monitor->resize.bytes));
	fl_json_set(doc, "id", fl_json_new_text(RESIZE));
	fl_str_clear(&text);
	fl_json_print(doc, false, &text);
	fl_str_add(&text, "\r\n");
	return fl_stream_send(monitor->fd, text.data, text.len);
}

static bool send_order(struct fl_monitor *monitor, enum fl_order order)
{
	static const char *const commands[] = {
		[FL_ORDER_POWER_OFF] = "system_powerdown", [FL_ORDER_PAUSE] = "stop",
		[FL_ORDER_RESUME] = "cont",		   [FL_ORDER_QUIT] = "quit",
		[FL_ORDER_COUNTERS] = "query-blockstats",
	};

	return order == FL_ORDER_RESIZE ? send_resize(monitor) : execute(monitor, commands[order]);
}

/* Where the host has no room for what the guest writes, QEMU holds it up until it is told to go on. */
static void take_block_error(struct fl_monitor *monitor, const fl_json *data)
{
	const char *device = fl_json_text(fl_json_get(data, "device"));
	const char *why = fl_json_text(fl_json_get(data, "reason"));

	if (!fl_str_equal(fl_json_text(fl_json_get(data, "action")), "stop"))
		return;
	if (device && fl_str_starts(device, "disk-"))
		device += strlen("disk-");
	snprintf(monitor->stuck, sizeof(monitor->stuck), "the host cannot write its disk %s: %s; make room, and "
		 "it goes on", device ? device : "", why ? why : "no room");
}

static void take_event(struct fl_monitor *monitor, const fl_json *doc, const char *event)
{
	const char *reason = fl_json_text(fl_json_at(doc, "data.reason"));

	if (strcmp(event, "SHUTDOWN") == 0 && reason)
		snprintf(monitor->reason, sizeof(monitor->reason), "%s", reason);
	if (strcmp(event, "BLOCK_IO_ERROR") == 0)
		take_block_error(monitor, fl_json_get(doc, "data"));
	if (strcmp(event, "STOP") == 0)
		monitor->paused = true;
	if (strcmp(event, "RESUME") == 0) {
		monitor->paused = false;
		monitor->stuck[0] = 0;
	}
}

static fl_json *disk_of(const fl_json *block)
{
	static const char *const names[][2] = {
		{ "rd_bytes", "read_bytes" }, { "wr_bytes", "written_bytes" },
		{ "rd_operations", "reads" }, { "wr_operations", "writes" },
		{ "flush_operations", "flushes" }, { NULL, NULL },
	};
	const char *device = fl_json_text(fl_json_get(block, "device"));

	if (device && fl_str_starts(device, "disk-"))
		device += strlen("disk-");
	return fl_monitor_counters(device ? device : "", fl_json_get(block, "stats"), names);
}

/* Of what is sent here, only query-blockstats is answered by a list. */
static void take_blocks(struct fl_monitor *monitor, const fl_json *blocks)
{
	fl_json_unref(monitor->disks);
	monitor->disks = fl_json_new_array();
	for (size_t i = 0; i < fl_json_count(blocks); i++)
		fl_json_add(monitor->disks, disk_of(fl_json_item(blocks, i)));
}

static bool take(struct fl_monitor *monitor)
{
	struct fl_str *in = &monitor->in;
	const char *newline = in->len ? memchr(in->data, '\n', in->len) : NULL;
	fl_cleanup_json fl_json *doc = NULL;
	const char *event;
	size_t used;

	if (!newline)
		return false;
	used = (size_t)(newline - in->data) + 1;
	doc = fl_json_parse(in->data, used, "qmp", NULL);
	event = fl_json_text(fl_json_get(doc, "event"));
	if (fl_json_get(doc, "QMP"))
		execute(monitor, "qmp_capabilities");
	else if (event)
		take_event(monitor, doc, event);
	else if (fl_str_equal(fl_json_text(fl_json_get(doc, "id")), RESIZE))
		fl_monitor_resized(monitor, fl_json_text(fl_json_at(doc, "error.desc")));
	else if (fl_json_get(doc, "return"))
		monitor->ready = true;
	if (fl_json_is_array(fl_json_get(doc, "return")))
		take_blocks(monitor, fl_json_get(doc, "return"));
	fl_stream_drop(in, used);
	return true;
}

const struct fl_protocol fl_protocol_qemu = {
	.provider = "qemu", .greets = true, .send = send_order, .take = take
};
