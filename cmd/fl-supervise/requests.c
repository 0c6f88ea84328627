/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/requests.h"

#include <string.h>

static fl_json *refusal(const char *why)
{
	fl_json *reply = fl_json_new_object();

	fl_json_set(reply, "ok", fl_json_new_bool(false));
	fl_json_set(reply, "error", fl_json_new_text(why));
	return reply;
}

static fl_json *agreement(void)
{
	fl_json *reply = fl_json_new_object();

	fl_json_set(reply, "ok", fl_json_new_bool(true));
	return reply;
}

static fl_json *ask_stats(struct fl_machine *machine)
{
	if (!machine->qmp.ready)
		return refusal("the VMM's monitor is not connected");
	if (!machine->stats_asked && !fl_qmp_send(&machine->qmp, "query-blockstats"))
		return refusal("the VMM's monitor does not listen");
	machine->stats_asked = true;
	return NULL;
}

static fl_json *answer(void *arg, const fl_json *request)
{
	struct fl_machine *machine = arg;
	const char *wanted = fl_json_text(fl_json_get(request, "do"));

	if (fl_str_equal(wanted, "stats"))
		return ask_stats(machine);
	if (fl_str_equal(wanted, "reboot"))
		fl_machine_reboot(machine);
	else if (!fl_str_equal(wanted, "ping"))
		return refusal("unknown request");
	return agreement();
}

/* QEMU's names of one disk's counters, and ours. */
static fl_json *disk_of(const fl_json *block)
{
	static const char *const names[][2] = {
		{ "rd_bytes", "read_bytes" }, { "wr_bytes", "written_bytes" },
		{ "rd_operations", "reads" }, { "wr_operations", "writes" },
		{ "flush_operations", "flushes" },
	};
	const char *device = fl_json_text(fl_json_get(block, "device"));
	const fl_json *stats = fl_json_get(block, "stats");
	fl_json *disk = fl_json_new_object();

	if (device && fl_str_starts(device, "disk-"))
		device += strlen("disk-");
	fl_json_set(disk, "id", fl_json_new_text(device ? device : ""));
	for (size_t i = 0; i < FL_COUNT(names); i++)
		fl_json_set(disk, names[i][1],
			    fl_json_new_int(fl_json_int(fl_json_get(stats, names[i][0]))));
	return disk;
}

static fl_json *stats_of(const fl_json *blocks)
{
	fl_json *reply = agreement(), *disks = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(blocks); i++)
		fl_json_add(disks, disk_of(fl_json_item(blocks, i)));
	fl_json_set(reply, "disks", disks);
	return reply;
}

void fl_requests_poll(struct fl_machine *machine)
{
	fl_cleanup_json fl_json *blocks = fl_steal(&machine->qmp.blocks);

	if (blocks) {
		machine->stats_asked = false;
		fl_control_answer(&machine->control, stats_of(blocks));
	}
	fl_control_poll(&machine->control, answer, machine);
}

void fl_requests_end(struct fl_machine *machine)
{
	machine->stats_asked = false;
	fl_control_answer(&machine->control, refusal("the VMM has ended"));
}
