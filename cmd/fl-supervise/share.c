/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/share.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

/* In the daemon; beyond all that are open here. It changes its root to the folder that is open
 * there: whatever becomes of the path, and of links in it, it serves no other. */
#define FOLDER_FD 190
#define LISTENS_WITHIN_MS 5000

/* The path had no symbolic link when it was found to be allowed, and must have none now. */
static int open_folder(const char *path, struct fl_err *err)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));

	return fd < 0 ? fl_err_errno(err, errno, "%s: cannot be shared", path) : fd;
}

static int wait_for(struct fl_proc *daemon, const fl_json *share, int64_t end, struct fl_err *err)
{
	const char *socket = fl_json_text(fl_json_get(share, "socket"));
	const struct timespec pause = { 0, 5000000 };
	struct stat st;

	while (stat(socket, &st) < 0) {
		int status = fl_proc_wait(daemon, 0, NULL);

		if (status >= 0)
			return fl_err_set(err, FL_ERR_SYSTEM, "virtiofsd ended with status %d before "
					  "the VMM was started; see \"fl logs\"", status);
		if (fl_clock_ms() > end)
			return fl_err_set(err, FL_ERR_TIMEOUT, "virtiofsd does not listen");
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int start_one(struct fl_proc *daemon, const char *program, const fl_json *share,
		     const struct fl_shares_place *place, struct fl_err *err)
{
	const char *folder = fl_json_text(fl_json_get(share, "folder"));
	const char *socket = fl_json_text(fl_json_get(share, "socket"));
	fl_cleanup_free char *where = fl_asprintf("--socket-path=%s", socket ? socket : "");
	fl_cleanup_free char *source = fl_asprintf("source=/proc/self/fd/%d/.,cache=auto,sandbox=chroot", FOLDER_FD);
	const char *argv[] = { program, where, "-o", source, "-f", NULL };
	fl_cleanup_close int fd = folder && socket ? open_folder(folder, err) : -1;
	const struct fl_proc_descriptor handed = { fd, FOLDER_FD };

	if (fd < 0)
		return -1;
	unlink(socket);
	return fl_proc_spawn(daemon, &(struct fl_proc_spec){
			     .argv = argv, .in = -1, .out = place->words, .errfd = place->words,
			     .more = &handed, .more_count = 1, .cgroup = place->cgroup,
			     .die_with_parent = true, .new_session = true }, err);
}

/* They begin side by side: nobody else is heard meanwhile. */
static int start_all(struct fl_shares *shares, const fl_json *list, const char *program,
		     const struct fl_shares_place *place, struct fl_err *err)
{
	int64_t end = fl_clock_ms() + LISTENS_WITHIN_MS;

	for (size_t i = 0; i < fl_json_count(list); i++) {
		if (i == FL_SHARES)
			return fl_err_set(err, FL_ERR_INVALID, "more than %d shares", FL_SHARES);
		shares->daemons[i].pidfd = -1;
		shares->count = i + 1;
		if (start_one(&shares->daemons[i], program, fl_json_item(list, i), place, err) < 0)
			return -1;
	}
	for (size_t i = 0; i < shares->count; i++)
		if (wait_for(&shares->daemons[i], fl_json_item(list, i), end, err) < 0)
			return -1;
	return 0;
}

int fl_shares_start(struct fl_shares *shares, const fl_json *launch,
		    const struct fl_shares_place *place, struct fl_err *err)
{
	const fl_json *list = fl_json_get(launch, "shares");
	const char *program = fl_json_text(fl_json_get(launch, "virtiofsd"));

	if (!program || start_all(shares, list, program, place, err) == 0)
		return 0;
	fl_shares_end(shares);
	return -1;
}

void fl_shares_end(struct fl_shares *shares)
{
	for (size_t i = 0; i < shares->count; i++)
		fl_proc_finish(&shares->daemons[i]);
	*shares = (struct fl_shares){ .count = 0 };
}
