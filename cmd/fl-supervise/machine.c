/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/machine.h"

#include "cmd/fl-supervise/changes.h"
#include "cmd/fl-supervise/held.h"
#include "cmd/fl-supervise/launch.h"
#include "cmd/fl-supervise/requests.h"
#include "cmd/fl-supervise/verdict.h"
#include "common/alloc.h"
#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>

#define CONNECT_EVERY_MS 20
#define LONGEST_PAUSE_MS 60000
#define GOOD_RUN_MS 60000
#define YOUNG_REBOOT_MS 3000
#define READS 4 /* at once: a guest may talk faster than all of it is ever read */
#define LAST_READS 64 /* more than a pipe or a socket holds */

static const char *launch_text(const struct fl_machine *machine, const char *key)
{
	return fl_json_text(fl_json_get(machine->launch, key));
}

static enum fl_machine_wish wish_of(const fl_json *record)
{
	static const char *const names[] = { "running", "stopped", "paused", "deleted" };
	const char *desired = fl_json_text(fl_json_at(record, "host.desired"));

	for (size_t i = 0; record && i < FL_COUNT(names); i++)
		if (fl_str_equal(desired, names[i]))
			return i;
	/* A record that went away is the last word of a deletion. */
	return record ? FL_WISH_RUNNING : FL_WISH_DELETED;
}

static enum fl_machine_policy policy_of(const char *text)
{
	if (fl_str_equal(text, "always"))
		return FL_POLICY_ALWAYS;
	return fl_str_equal(text, "on-failure") ? FL_POLICY_ON_FAILURE : FL_POLICY_NO;
}

static void read_record(struct fl_machine *machine, const fl_json *record)
{
	const fl_json *stop = fl_json_at(record, "host.stop_ms");

	machine->wish = wish_of(record);
	machine->stop_ms = stop ? (uint64_t)fl_json_int(stop) : 30000;
	if (record)
		machine->policy = policy_of(fl_json_text(fl_json_at(record, "host.vmm.launch.restart")));
}

int fl_machine_init(struct fl_machine *machine, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	fl_cleanup_free char *run = fl_vm_run_path(vm);
	fl_cleanup_free char *socket = fl_asprintf("%s/supervisor.sock", run);
	fl_cleanup_free char *console = fl_asprintf("%s/console.sock", run);

	*machine = (struct fl_machine){ .vm = vm, .changes = -1, .out = -1, .errors = -1, .in = -1,
					.vmm = { .pidfd = -1 },
					.keyboard = FL_KEYBOARD_INIT,
					.relay = FL_RELAY_INIT,
					.guard = FL_GUARD_INIT };
	machine->control.listener = -1;
	memset(machine->control.clients, -1, sizeof(machine->control.clients));
	machine->console.fd = machine->stderr_text.fd = -1;
	if (!record)
		return -1;
	read_record(machine, record);
	machine->launch = fl_json_ref(fl_json_at(record, "host.vmm.launch"));
	fl_monitor_init(&machine->monitor, machine->launch);
	if (!machine->launch)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: nothing to launch", vm->path);
	machine->settle_ms = (uint64_t)fl_json_int(fl_json_get(machine->launch, "settle_ms"));
	machine->changes = fl_changes_open(vm->dirfd, vm->path, err);
	if (machine->changes < 0)
		return -1;
	fl_console_init(&machine->console, vm->dirfd, launch_text(machine, "console"), false);
	fl_console_init(&machine->stderr_text, vm->dirfd, launch_text(machine, "stderr"), true);
	if (fl_keyboard_listen(&machine->keyboard, console, err) < 0)
		return -1;
	return fl_control_listen(&machine->control, socket, vm->uid, err);
}

void fl_machine_finish(struct fl_machine *machine)
{
	fl_proc_finish(&machine->vmm);
	fl_guard_end(&machine->guard);
	fl_launch_close(machine);
	fl_control_finish(&machine->control);
	fl_keyboard_finish(&machine->keyboard);
	fl_relay_finish(&machine->relay);
	fl_console_finish(&machine->console);
	fl_console_finish(&machine->stderr_text);
	fl_json_unref(machine->launch);
	if (machine->changes >= 0)
		close(machine->changes);
}

static void kill_vmm(struct fl_machine *machine)
{
	fl_proc_signal(&machine->vmm, SIGKILL);
}

static void stop(struct fl_machine *machine)
{
	if (machine->phase == FL_MACHINE_WAITING) {
		machine->phase = FL_MACHINE_DONE;
		fl_verdict_save(machine, "stopped", "CREATED", NULL);
		return;
	}
	machine->reboot_wanted = false;
	machine->phase = FL_MACHINE_STOPPING;
	machine->deadline = fl_clock_ms() + (int64_t)machine->stop_ms;
	fl_verdict_save(machine, "stopping", NULL, NULL);
	if (machine->monitor.paused)
		fl_monitor_order(&machine->monitor, FL_ORDER_RESUME);
	if (machine->stop_ms == 0 || !fl_monitor_order(&machine->monitor, FL_ORDER_POWER_OFF))
		kill_vmm(machine);
}

/* While the VMM is only about to listen, nothing is refused yet. */
static void order(struct fl_machine *machine, enum fl_order order)
{
	if (fl_monitor_order(&machine->monitor, order) || machine->connect_by)
		return;
	fl_monitor_refuse(&machine->monitor, order, "the VMM's API cannot be reached");
}

static void follow_wish(struct fl_machine *machine)
{
	switch (machine->wish) {
	case FL_WISH_DELETED:
		kill_vmm(machine);
		machine->reboot_wanted = false;
		machine->phase = machine->vmm.pidfd >= 0 ? FL_MACHINE_STOPPING : FL_MACHINE_DONE;
		machine->deadline = 0;
		break;
	case FL_WISH_STOPPED:
		if (machine->phase != FL_MACHINE_STOPPING)
			stop(machine);
		break;
	case FL_WISH_PAUSED:
		if (!machine->monitor.paused || machine->monitor.unsure)
			order(machine, FL_ORDER_PAUSE);
		break;
	case FL_WISH_RUNNING:
		/* What held it up before is no answer to this. */
		if (*machine->monitor.stuck)
			fl_held_again(machine);
		if (machine->monitor.paused || machine->monitor.unsure)
			order(machine, FL_ORDER_RESUME);
		break;
	}
}

/* Who stops it now waits less long for the guest than whoever stopped it before. */
static void hurry(struct fl_machine *machine)
{
	int64_t end = fl_clock_ms() + (int64_t)machine->stop_ms;

	if (machine->phase != FL_MACHINE_STOPPING || machine->wish != FL_WISH_STOPPED ||
	    !machine->deadline || end >= machine->deadline)
		return;
	machine->deadline = end;
	if (machine->stop_ms == 0)
		kill_vmm(machine);
}

static void look_at_record(struct fl_machine *machine)
{
	enum fl_machine_wish before = machine->wish;
	uint64_t patience = machine->stop_ms;
	fl_cleanup_json fl_json *record = NULL;
	bool anew;

	fl_changes_drain(machine->changes);
	record = fl_vm_load(machine->vm, NULL);
	read_record(machine, record);
	/* What was refused is tried again when somebody desires it again. */
	anew = machine->refused && !fl_json_at(record, "host.vmm.refused");
	if (anew)
		machine->refused = false;
	if (anew || machine->wish != before)
		follow_wish(machine);
	if (machine->stop_ms < patience)
		hurry(machine);
}

static void hear_refusals(struct fl_machine *machine)
{
	unsigned refused = machine->monitor.refused;

	machine->monitor.refused = 0;
	if (refused & (1U << FL_ORDER_PAUSE | 1U << FL_ORDER_RESUME)) {
		machine->refused = true;
		fl_verdict_refuse(machine, machine->monitor.refusal);
	}
	if (refused & 1U << FL_ORDER_COUNTERS)
		fl_requests_refuse(machine);
	if (refused & 1U << FL_ORDER_POWER_OFF && machine->phase == FL_MACHINE_STOPPING) {
		machine->refused_stop = true;
		kill_vmm(machine);
	}
	if (refused & 1U << FL_ORDER_QUIT)
		kill_vmm(machine);
}

static void try_again_later(struct fl_machine *machine, const struct fl_verdict *verdict)
{
	int64_t pause = 1000LL << (machine->tries < 6 ? machine->tries : 6);

	machine->tries++;
	machine->restarts++;
	machine->phase = FL_MACHINE_WAITING;
	machine->deadline = fl_clock_ms() + (pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS);
	fl_verdict_save(machine, "waiting", verdict->kind == FL_ENDED_POWEROFF ? NULL : "FAILED",
			verdict);
}

static void give_up(struct fl_machine *machine, const struct fl_verdict *verdict, bool young)
{
	bool stopped = verdict->kind == FL_ENDED_POWEROFF && !young;

	machine->phase = FL_MACHINE_DONE;
	fl_verdict_save(machine, stopped ? "stopped" : "failed", stopped ? "CREATED" : "FAILED",
			verdict);
}

static void start_again(struct fl_machine *machine)
{
	struct fl_err err;
	struct fl_verdict verdict = { .kind = FL_ENDED_FAULT };

	if (fl_launch(machine, &err) == 0) {
		fl_verdict_save(machine, "starting", NULL, NULL);
		return;
	}
	snprintf(verdict.reason, sizeof(verdict.reason), "%s", err.text);
	/* What is only slow may be there the next time. */
	if (err.kind == FL_ERR_TIMEOUT)
		try_again_later(machine, &verdict);
	else
		give_up(machine, &verdict, false);
}

void fl_machine_reboot(struct fl_machine *machine)
{
	/* Who asks for it does not wait for the next try. */
	if (machine->phase == FL_MACHINE_WAITING) {
		machine->reboots++;
		start_again(machine);
		return;
	}
	if (machine->phase != FL_MACHINE_RUNNING && machine->phase != FL_MACHINE_SETTLING)
		return;
	machine->reboot_wanted = true;
	machine->phase = FL_MACHINE_STOPPING;
	machine->deadline = fl_clock_ms() + (int64_t)machine->stop_ms;
	/* A paused guest hears no button. */
	if (machine->monitor.paused)
		fl_monitor_order(&machine->monitor, FL_ORDER_RESUME);
	if (!fl_monitor_order(&machine->monitor, FL_ORDER_POWER_OFF))
		kill_vmm(machine);
}

static bool policy_restarts(const struct fl_machine *machine, enum fl_verdict_kind kind)
{
	if (machine->policy == FL_POLICY_ON_FAILURE)
		return kind != FL_ENDED_POWEROFF;
	return machine->policy == FL_POLICY_ALWAYS;
}

/* The VMM has ended: what now. */
static void judge(struct fl_machine *machine, int status)
{
	struct fl_verdict verdict = fl_verdict_of(machine, status);
	int64_t lived = fl_clock_ms() - machine->started;
	bool young = machine->phase == FL_MACHINE_SETTLING;

	if (lived > GOOD_RUN_MS)
		machine->tries = 0;
	if (machine->wish == FL_WISH_DELETED) {
		machine->phase = FL_MACHINE_DONE;
		fl_verdict_save(machine, "stopped", NULL, &verdict);
	} else if (machine->wish == FL_WISH_STOPPED) {
		machine->phase = FL_MACHINE_DONE;
		fl_verdict_save(machine, "stopped", "CREATED", &verdict);
	} else if (machine->reboot_wanted || (verdict.kind == FL_ENDED_REBOOT && !young)) {
		machine->reboots++;
		fl_verdict_save(machine, "rebooting", NULL, &verdict);
		if (lived < YOUNG_REBOOT_MS && !machine->reboot_wanted)
			try_again_later(machine, &verdict);
		else
			start_again(machine);
	} else if (policy_restarts(machine, verdict.kind)) {
		try_again_later(machine, &verdict);
	} else {
		give_up(machine, &verdict, young);
	}
}

static void drain(struct fl_machine *machine, int fd, int most, struct fl_console *console, bool tell)
{
	char data[16384];
	ssize_t got;

	for (int i = 0; i < most && fd >= 0 && (got = read(fd, data, sizeof(data))) > 0; i++)
		if (fl_console_add(console, data, (size_t)got) && tell)
			fl_verdict_save(machine,
					machine->phase == FL_MACHINE_SETTLING ? "starting"
					: machine->monitor.paused		      ? "paused"
										      : "running",
					NULL, NULL);
}

static void reap(struct fl_machine *machine)
{
	int status = fl_proc_wait(&machine->vmm, 0, NULL);

	if (status < 0)
		return;
	/* What it said last, on every channel, before the verdict. */
	fl_monitor_read(&machine->monitor);
	fl_monitor_read_events(&machine->monitor);
	drain(machine, machine->out, LAST_READS, &machine->console, false);
	drain(machine, machine->errors, LAST_READS, &machine->stderr_text, false);
	if (machine->stderr_text.line_len)
		fl_console_add(&machine->stderr_text, "\n", 1);
	fl_launch_close(machine);
	judge(machine, status);
}

/* "halt" leaves the VMM running for ever: that is a power-off. */
static void end_if_over(struct fl_machine *machine)
{
	if (machine->told_to_quit || (!machine->console.halted && !machine->monitor.must_end))
		return;
	machine->told_to_quit = true;
	if (machine->monitor.must_end || !fl_monitor_order(&machine->monitor, FL_ORDER_QUIT))
		kill_vmm(machine);
}

static void pass_deadline(struct fl_machine *machine)
{
	machine->deadline = 0;
	switch (machine->phase) {
	case FL_MACHINE_SETTLING:
		/* One that nobody can speak to does not run as it should. */
		if (machine->connect_by || machine->unreachable) {
			machine->deadline = fl_clock_ms() + CONNECT_EVERY_MS;
			break;
		}
		machine->phase = FL_MACHINE_RUNNING;
		machine->held.told_paused = machine->monitor.paused;
		fl_verdict_save(machine, machine->monitor.paused ? "paused" : "running", "CREATED",
				NULL);
		break;
	case FL_MACHINE_STOPPING:
		machine->deaf = true;
		kill_vmm(machine);
		break;
	case FL_MACHINE_WAITING:
		start_again(machine);
		break;
	default:
		break;
	}
}

static int next_timeout(const struct fl_machine *machine)
{
	int64_t left = machine->deadline ? machine->deadline - fl_clock_ms() : -1;
	int64_t answer = fl_monitor_wait_ms(&machine->monitor), held = fl_held_wait_ms(machine);

	if (machine->deadline && left < 0)
		left = 0;
	if (machine->connect_by && (left < 0 || left > CONNECT_EVERY_MS))
		left = CONNECT_EVERY_MS;
	if (answer >= 0 && (left < 0 || left > answer))
		left = answer;
	if (held >= 0 && (left < 0 || left > held))
		left = held;
	return (int)left;
}

enum { AT_VMM, AT_OUT, AT_ERRORS, AT_MONITOR, AT_EVENTS, AT_CHANGES, AT_SIGNAL, AT_LISTENER, AT_CLIENTS,
       AT_KEYBOARD = AT_CLIENTS + FL_CONTROL_CLIENTS, AT_RELAY = AT_KEYBOARD + FL_KEYBOARD_POLLS, AT_END = AT_RELAY + FL_RELAY_POLLS };

static void collect(const struct fl_machine *machine, struct pollfd *fds)
{
	const int numbers[] = { machine->vmm.pidfd, machine->out,  machine->errors,
				machine->monitor.fd, machine->monitor.events, machine->changes,
				fl_cancel_signal_fd(), machine->control.listener };

	for (size_t i = 0; i < FL_COUNT(numbers); i++)
		fds[i] = (struct pollfd){ .fd = numbers[i], .events = POLLIN };
	for (size_t i = 0; i < FL_CONTROL_CLIENTS; i++)
		fds[AT_CLIENTS + i] =
			(struct pollfd){ .fd = machine->control.clients[i], .events = POLLIN };
	fl_keyboard_collect(&machine->keyboard, machine->in, fds + AT_KEYBOARD);
	fl_relay_collect(&machine->relay, fds + AT_RELAY);
}

/* A closed pipe would be readable for ever. */
static void drain_ready(struct fl_machine *machine, const struct pollfd *ready, int *fd,
			struct fl_console *console)
{
	if (!ready->revents)
		return;
	drain(machine, *fd, READS, console, console == &machine->console);
	if (!(ready->revents & POLLIN)) {
		close(*fd);
		*fd = -1;
	}
}

void fl_machine_run(struct fl_machine *machine)
{
	struct pollfd fds[AT_END];

	follow_wish(machine);
	while (machine->phase != FL_MACHINE_DONE) {
		collect(machine, fds);
		poll(fds, FL_COUNT(fds), next_timeout(machine));
		/* Asked to leave (a host that shuts down): the VMM goes, the wish stays. */
		if (fl_cancel_signal())
			return;
		fl_launch_connect(machine);
		if (machine->unreachable)
			kill_vmm(machine);
		drain_ready(machine, &fds[AT_OUT], &machine->out, &machine->console);
		drain_ready(machine, &fds[AT_ERRORS], &machine->errors, &machine->stderr_text);
		if (fds[AT_MONITOR].revents)
			fl_monitor_read(&machine->monitor);
		if (fds[AT_EVENTS].revents)
			fl_monitor_read_events(&machine->monitor);
		fl_held_look(machine);
		fl_monitor_pass_time(&machine->monitor);
		hear_refusals(machine);
		end_if_over(machine);
		if (fds[AT_CHANGES].revents)
			look_at_record(machine);
		if (fds[AT_VMM].revents)
			reap(machine);
		if (machine->deadline && fl_clock_ms() >= machine->deadline)
			pass_deadline(machine);
		fl_requests_poll(machine);
		fl_keyboard_poll(&machine->keyboard, machine->in);
		fl_relay_poll(&machine->relay, fds + AT_RELAY);
	}
}
