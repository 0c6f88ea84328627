/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/start.h"

#include "cmd/fl-run/jail.h"
#include "common/accel.h"
#include "common/alloc.h"
#include "common/atomic.h"
#include "common/boot.h"
#include "common/cgroup.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/jail.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/shell.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* How long a supervisor may take to answer at all, on a machine under load. */
#define ANSWER_MS 30000
#define RUNNING_MS 60000
#define LONGEST_SETTLE_MS 3600000
/* Whoever looks whether it runs has the lock for a moment. */
#define LOCK_MS 1000

/* Once jailed, a microVM is not let out by a start that does not say so. */
static const char *jailer_of(const struct fl_step_call *call)
{
	const char *before = fl_json_text(fl_json_at(call->record, "host.vmm.launch.jail.program"));
	const char *set = getenv("FL_JAILER");
	const char *jailer = fl_args_text(call->args, "jailer", set && *set ? set : before);

	return fl_str_equal(jailer, "none") ? NULL : jailer;
}

static int compose(struct fl_step_call *call, bool check, fl_json **launch, struct fl_err *err)
{
	const struct fl_provider *provider = fl_step_provider(call);
	const struct fl_vmm *vmm = provider ? fl_vmm_find(provider->name) : NULL;
	fl_cleanup_free char *program = NULL;
	struct fl_vmm_request request = {
		.vm = call->vm,
		.record = call->record,
		.spec = &call->spec,
		.provider = provider,
		.accel = fl_step_asked(call, "accel", "auto"),
		.jailer = jailer_of(call),
		.check = check,
	};

	if (!vmm)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "provider %s cannot be driven",
				  call->spec.provider);
	if (fl_vmm_guest(&request, &request.arch, err) < 0)
		return -1;
	program = fl_vmm_program(vmm, fl_step_asked(call, vmm->provider, NULL), request.arch);
	request.program = program;
	return vmm->compose(&request, launch, err);
}

/* As a shell makes them. */
static void print_files(const struct fl_vm *vm, const fl_json *files, struct fl_str *out)
{
	for (void *i = fl_json_first(files); i; i = fl_json_next(files, i)) {
		fl_cleanup_free char *path = fl_asprintf("%s/%s", vm->path, fl_json_key(i));

		fl_str_add(out, "cat >");
		fl_shell_word(out, path);
		fl_str_addf(out, " <<'END'\n%sEND\n", fl_json_text(fl_json_value(i)));
	}
}

/* Some VMMs refuse to start beside the socket of an earlier run, or wait for who reads its fifo. */
static void print_place(const struct fl_vm *vm, const char *events, struct fl_str *out)
{
	fl_cleanup_free char *run = fl_vm_run_path(vm);
	fl_cleanup_free char *above = fl_strndup(run, (size_t)(strrchr(run, '/') - run));
	const char *const words[] = { "mkdir -p ", above, " && ln -sfn ", vm->path, " ", run, " && rm -f ", run };

	for (size_t i = 0; i < FL_COUNT(words); i += 2) {
		fl_str_add(out, words[i]);
		fl_shell_word(out, words[i + 1]);
	}
	fl_str_add(out, "/*.sock");
	if (events) {
		fl_str_add(out, " ");
		fl_shell_word(out, run);
		fl_str_addf(out, "/%s", events);
	}
	fl_str_add(out, "\n");
}

/* The folders of the host are served before the VMM looks for them. */
static void print_shares(const fl_json *launch, struct fl_str *out)
{
	const fl_json *shares = fl_json_get(launch, "shares");

	for (size_t i = 0; i < fl_json_count(shares); i++) {
		const fl_json *share = fl_json_item(shares, i);
		fl_cleanup_free char *where = fl_asprintf(
			"--socket-path=%s", fl_json_text(fl_json_get(share, "socket")));
		fl_cleanup_free char *source = fl_asprintf(
			"source=%s,cache=auto,sandbox=chroot", fl_json_text(fl_json_get(share, "folder")));

		fl_shell_word(out, fl_json_text(fl_json_get(launch, "virtiofsd")));
		fl_str_add(out, " ");
		fl_shell_word(out, where);
		fl_str_add(out, " -o ");
		fl_shell_word(out, source);
		fl_str_add(out, " -f &\n");
	}
}

int fl_start_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_json fl_json *launch = NULL;
	const fl_json *argv;

	if (compose(call, false, &launch, err) < 0)
		return -1;
	print_files(call->vm, fl_json_get(launch, "files"), out);
	argv = fl_json_get(launch, "argv");
	print_place(call->vm, fl_json_text(fl_json_get(launch, "events")), out);
	print_shares(launch, out);
	fl_jail_print(call->vm, launch, out);
	for (size_t i = 0; i < fl_json_count(argv); i++) {
		if (i)
			fl_str_add(out, " ");
		fl_shell_word(out, fl_json_text(fl_json_item(argv, i)));
	}
	fl_str_add(out, "\n");
	return 0;
}

/* For "fl start", and "fl restore" after the host's reboot. The jail is the launch's own. */
static const char *const lasting[] = { "accel", "qemu", "firecracker", "cloudhypervisor", "restart", NULL };

struct starting {
	const struct fl_args *args;
	fl_json *launch;
};

static int put_launch(void *arg, fl_json *record, struct fl_err *err)
{
	const struct starting *starting = arg;
	fl_json *vsock = fl_json_at(starting->launch, "vsock.socket");
	char boot[FL_BOOT_ID_TEXT];

	/* The last word that a microVM ever hears, also when it comes only now. */
	if (fl_record_is_leaving(record))
		return fl_err_set(err, FL_ERR_ABORTED, "the microVM is being deleted");
	fl_boot_id(boot);
	fl_json_put(record, "host.boot_id", fl_json_new_text(boot));
	fl_record_desire(record, "running");
	fl_json_put(record, "host.vmm", NULL);
	/* How long the last stop could take says nothing about a reboot of this run. */
	fl_json_put(record, "host.stop_ms", NULL);
	fl_json_put(record, "host.vmm.launch", fl_json_ref(starting->launch));
	fl_step_keep_asked(starting->args, lasting, record);
	fl_json_put(record, "host.vmm.state", fl_json_new_text("starting"));
	fl_json_put(record, "status.state", fl_json_new_text("PENDING"));
	fl_json_put(record, "status.vsock_path", vsock ? fl_json_ref(vsock) : NULL);
	return 0;
}

static int take_report(const char *report, struct fl_err *err)
{
	const char *space = strchrnul(report, ' ');
	fl_cleanup_free char *kind = fl_strndup(report, (size_t)(space - report));
	size_t len = strlen(report);

	if (strcmp(report, "ready\n") == 0)
		return 0;
	if (!len || !*space)
		return fl_err_set(err, FL_ERR_SYSTEM, "the supervisor ended without a word");
	return fl_err_set(err, fl_err_kind_of(kind), "%.*s", (int)(report + len - 1 - space - 1),
			  space + 1);
}

static int read_report(int fd, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (fl_cancel_wait(NULL, fd, ANSWER_MS, err) < 0)
		return -1;
	if (fl_io_read_all(fd, 4096, &text, "supervisor", err) < 0)
		return -1;
	return take_report(text.data, err);
}

/* The supervisor is a child only until it has said that the VMM was started. It is born in its
 * control group: to move there later takes the kernel milliseconds. It inherits run.lock. */
static int spawn_supervisor(const struct fl_vm *vm, int lock, struct fl_err *err)
{
	const struct fl_proc_descriptor handed = { lock, lock };
	fl_cleanup_free char *program =
		fl_path_beside_program("libexec/flintlock", "fl-supervise");
	fl_cleanup_free char *number = fl_asprintf("%d", lock);
	const char *argv[] = { program, vm->state->dir, vm->name_space, vm->name, vm->uid, number, NULL };
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fl_cleanup_close int from = -1, to = -1, group = -1;
	struct fl_proc child;
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "a pipe for the supervisor");
	from = ends[0];
	to = ends[1];
	if (fl_cgroup_make(vm->uid))
		group = fl_cgroup_open(vm->uid, "supervisor");
	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = null, .out = to,
							  .errfd = null, .cgroup = group,
							  .more = &handed, .more_count = 1,
							  .new_session = true },
			  err) < 0)
		return -1;
	close(child.pidfd);
	close(fl_steal_fd(&to));
	return read_report(from, err);
}

int fl_start_judge(void *arg, const fl_json *record, struct fl_err *err)
{
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));
	const char *reason = fl_json_text(fl_json_at(record, "host.vmm.exit.reason"));
	const char *kind = fl_json_text(fl_json_at(record, "host.vmm.exit.kind"));

	(void)arg;
	if (fl_record_is_leaving(record))
		return fl_err_set(err, FL_ERR_ABORTED, "the microVM is being deleted");
	if (fl_str_equal(state, "running") || fl_str_equal(state, "paused"))
		return 1;
	/* A job may be done before anybody looks. */
	if (fl_record_has_ended(record) && fl_json_bool(fl_json_at(record, "host.vmm.settled")))
		return 1;
	if (fl_str_equal(state, "failed") || fl_str_equal(state, "waiting"))
		/* What a VMM fails at it says itself; else it is the guest that spoke. */
		return fl_err_set(err, FL_ERR_GUEST, "%s; see \"fl %s %s%s\"", reason ? reason : "it ended",
				  fl_str_equal(kind, "fault") ? "logs" : "console",
				  fl_json_text(fl_json_at(record, "spec.uid")),
				  fl_str_equal(kind, "fault") ? "" : " --print");
	if (fl_str_equal(state, "stopped"))
		return fl_err_set(err, FL_ERR_ABORTED, "it was stopped meanwhile");
	return 0;
}

/* A supervisor was killed: its VMM dies with it, but not before it is dead. */
static int bury(const struct fl_vm *vm, struct fl_err *err)
{
	if (!fl_cgroup_remove(vm->uid, 500)) {
		fl_cgroup_kill(vm->uid);
		if (!fl_cgroup_remove(vm->uid, 5000))
			return fl_err_set(err, FL_ERR_BUSY, "%s/%s: processes of an earlier run do "
					  "not end", vm->name_space, vm->name);
	}
	return fl_jail_remove(vm, err);
}

/* What the spec says is its owner's word, and goes before what an earlier start was asked; the
 * record's is the habit of whoever made it. */
static const char *policy(struct fl_step_call *call)
{
	const char *label = call->spec.asked.restart;
	const char *habit = fl_json_text(fl_json_at(call->record, "host.restart"));

	if (label)
		return fl_args_text(call->args, "restart", label);
	return fl_step_asked(call, "restart", habit ? habit : "no");
}

static int write_files(const struct fl_vm *vm, const fl_json *files, struct fl_err *err)
{
	for (void *i = fl_json_first(files); i; i = fl_json_next(files, i)) {
		const char *text = fl_json_text(fl_json_value(i));

		if (fl_atomic_write(vm->dirfd, fl_json_key(i), 0600, text, strlen(text), false,
				    err) < 0)
			return -1;
	}
	return 0;
}

/* *lock is for the caller to close, also after a failure. */
static int launch(struct fl_step_call *call, uint64_t settle, int *lock, struct fl_err *err)
{
	fl_cleanup_json fl_json *launch_doc = NULL;
	const char *restart = policy(call);
	struct starting starting = { call->args, NULL };

	if (bury(call->vm, err) < 0 || compose(call, true, &launch_doc, err) < 0)
		return -1;
	if (write_files(call->vm, fl_json_get(launch_doc, "files"), err) < 0)
		return -1;
	fl_json_set(launch_doc, "files", NULL);
	fl_json_set(launch_doc, "settle_ms", fl_json_new_int((int64_t)settle));
	fl_json_set(launch_doc, "restart", fl_json_new_text(restart));
	starting.launch = launch_doc;
	/* Held from before the record says so, that nobody takes what is being started for lost. */
	*lock = fl_vm_lock_run(call->vm, LOCK_MS, err);
	if (*lock < 0 || fl_vm_link(call->vm, err) < 0 ||
	    fl_vm_change(call->vm, FL_SAVE_SYNC, put_launch, &starting, err) < 0)
		return -1;
	return spawn_supervisor(call->vm, *lock, err);
}

static int put_asked(void *arg, fl_json *record, struct fl_err *err)
{
	const struct fl_args *args = arg;
	const char *restart = fl_args_text(args, "restart", NULL);
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));

	(void)err;
	fl_record_desire(record, "running");
	/* What is ending just now did not settle for who asks now. */
	if (!fl_str_equal(state, "running") && !fl_str_equal(state, "paused"))
		fl_json_put(record, "host.vmm.settled", NULL);
	fl_step_keep_asked(args, lasting, record);
	if (restart)
		fl_json_put(record, "host.vmm.launch.restart", fl_json_new_text(restart));
	return 0;
}

/* One that runs takes another policy; the rest is for its next start. */
static int ask_running(const struct fl_step_call *call, struct fl_err *err)
{
	return fl_vm_change(call->vm, FL_SAVE_SYNC, put_asked, (void *)call->args, err);
}

/* What is asked for by name has to be there: it is kept for later starts, too. */
static int check_program(const struct fl_step_call *call, struct fl_err *err)
{
	const struct fl_provider *provider = fl_step_provider(call);
	const char *name = provider ? fl_args_text(call->args, provider->name, NULL) : NULL;
	fl_cleanup_free char *found = name ? fl_path_find_program(name) : NULL;

	if (!name || found)
		return 0;
	return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no such program; install it, or give another "
			  "with --%s", name, provider->name);
}

/* Who starts it does not wait for the supervisor's next try. */
static int end_waiting(const struct fl_step_call *call, struct fl_err *err)
{
	const char *state = fl_json_text(fl_json_at(call->record, "host.vmm.state"));

	if (!fl_str_equal(state, "waiting"))
		return 0;
	return fl_vm_desire(call->vm, "stopped", err) < 0 ? -1 : fl_stop_for_good(call->vm, 10000, err);
}

/* With the reason: who looks at once is told it. */
static int put_failed(void *arg, fl_json *record, struct fl_err *err)
{
	(void)err;
	fl_step_put_failure(record, "run", arg);
	fl_json_put(record, "status.state", fl_json_new_text("FAILED"));
	fl_json_put(record, "host.vmm.state", fl_json_new_text("failed"));
	return 0;
}

int fl_start_check(const struct fl_args *args, struct fl_err *err)
{
	uint64_t settle;

	if (fl_args_duration(args, "settle", 0, &settle, err) < 0)
		return -1;
	if (settle > LONGEST_SETTLE_MS)
		return fl_err_set(err, FL_ERR_USAGE, "option --settle: at most 1h");
	if (fl_accel_check(fl_args_text(args, "accel", "auto"), err) < 0)
		return -1;
	return fl_labels_check_restart(fl_args_text(args, "restart", "no"), err);
}

int fl_start(struct fl_step_call *call, struct fl_err *err)
{
	/* Until the failure is put down: who waits is not to take it for a supervisor's death. */
	fl_cleanup_close int lock = -1;
	uint64_t settle;

	if (check_program(call, err) < 0 ||
	    fl_args_duration(call->args, "settle", 2000, &settle, err) < 0 || end_waiting(call, err) < 0)
		return -1;
	if (fl_vm_is_supervised(call->vm)) {
		if (ask_running(call, err) < 0)
			return -1;
	} else if (launch(call, settle, &lock, err) < 0) {
		fl_vm_change(call->vm, FL_SAVE_PLAIN, put_failed, err, NULL);
		return -1;
	}
	call->settle_ms = RUNNING_MS + (int)settle;
	return 0;
}

int fl_stop_for_good(const struct fl_vm *vm, int timeout_ms, struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_cleanup_close int lock = fl_vm_lock_run(vm, timeout_ms, &why);

	/* Who no longer wants to wait for the guest does not want it killed. */
	if (lock < 0 && why.kind == FL_ERR_INTERRUPTED)
		return fl_err_pass(err, &why);
	if (lock < 0) {
		fl_cgroup_kill(vm->uid);
		lock = fl_vm_lock_run(vm, 2000, err);
	}
	if (lock < 0)
		return fl_err_prefix(err, "%s/%s: the supervisor does not end", vm->name_space,
				     vm->name);
	return bury(vm, err);
}
