/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/requests.h"

#include <string.h>

/* What a client may wait for. */
enum { STATS = 1, RESIZE };

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

/* One that does not greet can be connected to for the order itself. */
static bool may_order(const struct fl_machine *machine)
{
	return machine->monitor.ready || !machine->monitor.protocol->greets;
}

static fl_json *ask_stats(struct fl_machine *machine, int *waits)
{
	if (!may_order(machine))
		return refusal("the VMM's monitor is not connected");
	if (!machine->stats_asked && !fl_monitor_order(&machine->monitor, FL_ORDER_COUNTERS))
		return refusal("the VMM's monitor does not listen");
	machine->stats_asked = true;
	*waits = STATS;
	return NULL;
}

static fl_json *ask_resize(struct fl_machine *machine, const fl_json *request, int *waits)
{
	const char *volume = fl_json_text(fl_json_get(request, "volume"));
	int64_t bytes = fl_json_int(fl_json_get(request, "bytes"));

	if (!volume || bytes <= 0)
		return refusal("a volume and its size in bytes are needed");
	if (!may_order(machine))
		return refusal("the VMM's monitor is not connected");
	if (machine->resize_asked)
		return refusal("it is told of another volume's size just now");
	if (!fl_monitor_resize(&machine->monitor, volume, (uint64_t)bytes))
		return refusal("the VMM cannot be told");
	machine->resize_asked = true;
	*waits = RESIZE;
	return NULL;
}

static fl_json *answer(void *arg, const fl_json *request, int *waits)
{
	struct fl_machine *machine = arg;
	const char *wanted = fl_json_text(fl_json_get(request, "do"));

	if (fl_str_equal(wanted, "stats"))
		return ask_stats(machine, waits);
	if (fl_str_equal(wanted, "resize"))
		return ask_resize(machine, request, waits);
	if (fl_str_equal(wanted, "reboot"))
		fl_machine_reboot(machine);
	else if (!fl_str_equal(wanted, "ping"))
		return refusal("unknown request");
	return agreement();
}

static fl_json *stats_of(fl_json *disks)
{
	fl_json *reply = agreement();

	fl_json_set(reply, "disks", disks);
	return reply;
}

void fl_requests_poll(struct fl_machine *machine)
{
	fl_json *disks = fl_steal(&machine->monitor.disks);

	if (disks) {
		machine->stats_asked = false;
		fl_control_answer(&machine->control, STATS, stats_of(disks));
	}
	if (machine->monitor.resized) {
		fl_control_answer(&machine->control, RESIZE,
				  machine->monitor.resized > 0 ? agreement()
							       : refusal(machine->monitor.refusal));
		machine->monitor.resized = 0;
		machine->resize_asked = false;
	}
	fl_control_poll(&machine->control, answer, machine);
}

void fl_requests_refuse(struct fl_machine *machine)
{
	machine->stats_asked = false;
	fl_control_answer(&machine->control, STATS, refusal(machine->monitor.refusal));
}

void fl_requests_end(struct fl_machine *machine)
{
	machine->stats_asked = machine->resize_asked = false;
	fl_control_answer(&machine->control, 0, refusal("the VMM has ended"));
}
