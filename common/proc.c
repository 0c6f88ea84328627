/* SPDX-License-Identifier: MPL-2.0 */
#include "common/proc.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void default_signals(void)
{
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		if (i != SIGKILL && i != SIGSTOP)
			signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Puts fd at its place; a descriptor that is there already only loses close-on-exec. */
static int place(int fd, int at)
{
	if (fd < 0)
		return 0;
	return fd == at ? fcntl(fd, F_SETFD, 0) : dup2(fd, at);
}

static bool place_all(const struct fl_proc_spec *spec)
{
	for (size_t i = 0; i < spec->more_count; i++)
		if (place(spec->more[i].fd, spec->more[i].as) < 0)
			return false;
	return place(spec->in, 0) >= 0 && place(spec->out, 1) >= 0 && place(spec->errfd, 2) >= 0;
}

/* By system calls of its own: the library's would wait for threads that are not here. */
static bool become(const struct fl_proc_user *user)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];

	for (size_t i = 0; i < FL_COUNT(words); i++) {
		uint32_t word = (uint32_t)(user->capabilities >> (32 * i));

		words[i] = (struct __user_cap_data_struct){ word, word, word };
	}
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setgroups, 0, NULL) < 0 ||
	    syscall(SYS_setresgid, user->gid, user->gid, user->gid) < 0 ||
	    syscall(SYS_setresuid, user->uid, user->uid, user->uid) < 0 ||
	    syscall(SYS_capset, &head, words) < 0)
		return false;
	for (unsigned long i = 0; i < 64; i++)
		if ((user->capabilities >> i & 1) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return false;
	return true;
}

static bool join(int cgroup)
{
	int fd = openat(cgroup, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, "0", 1) == 1;
}

static bool is_set(const char *const *variables, const char *ours)
{
	for (size_t i = 0; variables[i]; i++)
		if (strncmp(variables[i], ours, strcspn(ours, "=") + 1) == 0)
			return true;
	return false;
}

/* Ours with the variables; made before the clone, behind which nothing may be allocated: another
 * thread may have held the allocator's lock. Caller frees. */
static char **environment(const char *const *variables)
{
	size_t count = 0, more = 0, kept = 0;
	char **all;

	while (environ[count])
		count++;
	while (variables[more])
		more++;
	all = fl_alloc_zero(count + more + 1, sizeof(*all));
	for (size_t i = 0; i < count; i++)
		if (!is_set(variables, environ[i]))
			all[kept++] = environ[i];
	for (size_t i = 0; i < more; i++)
		all[kept++] = (char *)variables[i];
	return all;
}

static FL_NORETURN void child_main(const struct fl_proc_spec *spec, char **variables,
				   bool is_placed, pid_t parent, int report)
{
	bool became;
	int errnum;

	default_signals();
	/* Who becomes another forgets whose end is his own: that comes after. */
	became = !spec->user || become(spec->user);
	if (spec->die_with_parent &&
	    (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent))
		_exit(127);
	if (spec->new_session)
		setsid();
	if (variables)
		environ = variables;
	if (became && (is_placed || spec->cgroup <= 0 || join(spec->cgroup)) && place_all(spec))
		execvp(spec->argv[0], (char *const *)spec->argv);
	errnum = errno;
	if (write(report, &errnum, sizeof(errnum)) < 0)
		_exit(126);
	_exit(127);
}

/* Where clone3 is forbidden (systemd's RestrictNamespaces=, containers' filters): a fork, whose
 * child moves itself. */
static pid_t fork_child(int *pidfd)
{
	pid_t pid = fork();
	int errnum;

	if (pid <= 0)
		return pid;
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd >= 0)
		return pid;
	errnum = errno;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	errno = errnum;
	return -1;
}

static pid_t clone_child(int *pidfd, int cgroup, bool *is_placed)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | (cgroup > 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup > 0 ? (uint64_t)cgroup : 0,
	};

	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	*is_placed = pid >= 0 || errno != ENOSYS;
	return *is_placed ? pid : fork_child(pidfd);
}

int fl_proc_spawn(struct fl_proc *child, const struct fl_proc_spec *spec, struct fl_err *err)
{
	fl_cleanup_close int from = -1, to = -1;
	fl_cleanup_free char **variables = spec->variables ? environment(spec->variables) : NULL;
	pid_t parent = getpid();
	int report[2], errnum = 0;
	bool is_placed;

	*child = (struct fl_proc){ .pidfd = -1 };
	if (pipe2(report, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "%s: cannot be started", spec->argv[0]);
	from = report[0];
	to = report[1];
	child->pid = clone_child(&child->pidfd, spec->cgroup, &is_placed);
	if (child->pid == 0)
		child_main(spec, variables, is_placed, parent, to);
	if (child->pid < 0)
		return fl_err_errno(err, errno, "%s: cannot be started", spec->argv[0]);
	close(fl_steal_fd(&to));
	if (read(from, &errnum, sizeof(errnum)) == sizeof(errnum)) {
		fl_proc_finish(child);
		return fl_err_errno(err, errnum, "%s: cannot be executed", spec->argv[0]);
	}
	return 0;
}

static int reap(struct fl_proc *child)
{
	int status = 0;

	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(child->pidfd);
	child->pidfd = -1;
	return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int fl_proc_wait(struct fl_proc *child, int timeout_ms, struct fl_err *err)
{
	struct pollfd ended = { .fd = child->pidfd, .events = POLLIN };
	int ready = poll(&ended, 1, timeout_ms);

	if (ready < 0 && errno == EINTR)
		return fl_err_set(err, FL_ERR_INTERRUPTED, "interrupted");
	if (ready < 0)
		return fl_err_errno(err, errno, "process %d", child->pid);
	if (ready == 0)
		return fl_err_set(err, FL_ERR_TIMEOUT, "process %d still runs after %d ms",
				  child->pid, timeout_ms);
	return reap(child);
}

void fl_proc_signal(struct fl_proc *child, int sig)
{
	if (child->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, child->pidfd, sig, NULL, 0);
}

void fl_proc_finish(struct fl_proc *child)
{
	if (child->pid <= 0 || child->pidfd < 0)
		return;
	fl_proc_signal(child, SIGKILL);
	reap(child);
}

int fl_proc_ask(const char *const *argv, int timeout_ms, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_close int fd = memfd_create("answer", MFD_CLOEXEC);
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct fl_proc child = { .pidfd = -1 };
	int status;

	fl_str_add(out, "");
	if (fd < 0 || null < 0)
		return fl_err_errno(err, errno, "%s: nowhere to put its answer", argv[0]);
	if (fl_proc_spawn(&child, &(struct fl_proc_spec){ .argv = argv, .in = null, .out = fd,
							  .errfd = null }, err) < 0)
		return -1;
	status = fl_proc_wait(&child, timeout_ms, err);
	fl_proc_finish(&child);
	if (status != 0)
		return status < 0 ? -1 : fl_err_set(err, FL_ERR_SYSTEM, "%s ended with status %d",
						    argv[0], status);
	if (lseek(fd, 0, SEEK_SET) < 0)
		return fl_err_errno(err, errno, "%s: its answer cannot be read", argv[0]);
	return fl_io_read_all(fd, 1 << 20, out, argv[0], err);
}
