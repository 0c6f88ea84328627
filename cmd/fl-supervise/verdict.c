/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/verdict.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <signal.h>
#include <string.h>

static FL_PRINTF(2, 3) void say(struct fl_verdict *verdict, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(verdict->reason, sizeof(verdict->reason), fmt, args);
	va_end(args);
}

/* The VMM itself failed: its last words on stderr are the best there is. */
static void say_fault(struct fl_verdict *verdict, const struct fl_machine *machine)
{
	const char *words = machine->stderr_text.last;

	if (verdict->status >= 256)
		say(verdict, "the VMM was ended by signal %d (%s)%s%s", verdict->status - 256,
		    strsignal(verdict->status - 256), *words ? ": " : "", words);
	else
		say(verdict, "the VMM ended with status %d%s%s", verdict->status,
		    *words ? ": " : "", words);
}

static void say_no_root(struct fl_verdict *verdict, const struct fl_console *console)
{
	say(verdict, "the guest found no root: %s", console->no_root);
}

/* Why the guest's run ended, by the VMM's word or by its silence; "" when it is not known. */
static const char *reason_of(const struct fl_machine *machine, int status)
{
	const struct fl_monitor *monitor = &machine->monitor;

	if (*monitor->reason)
		return monitor->reason;
	if (machine->console.halted || machine->console.powered_off)
		return FL_REASON_POWER_OFF;
	return status == 0 && monitor->protocol->silent_end ? monitor->protocol->silent_end : "";
}

/* The console's findings come first: no VMM tells a panic from a reboot by itself. Then the
 * reason, as some VMMs must be killed to end once the guest has. */
struct fl_verdict fl_verdict_of(const struct fl_machine *machine, int status)
{
	const struct fl_console *console = &machine->console;
	const char *reason = reason_of(machine, status);
	struct fl_verdict verdict = { .kind = FL_ENDED_FAULT, .status = status };

	if (*console->no_root) {
		verdict.kind = FL_ENDED_PANIC;
		say_no_root(&verdict, console);
	} else if (*console->panic) {
		verdict.kind = FL_ENDED_PANIC;
		say(&verdict, "the guest panicked: %s", console->panic);
	} else if (strcmp(reason, FL_REASON_PANIC) == 0) {
		verdict.kind = FL_ENDED_PANIC;
		say(&verdict, "the guest panicked%s%s", *console->last ? ": " : "", console->last);
	} else if (strcmp(reason, FL_REASON_RESET) == 0 && machine->wish == FL_WISH_STOPPED) {
		/* The one way that some guests can be asked to end. */
		verdict.kind = FL_ENDED_POWEROFF;
		say(&verdict, "the guest was stopped");
	} else if (strcmp(reason, FL_REASON_RESET) == 0) {
		verdict.kind = FL_ENDED_REBOOT;
		say(&verdict, "the guest rebooted");
	} else if (strcmp(reason, FL_REASON_POWER_OFF) == 0) {
		verdict.kind = FL_ENDED_POWEROFF;
		say(&verdict, "the guest powered off");
	} else if (machine->unreachable) {
		say(&verdict, "the VMM does not listen on %s, and was killed", machine->unreachable);
	} else if (machine->refused_stop) {
		say(&verdict, "the guest could not be asked to power off, and was killed: %s",
		    machine->monitor.refusal);
	} else if (machine->deaf && !machine->stop_ms) {
		say(&verdict, "the VMM was killed, as was asked");
	} else if (machine->deaf) {
		say(&verdict, "the guest did not power off within %llu s, and was killed",
		    (unsigned long long)machine->stop_ms / 1000);
	} else if (status != 0) {
		say_fault(&verdict, machine);
	} else if (strcmp(reason, FL_REASON_SIGNAL) == 0) {
		say(&verdict, "the VMM was told to end by a signal");
	} else {
		say(&verdict, "the VMM ended without a reason%s%s",
		    *console->last ? "; the console's last line: " : "", console->last);
	}
	return verdict;
}

struct saving {
	const struct fl_machine *machine;
	const char *vmm_state, *state;
	const struct fl_verdict *verdict;
};

static void put_text(fl_json *record, const char *path, const char *text)
{
	fl_json_put(record, path, text && *text ? fl_json_new_text(text) : NULL);
}

static void put_exit(fl_json *record, const struct saving *saving)
{
	static const char *const kinds[] = { "reboot", "poweroff", "panic", "fault" };
	const struct fl_verdict *verdict = saving->verdict;
	bool lacks_initrd = *saving->machine->console.no_root && !fl_json_at(record, "spec.initrd");
	fl_cleanup_free char *reason = fl_asprintf("%s%s", verdict->reason,
						   lacks_initrd ? " (the spec has no initrd)" : "");
	char now[FL_CLOCK_TEXT];

	fl_clock_print_now(now);
	put_text(record, "host.vmm.exit.kind", kinds[verdict->kind]);
	put_text(record, "host.vmm.exit.reason", reason);
	put_text(record, "host.vmm.exit.panic", saving->machine->console.panic);
	put_text(record, "host.vmm.exit.last_line", saving->machine->console.last);
	put_text(record, "host.vmm.exit.at", now);
	fl_json_put(record, "host.vmm.exit.status", fl_json_new_int(verdict->status));
}

/* For who waits for that, should it have ended by the time he looks. */
static void put_settled(const struct saving *saving, fl_json *record)
{
	if (fl_str_equal(saving->state, "CREATED") && saving->machine->phase == FL_MACHINE_RUNNING)
		fl_json_put(record, "host.vmm.settled", fl_json_new_bool(true));
}

/* What starting it failed at, or an interrupted wait for it, is over. */
static void forget_failure(fl_json *record)
{
	if (fl_str_equal(fl_json_text(fl_json_at(record, "host.error.step")), "run"))
		fl_json_put(record, "host.error", NULL);
}

static int change(void *arg, fl_json *record, struct fl_err *err)
{
	const struct saving *saving = arg;
	const struct fl_machine *machine = saving->machine;
	const char *desired = fl_json_text(fl_json_at(record, "host.desired"));
	bool powered_off = saving->verdict && saving->verdict->kind == FL_ENDED_POWEROFF;

	(void)err;
	put_text(record, "host.vmm.state", saving->vmm_state);
	put_text(record, "host.vmm.cloud_init", machine->console.cloud_init);
	fl_json_put(record, "host.vmm.booted",
		    machine->console.booted ? fl_json_new_bool(true) : NULL);
	fl_json_put(record, "host.vmm.restarts", fl_json_new_int(machine->restarts));
	fl_json_put(record, "host.vmm.reboots", fl_json_new_int(machine->reboots));
	if (machine->vmm.pidfd >= 0)
		fl_json_put(record, "host.vmm.pid", fl_json_new_int(machine->vmm.pid));
	else
		fl_json_put(record, "host.vmm.pid", NULL);
	if (saving->verdict)
		put_exit(record, saving);
	put_settled(saving, record);
	if (fl_str_equal(desired, "deleted"))
		return 0;
	if (saving->state)
		put_text(record, "status.state", saving->state);
	if (fl_str_equal(saving->state, "CREATED"))
		forget_failure(record);
	/* Switched off from inside, and no policy to switch it on again: that is a stop, and
	 * a restore after the host's reboot must not undo it. */
	if (powered_off && strcmp(saving->vmm_state, "stopped") == 0)
		put_text(record, "host.desired", "stopped");
	return 0;
}

int fl_verdict_refuse(const struct fl_machine *machine, const char *why)
{
	return fl_vm_put(machine->vm, "host.vmm.refused", why ? fl_json_new_text(why) : NULL, NULL);
}

int fl_verdict_save(const struct fl_machine *machine, const char *vmm_state, const char *state,
		     const struct fl_verdict *verdict)
{
	struct saving saving = { machine, vmm_state, state, verdict };
	/* What the chain came to is on disk when it is told, as is a stop; words on the way are not. */
	enum fl_save how = fl_str_equal(state, "CREATED") ? FL_SAVE_SYNC : FL_SAVE_PLAIN;

	return fl_vm_change(machine->vm, how, change, &saving, NULL);
}
