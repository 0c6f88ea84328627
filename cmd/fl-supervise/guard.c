/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/guard.h"

#include "common/cgroup.h"
#include "common/path.h"

#include <fcntl.h>
#include <sys/prctl.h>

int fl_guard_start(struct fl_guard *guard, const char *uid, struct fl_err *err)
{
	const char *argv[] = { "/proc/self/exe", "guard", uid, NULL };
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fl_cleanup_close int in = -1;
	int ends[2];

	if (guard->line >= 0 && fl_proc_wait(&guard->process, 0, NULL) < 0)
		return 0;
	fl_guard_end(guard);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return fl_err_errno(err, errno, "a pipe for the jail's guard");
	in = ends[0];
	guard->line = ends[1];
	return fl_proc_spawn(&guard->process, &(struct fl_proc_spec){
			     .argv = argv, .in = in, .out = null, .errfd = null,
			     .new_session = true }, err);
}

void fl_guard_end(struct fl_guard *guard)
{
	fl_proc_finish(&guard->process);
	if (guard->line >= 0)
		close(guard->line);
	guard->line = -1;
}

int fl_guard_main(const char *uid)
{
	ssize_t got;
	char byte;

	if (!fl_path_is_name(uid))
		return 2;
	/* Whoever kills all supervisors by their name does not mean this one. */
	prctl(PR_SET_NAME, "fl-guard");
	do
		got = read(STDIN_FILENO, &byte, 1);
	while (got > 0 || (got < 0 && errno == EINTR));
	fl_cgroup_kill(uid);
	return 0;
}
