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
	if (!machine->monitor.ready)
		return refusal("the VMM's monitor is not connected");
	if (!machine->stats_asked && !fl_monitor_order(&machine->monitor, FL_ORDER_COUNTERS))
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
		fl_control_answer(&machine->control, stats_of(disks));
	}
	fl_control_poll(&machine->control, answer, machine);
}

void fl_requests_end(struct fl_machine *machine)
{
	machine->stats_asked = false;
	fl_control_answer(&machine->control, refusal("the VMM has ended"));
}
