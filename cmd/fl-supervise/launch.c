/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/launch.h"

#include "cmd/fl-supervise/jail.h"
#include "cmd/fl-supervise/requests.h"
#include "cmd/fl-supervise/stream.h"
#include "cmd/fl-supervise/tap.h"
#include "common/alloc.h"
#include "common/cgroup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <string.h>

#define CONNECT_WITHIN_MS 20000
#define MOST_TAPS 32

/* The ends of the pipes that the VMM gets, and the descriptors of its taps. */
struct handed {
	int in, out, errors;
	struct fl_proc_descriptor taps[MOST_TAPS];
	size_t tap_count;
};

static const char *launch_text(const struct fl_machine *machine, const char *key)
{
	return fl_json_text(fl_json_get(machine->launch, key));
}

void fl_launch_close(struct fl_machine *machine)
{
	int *const fds[] = { &machine->out, &machine->errors, &machine->in };

	for (size_t i = 0; i < FL_COUNT(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
	fl_monitor_end(&machine->monitor);
	fl_requests_end(machine);
	fl_shares_end(&machine->shares);
	fl_jail_end(machine->vm, machine->launch);
}

static void close_handed(struct handed *handed)
{
	const int fds[] = { handed->in, handed->out, handed->errors };

	for (size_t i = 0; i < FL_COUNT(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (size_t i = 0; i < handed->tap_count; i++)
		close(handed->taps[i].fd);
}

/* A pipe: what is kept here does not block. */
static int make_pipe(int *ours, int *theirs, bool we_read, struct fl_err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "a pipe for the VMM");
	*ours = ends[!we_read];
	*theirs = ends[we_read];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
	return 0;
}

/* In a jail the VMM's log finds the pipe by a name. */
static int make_errors(struct fl_machine *machine, struct handed *handed, struct fl_err *err)
{
	if (fl_json_at(machine->launch, "jail.log"))
		return fl_jail_open_log(machine->vm, machine->launch, &machine->errors,
					&handed->errors, err);
	return make_pipe(&machine->errors, &handed->errors, true, err);
}

static int make_pipes(struct fl_machine *machine, struct handed *handed, struct fl_err *err)
{
	if (make_pipe(&machine->out, &handed->out, true, err) < 0 ||
	    make_errors(machine, handed, err) < 0)
		return -1;
	return make_pipe(&machine->in, &handed->in, false, err);
}

static int open_taps(struct fl_machine *machine, struct handed *handed, struct fl_err *err)
{
	const fl_json *taps = fl_json_get(machine->launch, "taps");

	if (fl_json_count(taps) > MOST_TAPS)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%zu macvtaps; a VMM is given at most %d",
				  fl_json_count(taps), MOST_TAPS);
	for (size_t i = 0; i < fl_json_count(taps); i++) {
		const fl_json *tap = fl_json_item(taps, i);
		const char *link = fl_json_text(fl_json_get(tap, "link"));
		int fd = link ? fl_tap_open(machine->vm->dirfd, link, err) : -1;

		if (fd < 0)
			return -1;
		handed->taps[handed->tap_count++] = (struct fl_proc_descriptor){
			fd, (int)fl_json_int(fl_json_get(tap, "fd"))
		};
	}
	return 0;
}

static int spawn(struct fl_machine *machine, const struct handed *handed, int cgroup,
		 struct fl_err *err)
{
	const fl_json *argv = fl_json_get(machine->launch, "argv");
	size_t count = fl_json_count(argv);
	fl_cleanup_free const char **words = fl_alloc_zero(count + 1, sizeof(*words));
	struct fl_proc_spec spec = { .argv = words,		 .in = handed->in,
				     .out = handed->out,	 .errfd = handed->errors,
				     .more = handed->taps,	 .more_count = handed->tap_count,
				     .cgroup = cgroup,		 .die_with_parent = true,
				     .new_session = true };

	for (size_t i = 0; i < count; i++)
		words[i] = fl_json_text(fl_json_item(argv, i));
	return fl_proc_spawn(&machine->vmm, &spec, err);
}

/* Some VMMs refuse to start beside the socket of an earlier run. run.lock is held: nobody
 * listens there. */
static void remove_stale(const struct fl_machine *machine)
{
	static const char *const theirs[] = { "monitor", "console_socket", "vsock.socket" };
	/* The relay's own socket serves the next run as well. */
	size_t count = FL_COUNT(theirs) - (machine->relay.listener >= 0);

	for (size_t i = 0; i < count; i++) {
		const char *path = fl_json_text(fl_json_at(machine->launch, theirs[i]));

		if (path)
			unlink(path);
	}
}

/* Before anything is opened in it. */
static int make_jail(struct fl_machine *machine, int cgroup, struct fl_err *err)
{
	if (!fl_json_get(machine->launch, "jail"))
		return 0;
	if (fl_jail_make(machine->vm, machine->launch, cgroup, err) < 0)
		return -1;
	return fl_guard_start(&machine->guard, machine->vm->uid, err);
}

/* It stays over the guest's reboots. */
static int open_relay(struct fl_machine *machine, struct fl_err *err)
{
	const char *path = fl_json_text(fl_json_at(machine->launch, "vsock.socket"));
	int64_t cid = fl_json_int(fl_json_at(machine->launch, "vsock.cid"));

	if (!path || !cid || machine->relay.listener >= 0)
		return 0;
	return fl_relay_listen(&machine->relay, path, (uint32_t)cid, err);
}

static int start(struct fl_machine *machine, struct handed *handed, struct fl_err *err)
{
	fl_cleanup_close int cgroup = fl_cgroup_open(machine->vm->uid, "vmm");

	remove_stale(machine);
	if (make_jail(machine, cgroup, err) < 0 || make_pipes(machine, handed, err) < 0 ||
	    open_taps(machine, handed, err) < 0 ||
	    fl_monitor_open_events(&machine->monitor, machine->vm->dirfd, err) < 0 ||
	    fl_jail_give_events(machine->vm, machine->launch, err) < 0 ||
	    open_relay(machine, err) < 0 ||
	    fl_shares_start(&machine->shares, machine->launch,
			    &(struct fl_shares_place){ cgroup, handed->errors }, err) < 0)
		return -1;
	return spawn(machine, handed, cgroup, err);
}

int fl_launch(struct fl_machine *machine, struct fl_err *err)
{
	struct handed handed = { -1, -1, -1, { { 0 } }, 0 };
	int rc;

	fl_console_restart(&machine->console);
	fl_console_restart(&machine->stderr_text);
	machine->stderr_text.last[0] = machine->console.last[0] = 0;
	machine->monitor.reason[0] = 0;
	machine->reboot_wanted = machine->told_to_quit = machine->deaf = false;
	machine->refused_stop = false;
	machine->unreachable = NULL;
	machine->console_connected = false;
	rc = start(machine, &handed, err);
	close_handed(&handed);
	if (rc < 0) {
		fl_launch_close(machine);
		return -1;
	}
	machine->started = fl_clock_ms();
	machine->connect_by = machine->started + CONNECT_WITHIN_MS;
	machine->phase = FL_MACHINE_SETTLING;
	machine->deadline = machine->started + (int64_t)machine->settle_ms;
	return 0;
}

/* What was the VMM's own output until now is the guest's, both ways. */
static bool connect_console(struct fl_machine *machine)
{
	const char *path = launch_text(machine, "console_socket");
	int fd;

	if (!path || machine->console_connected)
		return true;
	fd = fl_stream_connect(path);
	if (fd < 0)
		return false;
	close(machine->out);
	close(machine->in);
	machine->out = fd;
	machine->in = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	machine->console_connected = true;
	return true;
}

void fl_launch_connect(struct fl_machine *machine)
{
	bool all;

	if (!machine->connect_by || machine->vmm.pidfd < 0)
		return;
	all = fl_monitor_connect(&machine->monitor);
	all &= connect_console(machine);
	if (!all && fl_clock_ms() > machine->connect_by)
		machine->unreachable = launch_text(machine, machine->monitor.fd < 0 ? "monitor"
								   : "console_socket");
	if (all || machine->unreachable)
		machine->connect_by = 0;
}
