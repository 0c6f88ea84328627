/* SPDX-License-Identifier: MPL-2.0 */
#include "common/durable.h"

#include "common/alloc.h"
#include "common/boot.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/str.h"

#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define PENDING ".pending"
#define GATE_MS 10000
#define TRY_EVERY_MS 20
#define NICEST 19
#define MOST_INHERITED 256 /* descriptors of a program that settles */

static int open_pending(int dirfd, struct fl_err *err)
{
	int fd;

	if (mkdirat(dirfd, PENDING, 0755) < 0 && errno != EEXIST)
		return fl_err_errno(err, errno, PENDING ": folder cannot be made");
	fd = openat(dirfd, PENDING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fl_err_errno(err, errno, PENDING ": cannot be opened") : fd;
}

/* Marks come and go only behind the gate, a lock on their folder that is held for a moment:
 * else whoever looks at a name and then makes its mark would take a file that was settled in
 * between for one that another boot left. */
static int open_gate(int dirfd, struct fl_err *err)
{
	fl_cleanup_close int pending = open_pending(dirfd, err);

	if (pending < 0 ||
	    fl_lock_fd(pending, PENDING, FL_LOCK_EXCLUSIVE, GATE_MS, err) < 0)
		return -1;
	return fl_steal_fd(&pending);
}

/* 1 good, 0 absent or of another boot. The mark is looked at first: one that is gone by then
 * went because the file is on disk, and a file that appears later is this boot's. */
static int judge(int dirfd, const char *name)
{
	fl_cleanup_free char *mark = fl_asprintf(PENDING "/%s", name);
	fl_cleanup_close int fd = openat(dirfd, mark, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	char boot[FL_BOOT_ID_TEXT], text[FL_BOOT_ID_TEXT] = "";

	if (fd < 0 && errno != ENOENT)
		return 0;
	if (fd >= 0) {
		fl_boot_id(boot);
		if (pread(fd, text, sizeof(text) - 1, 0) < 0 || strcmp(text, boot) != 0)
			return 0;
	}
	return faccessat(dirfd, name, F_OK, 0) == 0;
}

bool fl_durable_is_good(int dirfd, const char *name)
{
	return judge(dirfd, name) == 1;
}

/* 1 good, 0 the lock is taken, -1: FL_ERR_BUSY or another error. */
static int try_to_begin(struct fl_durable *durable, struct fl_err *err)
{
	fl_cleanup_close int gate = open_gate(durable->dirfd, err);

	if (gate < 0)
		return -1;
	if (judge(durable->dirfd, durable->name) == 1)
		return 1;
	durable->lock = fl_lock_file(gate, durable->name, FL_LOCK_EXCLUSIVE, 0, err);
	/* Its maker may have been just done. */
	return durable->lock < 0 ? -1 : judge(durable->dirfd, durable->name);
}

int fl_durable_begin(struct fl_durable *durable, int dirfd, const char *name, bool wait,
		     const struct fl_cancel *cancel, struct fl_err *err)
{
	struct fl_err why = { 0 };
	int rc = judge(dirfd, name);

	*durable = (struct fl_durable){ .dirfd = dirfd, .lock = -1, .name = fl_strdup(name) };
	if (rc == 1)
		return 1;
	while ((rc = try_to_begin(durable, &why)) < 0) {
		if (!wait || why.kind != FL_ERR_BUSY)
			return fl_err_pass(err, &why);
		if (fl_cancel_wait(cancel, -1, TRY_EVERY_MS, err) < 0)
			return -1;
	}
	if (rc == 0 && unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be replaced", name);
	return rc;
}

int fl_durable_publish(struct fl_durable *durable, struct fl_atomic *file, struct fl_err *err)
{
	char boot[FL_BOOT_ID_TEXT];

	fl_boot_id(boot);
	if (ftruncate(durable->lock, 0) < 0)
		return fl_err_errno(err, errno, "%s: its mark cannot be written", durable->name);
	if (fl_io_pwrite(durable->lock, boot, strlen(boot), 0, durable->name, err) < 0)
		return -1;
	return fl_atomic_publish(file, false, err);
}

int fl_durable_note(int dirfd, const char *name, struct fl_err *err)
{
	fl_cleanup_close int gate = open_gate(dirfd, err);
	char boot[FL_BOOT_ID_TEXT];

	fl_boot_id(boot);
	return gate < 0 ? -1
			: fl_atomic_write(gate, name, 0600, boot, strlen(boot), false, err);
}

bool fl_durable_is_noted(int dirfd, const char *name)
{
	fl_cleanup_free char *mark = fl_asprintf(PENDING "/%s", name);

	return faccessat(dirfd, mark, F_OK, 0) == 0 && judge(dirfd, name) == 1;
}

static void drop_mark(int dirfd, const char *name)
{
	fl_cleanup_close int gate = open_gate(dirfd, NULL);

	if (gate >= 0)
		unlinkat(gate, name, 0);
}

void fl_durable_finish(struct fl_durable *durable)
{
	int saved = errno;

	/* Made in vain: without the file its mark is of no use. */
	if (durable->lock >= 0 && faccessat(durable->dirfd, durable->name, F_OK, 0) < 0)
		drop_mark(durable->dirfd, durable->name);
	if (durable->lock >= 0)
		close(durable->lock);
	free(durable->name);
	*durable = (struct fl_durable)FL_DURABLE_INIT;
	errno = saved;
}

void fl_durable_touch(int dirfd, const char *name)
{
	utimensat(dirfd, name, NULL, 0);
}

int fl_durable_remove(int dirfd, const char *name, struct fl_err *err)
{
	if (unlinkat(dirfd, name, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", name);
	drop_mark(dirfd, name);
	return 0;
}

/* The mark's lock, or -1: there is none, or its maker is at work. */
static int lock_mark(int dirfd, const char *name, struct fl_err *err)
{
	fl_cleanup_close int gate = open_gate(dirfd, err);

	if (gate < 0 || faccessat(gate, name, F_OK, 0) < 0)
		return -1;
	return fl_lock_file(gate, name, FL_LOCK_EXCLUSIVE, 0, err);
}

int fl_durable_settle(int dirfd, const char *name, struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_cleanup_close int lock = lock_mark(dirfd, name, &why);
	fl_cleanup_close int fd = -1;

	if (lock < 0)
		return why.kind == FL_ERR_NONE ? 0 : fl_err_pass(err, &why);
	if (judge(dirfd, name) != 1)
		return 0;
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0 || fsync(dirfd) < 0)
		return fl_err_errno(err, errno, "%s: cannot be put on disk", name);
	drop_mark(dirfd, name);
	return 0;
}

/* What waits in the folder; false when nothing does. */
static bool each_pending(int dirfd, bool settle)
{
	int pending = openat(dirfd, PENDING, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fl_cleanup_dir DIR *dir = pending < 0 ? NULL : fdopendir(pending);
	struct dirent *entry;
	bool any = false;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		any = true;
		if (settle)
			fl_durable_settle(dirfd, entry->d_name, NULL);
	}
	return any;
}

static bool is_among(int fd, const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (fds[i] == fd)
			return true;
	return false;
}

/* Whoever goes on with what was published needs the processors more. Where a session has a share of
 * them to itself, the kernel wants to be told for all of it. */
static void give_way(void)
{
	fl_cleanup_close int group = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);

	setpriority(PRIO_PROCESS, 0, NICEST);
	if (group >= 0)
		dprintf(group, "%d", NICEST);
}

static FL_NORETURN void settle_all(const int *dirfds, size_t count)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* Whoever reads our output, or waits for a lock of ours, must not wait for this one. */
	for (int fd = 0; fd <= 2; fd++)
		dup2(null, fd);
	for (int fd = 3; fd < MOST_INHERITED; fd++)
		if (!is_among(fd, dirfds, count))
			close(fd);
	setsid();
	give_way();
	for (size_t i = 0; i < count; i++)
		each_pending(dirfds[i], true);
	_exit(0);
}

void fl_durable_settle_later(const int *dirfds, size_t count)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		any |= each_pending(dirfds[i], false);
	if (any && fork() == 0)
		settle_all(dirfds, count);
}
