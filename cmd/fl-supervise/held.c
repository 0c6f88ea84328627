/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/held.h"

#include "cmd/fl-supervise/verdict.h"
#include "common/clock.h"

#define TRY_EVERY_MS 10000
/* What is held up again at once has not gone on; and a full disk takes no record. */
#define SETTLE_MS 1000

static bool is_stuck(const struct fl_machine *machine)
{
	return machine->monitor.paused && *machine->monitor.stuck && machine->wish == FL_WISH_RUNNING;
}

/* 0, or -1 when it could not be written. */
static int tell(struct fl_machine *machine, bool stuck)
{
	const char *why = stuck ? machine->monitor.stuck : NULL;

	if (stuck != machine->held.told_stuck) {
		if (fl_verdict_refuse(machine, why) < 0)
			return -1;
		/* Not before it is written: what is not in the record would be taken for a wish to try again. */
		machine->refused = machine->held.told_stuck = stuck;
	}
	if (fl_verdict_save(machine, machine->monitor.paused ? "paused" : "running", NULL, NULL) < 0)
		return -1;
	machine->held.told_paused = machine->monitor.paused;
	return 0;
}

static bool is_told(const struct fl_machine *machine)
{
	return machine->monitor.paused == machine->held.told_paused &&
	       is_stuck(machine) == machine->held.told_stuck;
}

static void try_to_go_on(struct fl_machine *machine, int64_t now)
{
	if (!is_stuck(machine)) {
		machine->held.try_at = 0;
		return;
	}
	if (machine->held.try_at && now >= machine->held.try_at) {
		fl_monitor_order(&machine->monitor, FL_ORDER_RESUME);
		machine->held.tell_at = now + SETTLE_MS;
		machine->held.try_at = 0;
	}
	if (!machine->held.try_at)
		machine->held.try_at = now + TRY_EVERY_MS;
}

void fl_held_look(struct fl_machine *machine)
{
	int64_t now = fl_clock_ms();

	if (machine->phase != FL_MACHINE_RUNNING)
		return;
	try_to_go_on(machine, now);
	if (is_told(machine) || now < machine->held.tell_at)
		return;
	if (tell(machine, is_stuck(machine)) < 0)
		machine->held.tell_at = now + SETTLE_MS;
}

void fl_held_again(struct fl_machine *machine)
{
	machine->held.told_stuck = false;
	machine->held.tell_at = fl_clock_ms() + SETTLE_MS;
}

int64_t fl_held_wait_ms(const struct fl_machine *machine)
{
	int64_t at = machine->held.try_at ? machine->held.try_at : INT64_MAX, left;

	if (machine->phase != FL_MACHINE_RUNNING)
		return -1;
	if (!is_told(machine) && machine->held.tell_at < at)
		at = machine->held.tell_at;
	left = at - fl_clock_ms();
	return at == INT64_MAX ? -1 : left > 0 ? left : 0;
}
