/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/machine.h"

#include "cmd/fl-supervise/requests.h"
#include "cmd/fl-supervise/verdict.h"
#include "common/alloc.h"
#include "common/cgroup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/inotify.h>

#define CONNECT_WITHIN_MS 10000
#define CONNECT_EVERY_MS 20
#define LONGEST_PAUSE_MS 60000
#define GOOD_RUN_MS 60000
#define YOUNG_REBOOT_MS 3000

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
}

int fl_machine_init(struct fl_machine *machine, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	fl_cleanup_free char *run = fl_vm_run_path(vm);
	fl_cleanup_free char *socket = fl_asprintf("%s/supervisor.sock", run);
	fl_cleanup_free char *console = fl_asprintf("%s/console.sock", run);

	*machine = (struct fl_machine){ .vm = vm, .out = -1, .errors = -1, .in = -1,
					.vmm = { .pidfd = -1 }, .qmp = FL_QMP_INIT,
					.keyboard = FL_KEYBOARD_INIT };
	machine->control.listener = -1;
	memset(machine->control.clients, -1, sizeof(machine->control.clients));
	machine->console.fd = machine->stderr_text.fd = -1;
	if (!record)
		return -1;
	read_record(machine, record);
	machine->launch = fl_json_ref(fl_json_at(record, "host.vmm.launch"));
	if (!machine->launch)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: nothing to launch", vm->path);
	machine->policy = policy_of(launch_text(machine, "restart"));
	machine->settle_ms = (uint64_t)fl_json_int(fl_json_get(machine->launch, "settle_ms"));
	machine->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (inotify_add_watch(machine->inotify, vm->path, IN_MOVED_TO | IN_DELETE) < 0)
		return fl_err_errno(err, errno, "%s: cannot be watched", vm->path);
	fl_console_init(&machine->console, vm->dirfd, launch_text(machine, "console"), false);
	fl_console_init(&machine->stderr_text, vm->dirfd, launch_text(machine, "stderr"), true);
	if (fl_keyboard_listen(&machine->keyboard, console, err) < 0)
		return -1;
	return fl_control_listen(&machine->control, socket, vm->uid, err);
}

static void close_run(struct fl_machine *machine)
{
	int *const fds[] = { &machine->out, &machine->errors, &machine->in };

	for (size_t i = 0; i < FL_COUNT(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	fl_qmp_finish(&machine->qmp);
	fl_requests_end(machine);
}

void fl_machine_finish(struct fl_machine *machine)
{
	fl_proc_finish(&machine->vmm);
	close_run(machine);
	fl_control_finish(&machine->control);
	fl_keyboard_finish(&machine->keyboard);
	fl_console_finish(&machine->console);
	fl_console_finish(&machine->stderr_text);
	fl_json_unref(machine->launch);
	close(machine->inotify);
}

static int spawn(struct fl_machine *machine, const int *out, const int *errors, const int *in,
		 struct fl_err *err)
{
	const fl_json *argv = fl_json_get(machine->launch, "argv");
	size_t count = fl_json_count(argv);
	fl_cleanup_free const char **words = fl_alloc_zero(count + 1, sizeof(*words));
	fl_cleanup_close int cgroup = fl_cgroup_open(machine->vm->uid, "vmm");
	struct fl_proc_spec spec = { .argv = words, .in = in[0], .out = out[1], .errfd = errors[1],
				     .cgroup = cgroup, .die_with_parent = true,
				     .new_session = true };

	for (size_t i = 0; i < count; i++)
		words[i] = fl_json_text(fl_json_item(argv, i));
	return fl_proc_spawn(&machine->vmm, &spec, err);
}

static int make_pipes(int *out, int *errors, int *in, struct fl_err *err)
{
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errors, O_CLOEXEC) < 0 || pipe2(in, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "a pipe for the VMM");
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(errors[0], F_SETFL, O_NONBLOCK);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	return 0;
}

int fl_machine_start(struct fl_machine *machine, struct fl_err *err)
{
	int out[2] = { -1, -1 }, errors[2] = { -1, -1 }, in[2] = { -1, -1 };
	int rc = make_pipes(out, errors, in, err);

	fl_console_restart(&machine->console);
	fl_console_restart(&machine->stderr_text);
	machine->stderr_text.last[0] = machine->console.last[0] = 0;
	machine->qmp.reason[0] = 0;
	machine->reboot_wanted = false;
	if (rc == 0)
		rc = spawn(machine, out, errors, in, err);
	close(out[1]);
	close(errors[1]);
	close(in[0]);
	machine->out = out[0];
	machine->errors = errors[0];
	machine->in = in[1];
	if (rc < 0) {
		close_run(machine);
		return -1;
	}
	machine->started = fl_clock_ms();
	machine->connect_by = machine->started + CONNECT_WITHIN_MS;
	machine->phase = FL_MACHINE_SETTLING;
	machine->deadline = machine->started + (int64_t)machine->settle_ms;
	return 0;
}

static void kill_vmm(struct fl_machine *machine)
{
	fl_proc_signal(&machine->vmm, SIGKILL);
}

void fl_machine_reboot(struct fl_machine *machine)
{
	if (machine->phase != FL_MACHINE_RUNNING && machine->phase != FL_MACHINE_SETTLING)
		return;
	machine->reboot_wanted = true;
	machine->phase = FL_MACHINE_STOPPING;
	machine->deadline = fl_clock_ms() + (int64_t)machine->stop_ms;
	if (!fl_qmp_send(&machine->qmp, "system_powerdown"))
		kill_vmm(machine);
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
	/* A paused guest hears no button. */
	if (machine->qmp.paused)
		fl_qmp_send(&machine->qmp, "cont");
	if (machine->stop_ms == 0 || !fl_qmp_send(&machine->qmp, "system_powerdown"))
		kill_vmm(machine);
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
		if (!machine->qmp.paused)
			fl_qmp_send(&machine->qmp, "stop");
		break;
	case FL_WISH_RUNNING:
		if (machine->qmp.paused)
			fl_qmp_send(&machine->qmp, "cont");
		break;
	}
}

static void look_at_record(struct fl_machine *machine)
{
	enum fl_machine_wish before = machine->wish;
	fl_cleanup_json fl_json *record = NULL;
	char events[4096];

	while (read(machine->inotify, events, sizeof(events)) > 0)
		;
	record = fl_vm_load(machine->vm, NULL);
	read_record(machine, record);
	if (machine->wish != before)
		follow_wish(machine);
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

	if (fl_machine_start(machine, &err) == 0) {
		fl_verdict_save(machine, "starting", NULL, NULL);
		return;
	}
	snprintf(verdict.reason, sizeof(verdict.reason), "%s", err.text);
	give_up(machine, &verdict, false);
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

static void drain(struct fl_machine *machine, int fd, struct fl_console *console, bool tell)
{
	char data[16384];
	ssize_t got;

	while (fd >= 0 && (got = read(fd, data, sizeof(data))) > 0)
		if (fl_console_add(console, data, (size_t)got) && tell)
			fl_verdict_save(machine,
					machine->phase == FL_MACHINE_SETTLING ? "starting" : "running",
					NULL, NULL);
}

static void reap(struct fl_machine *machine)
{
	int status = fl_proc_wait(&machine->vmm, 0, NULL);

	if (status < 0)
		return;
	/* What it said last, on every channel, before the verdict. */
	if (machine->qmp.fd >= 0)
		fl_qmp_read(&machine->qmp);
	drain(machine, machine->out, &machine->console, false);
	drain(machine, machine->errors, &machine->stderr_text, false);
	if (machine->stderr_text.line_len)
		fl_console_add(&machine->stderr_text, "\n", 1);
	close_run(machine);
	judge(machine, status);
}

/* "halt" leaves the VMM running for ever: that is a power-off. */
static void end_if_halted(struct fl_machine *machine)
{
	if (machine->console.halted && !fl_qmp_send(&machine->qmp, "quit"))
		kill_vmm(machine);
}

static void pass_deadline(struct fl_machine *machine)
{
	machine->deadline = 0;
	switch (machine->phase) {
	case FL_MACHINE_SETTLING:
		machine->phase = FL_MACHINE_RUNNING;
		fl_verdict_save(machine, "running", "CREATED", NULL);
		break;
	case FL_MACHINE_STOPPING:
		kill_vmm(machine);
		break;
	case FL_MACHINE_WAITING:
		start_again(machine);
		break;
	default:
		break;
	}
}

static void connect_monitor(struct fl_machine *machine)
{
	const char *path = launch_text(machine, "monitor");

	if (!machine->connect_by || !path || machine->vmm.pidfd < 0)
		return;
	if (fl_qmp_connect(&machine->qmp, path) || fl_clock_ms() > machine->connect_by)
		machine->connect_by = 0;
}

static int next_timeout(const struct fl_machine *machine)
{
	int64_t left = machine->deadline ? machine->deadline - fl_clock_ms() : -1;

	if (machine->deadline && left < 0)
		left = 0;
	if (machine->connect_by && (left < 0 || left > CONNECT_EVERY_MS))
		left = CONNECT_EVERY_MS;
	return (int)left;
}

enum { AT_VMM, AT_OUT, AT_ERRORS, AT_QMP, AT_INOTIFY, AT_SIGNAL, AT_LISTENER, AT_CLIENTS,
       AT_KEYBOARD = AT_CLIENTS + FL_CONTROL_CLIENTS, AT_END = AT_KEYBOARD + FL_KEYBOARD_POLLS };

static void collect(const struct fl_machine *machine, struct pollfd *fds)
{
	const int numbers[] = { machine->vmm.pidfd, machine->out,  machine->errors,
				machine->qmp.fd,    machine->inotify, fl_cancel_signal_fd(),
				machine->control.listener };

	for (size_t i = 0; i < FL_COUNT(numbers); i++)
		fds[i] = (struct pollfd){ .fd = numbers[i], .events = POLLIN };
	for (size_t i = 0; i < FL_CONTROL_CLIENTS; i++)
		fds[AT_CLIENTS + i] =
			(struct pollfd){ .fd = machine->control.clients[i], .events = POLLIN };
	fl_keyboard_collect(&machine->keyboard, machine->in, fds + AT_KEYBOARD);
}

/* A closed pipe would be readable for ever. */
static void drain_ready(struct fl_machine *machine, const struct pollfd *ready, int *fd,
			struct fl_console *console)
{
	if (!ready->revents)
		return;
	drain(machine, *fd, console, console == &machine->console);
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
		bool was_paused = machine->qmp.paused;

		collect(machine, fds);
		poll(fds, FL_COUNT(fds), next_timeout(machine));
		/* Asked to leave (a host that shuts down): the VMM goes, the wish stays. */
		if (fl_cancel_signal())
			return;
		connect_monitor(machine);
		drain_ready(machine, &fds[AT_OUT], &machine->out, &machine->console);
		drain_ready(machine, &fds[AT_ERRORS], &machine->errors, &machine->stderr_text);
		if (fds[AT_QMP].revents)
			fl_qmp_read(&machine->qmp);
		if (machine->qmp.paused != was_paused && machine->phase == FL_MACHINE_RUNNING)
			fl_verdict_save(machine, machine->qmp.paused ? "paused" : "running", NULL,
					NULL);
		end_if_halted(machine);
		if (fds[AT_INOTIFY].revents)
			look_at_record(machine);
		if (fds[AT_VMM].revents)
			reap(machine);
		if (machine->deadline && fl_clock_ms() >= machine->deadline)
			pass_deadline(machine);
		fl_requests_poll(machine);
		fl_keyboard_poll(&machine->keyboard, machine->in);
	}
}
