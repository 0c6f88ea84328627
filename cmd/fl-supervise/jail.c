/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/jail.h"

#include "cmd/fl-supervise/tap.h"
#include "common/alloc.h"
#include "common/cgroup.h"
#include "common/jail.h"
#include "common/path.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* A thread per processor, of which there are 32 at most, and a few for itself. */
#define MOST_PROCESSES "128"

static const char *text_of(const fl_json *object, const char *key)
{
	const char *text = fl_json_text(fl_json_get(object, key));

	return text ? text : "";
}

static uid_t owner_of(const fl_json *jail)
{
	return (uid_t)fl_json_int(fl_json_get(jail, "owner"));
}

/* Returns its descriptor, or -1. */
static int make_root(const struct fl_vm *vm, const char *folder, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/" FL_JAIL_FOLDER "/%s/root", vm->path, folder);
	fl_cleanup_free char *way = fl_asprintf("%s/root", folder);
	int fd;

	if (fl_path_make_folders(path, 0700, err) < 0)
		return -1;
	if (symlinkat(way, vm->dirfd, FL_JAIL_ROOT) < 0)
		return fl_err_errno(err, errno, "%s/" FL_JAIL_ROOT, vm->path);
	fd = openat(vm->dirfd, FL_JAIL_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fl_err_errno(err, errno, "%s: cannot be opened", path) : fd;
}

static int copy(int from, int to)
{
	ssize_t done;

	do
		done = sendfile(to, from, NULL, SSIZE_MAX & ~0xfffL);
	while (done > 0 || (done < 0 && errno == EINTR));
	return done < 0 ? -1 : 0;
}

/* For what cannot be linked. */
static int put_copy(int root, const char *from, const char *as, uid_t owner)
{
	fl_cleanup_close int in = open(from, O_RDONLY | O_CLOEXEC);
	fl_cleanup_close int out =
		openat(root, as, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);

	if (in < 0 || out < 0 || copy(in, out) < 0)
		return -1;
	return fchown(out, owner, owner);
}

static int put_device(int root, const char *as, dev_t number, bool writes, uid_t owner)
{
	if (mknodat(root, as, S_IFBLK | (writes ? 0600 : 0400), number) < 0)
		return -1;
	return fchownat(root, as, owner, owner, AT_SYMLINK_NOFOLLOW);
}

/* A microVM's own file, which nobody else has by another name. */
static int give(int root, const char *as, bool writes, uid_t owner)
{
	struct stat st;

	if (fstatat(root, as, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (st.st_nlink != 2) {
		errno = EMLINK;
		return -1;
	}
	if (writes)
		return fchownat(root, as, owner, owner, AT_SYMLINK_NOFOLLOW);
	if (fchownat(root, as, (uid_t)-1, owner, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	return fchmodat(root, as, 0640, 0);
}

static int put(int root, const char *from, const char *as, const char *access, uid_t owner)
{
	bool writes = fl_str_equal(access, "write"), shared = fl_str_equal(access, "shared");
	struct stat st;

	if (stat(from, &st) < 0)
		return -1;
	if (S_ISBLK(st.st_mode))
		return put_device(root, as, st.st_rdev, writes, owner);
	/* What others have as well keeps its owner and mode. */
	if (shared && !(st.st_mode & S_IROTH))
		return put_copy(root, from, as, owner);
	if (linkat(AT_FDCWD, from, root, as, AT_SYMLINK_FOLLOW) == 0)
		return shared ? 0 : give(root, as, writes, owner);
	return writes || errno != EXDEV ? -1 : put_copy(root, from, as, owner);
}

static int put_files(int root, const fl_json *jail, struct fl_err *err)
{
	const fl_json *files = fl_json_get(jail, "files");

	for (size_t i = 0; i < fl_json_count(files); i++) {
		const fl_json *file = fl_json_item(files, i);
		const char *from = text_of(file, "from");

		if (put(root, from, text_of(file, "as"), text_of(file, "access"),
			owner_of(jail)) < 0)
			return fl_err_errno(err, errno, "%s: cannot be put into the jail, which is "
					    "in the microVM's folder", from);
	}
	return 0;
}

static int give_taps(const fl_json *jail, struct fl_err *err)
{
	const fl_json *taps = fl_json_get(jail, "taps");

	for (size_t i = 0; i < fl_json_count(taps); i++) {
		const char *link = fl_json_text(fl_json_item(taps, i));

		if (link && fl_tap_give(link, owner_of(jail), err) < 0)
			return -1;
	}
	return 0;
}

int fl_jail_make(const struct fl_vm *vm, const fl_json *launch, int cgroup, struct fl_err *err)
{
	const fl_json *jail = fl_json_get(launch, "jail");
	fl_cleanup_close int root = -1;

	if (!jail)
		return 0;
	if (cgroup < 0)
		return fl_err_set(err, FL_ERR_PRECONDITION, "a jail needs a control group (v2), and "
				  "none can be made here; mount cgroup2 writable, or start it with "
				  "--jailer none");
	/* Where the host counts processes. */
	fl_cgroup_write(vm->uid, "vmm/pids.max", MOST_PROCESSES);
	if (fl_jail_remove(vm, err) < 0)
		return -1;
	root = make_root(vm, text_of(jail, "folder"), err);
	if (root < 0 || put_files(root, jail, err) < 0)
		return -1;
	return give_taps(jail, err);
}

/* Gone with the VMM, the last to write, as a pipe is. */
static int open_ends(int root, const char *name, int *ours, int *theirs)
{
	if (mkfifoat(root, name, 0600) < 0)
		return -1;
	*ours = openat(root, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (*ours < 0)
		return -1;
	*theirs = openat(root, name, O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
	return *theirs < 0 ? -1 : 0;
}

int fl_jail_open_log(const struct fl_vm *vm, const fl_json *launch, int *ours, int *theirs,
		     struct fl_err *err)
{
	const fl_json *jail = fl_json_get(launch, "jail");
	const char *name = text_of(jail, "log");
	uid_t owner = owner_of(jail);
	fl_cleanup_close int root =
		openat(vm->dirfd, FL_JAIL_ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || open_ends(root, name, ours, theirs) < 0 ||
	    fchownat(root, name, owner, owner, AT_SYMLINK_NOFOLLOW) < 0)
		return fl_err_errno(err, errno, "%s: the fifo cannot be made", name);
	return 0;
}

int fl_jail_give_events(const struct fl_vm *vm, const fl_json *launch, struct fl_err *err)
{
	const fl_json *jail = fl_json_get(launch, "jail");
	const char *events = text_of(launch, "events");

	if (!jail || !*events)
		return 0;
	if (fchownat(vm->dirfd, events, owner_of(jail), owner_of(jail), AT_SYMLINK_NOFOLLOW) < 0)
		return fl_err_errno(err, errno, "%s: cannot be given to the VMM", events);
	return 0;
}

void fl_jail_end(const struct fl_vm *vm, const fl_json *launch)
{
	if (fl_json_get(launch, "jail"))
		fl_jail_remove(vm, NULL);
}
