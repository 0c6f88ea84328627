/* SPDX-License-Identifier: MPL-2.0 */
/* A file system with reflink in a sparse file, mounted over the state folder. */
#include "cmd/fl-provision/act.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/num.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* mkfs.xfs makes nothing smaller. */
#define LEAST_XFS ((uint64_t)300 << 20)

static bool is_xfs(const fl_json *about)
{
	return strcmp(fl_about_text(about, "filesystem"), "xfs") == 0;
}

/* sparse: no more is taken than is written, and more may be promised than there is. */
static int check_room(const char *path, uint64_t size, bool sparse, struct fl_str *why,
		      struct fl_err *err)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *folder = fl_strndup(path, (size_t)(slash - path));
	char want[16], have[16];
	struct statvfs st;
	uint64_t space;

	/* The folder may be an act of the same list. */
	while (*folder && statvfs(folder, &st) < 0)
		*strrchr(folder, '/') = 0;
	if (statvfs(*folder ? folder : "/", &st) < 0)
		return fl_err_errno(err, errno, "%s", folder);
	space = (uint64_t)st.f_bavail * st.f_frsize;
	if (size <= space)
		return FL_LOOK_MAKE;
	fl_num_print_size(size, want);
	fl_num_print_size(space, have);
	if (sparse) {
		fl_str_addf(why, "%s, of which only %s are free now", want, have);
		return FL_LOOK_MAKE;
	}
	return fl_err_set(err, FL_ERR_EXHAUSTED, "%s: is to hold %s, and only %s are free; ask for "
			  "less", path, want, have);
}

static int look_image(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		      struct fl_err *err)
{
	uint64_t size = (uint64_t)fl_json_int(fl_json_get(act->about, "size"));
	const char *path = fl_act_name(act);
	struct stat st;

	if (stat(path, &st) == 0) {
		if (S_ISREG(st.st_mode) && (uint64_t)st.st_size == size)
			return FL_LOOK_DONE;
		if (!fl_ledger_find(site->ledger, "image", path))
			return fl_err_set(err, FL_ERR_EXISTS, "%s: is there and not ours; move it away",
					  path);
		fl_str_addf(why, "it is there with another size");
		return FL_LOOK_KEEP;
	}
	if (is_xfs(act->about) && size < LEAST_XFS)
		return fl_err_set(err, FL_ERR_INVALID, "--reflink: a file system needs at least 300M");
	return check_room(path, size, fl_json_bool(fl_json_get(act->about, "sparse")), why, err);
}

static int fill(const struct fl_atomic *file, const char *path, const fl_json *about,
		struct fl_err *err)
{
	off_t size = (off_t)fl_json_int(fl_json_get(about, "size"));
	fl_cleanup_free char *self = fl_asprintf("/proc/%d/fd/%d", (int)getpid(), file->fd);

	if (ftruncate(file->fd, size) < 0)
		return fl_err_errno(err, errno, "%s", path);
	if (!is_xfs(about))
		return 0;
	return FL_RUN(NULL, err, "mkfs.xfs", "-q", "-f", "-m", "reflink=1,crc=1", self);
}

static int make_image(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic file = FL_ATOMIC_INIT;

	(void)site;
	if (fl_atomic_open_path(&file, fl_act_name(act), 0600, err) < 0)
		return -1;
	fl_atomic_sweep(file.dirfd);
	if (fill(&file, fl_act_name(act), act->about, err) < 0)
		return -1;
	return fl_atomic_publish(&file, true, err);
}

static int undo_image(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		      struct fl_err *err)
{
	const char *path = fl_about_text(entry, "name");

	(void)site;
	(void)kept;
	if (unlink(path) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	return 0;
}

/* What is mounted last at the folder, as its backing file tells it: 1 the image, 0 nothing,
 * 2 something else. */
static int look_at_mount(const char *folder, const char *image)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_free char *path = NULL;

	if (FL_RUN(&text, NULL, "findmnt", "--noheadings", "--first-only", "--output", "SOURCE",
		   "--mountpoint", folder) < 0 || !text.len)
		return 0;
	if (!fl_str_starts(text.data, "/dev/loop"))
		return 2;
	path = fl_asprintf("/sys/block/%s/loop/backing_file", text.data + strlen("/dev/"));
	fl_str_clear(&text);
	if (fl_io_read_file(AT_FDCWD, path, 8192, &text, NULL) < 0 || !text.len)
		return 2;
	text.data[strcspn(text.data, "\n")] = 0;
	return strcmp(text.data, image) == 0 ? 1 : 2;
}

static bool is_empty(const char *folder)
{
	fl_cleanup_dir DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return false;
	return true;
}

static int look_mount(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		      struct fl_err *err)
{
	const char *folder = fl_act_name(act);
	int found = look_at_mount(folder, fl_about_text(act->about, "image"));

	(void)site;
	(void)why;
	if (found == 1)
		return FL_LOOK_DONE;
	if (found == 2)
		return fl_err_set(err, FL_ERR_EXISTS, "%s: another file system is mounted there; "
				  "unmount it, or leave the step \"reflink\" out", folder);
	if (!is_empty(folder))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: is not empty, and a file system "
				  "mounted over it would hide what is in it; move that away first, "
				  "and back afterwards", folder);
	return FL_LOOK_MAKE;
}

static int restore_mount(const struct fl_site *site, const fl_json *about, struct fl_err *err)
{
	const char *folder = fl_about_text(about, "name"), *image = fl_about_text(about, "image");

	(void)site;
	if (look_at_mount(folder, image) == 1)
		return 0;
	return FL_RUN(NULL, err, "mount", "-t", "xfs", "-o", "loop,nodev,nosuid,discard", image,
		      folder);
}

/* The folder in the new file system is as open as the one that it covers. */
static int make_mount(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	if (restore_mount(site, act->about, err) < 0)
		return -1;
	if (chmod(fl_act_name(act), 0755) < 0)
		return fl_err_errno(err, errno, "%s", fl_act_name(act));
	return 0;
}

static int undo_mount(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		      struct fl_err *err)
{
	const char *folder = fl_about_text(entry, "name");

	(void)site;
	(void)kept;
	if (look_at_mount(folder, fl_about_text(entry, "image")) != 1)
		return 0;
	if (umount2(folder, UMOUNT_NOFOLLOW) == 0)
		return 0;
	if (errno == EBUSY)
		return fl_err_set(err, FL_ERR_BUSY, "%s: is in use; stop what uses it (fuser -vm %s)",
				  folder, folder);
	return fl_err_errno(err, errno, "%s: cannot be unmounted", folder);
}

const struct fl_act_kind fl_act_image = {
	.name = "image",
	.look = look_image,
	.make = make_image,
	.undo = undo_image,
};
const struct fl_act_kind fl_act_mount = {
	.name = "mount",
	.look = look_mount,
	.make = make_mount,
	.undo = undo_mount,
	.restore = restore_mount,
};
