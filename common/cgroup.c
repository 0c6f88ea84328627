/* SPDX-License-Identifier: MPL-2.0 */
#include "common/cgroup.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SLICE "fl.slice"

/* From the mount table. */
char *fl_cgroup_mount(void)
{
	fl_cleanup_file FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[4096], point[2048];

	while (file && fgets(line, sizeof(line), file))
		if (strstr(line, " - cgroup2 ") && sscanf(line, "%*s %*s %*s %*s %2047s", point) == 1)
			return fl_strdup(point);
	return NULL;
}

char *fl_cgroup_name(const char *uid, const char *part)
{
	return fl_asprintf(SLICE "/%s%s%s", uid, *part ? "/" : "", part);
}

static char *path_of(const char *uid, const char *below)
{
	fl_cleanup_free char *mount = fl_cgroup_mount();
	fl_cleanup_free char *name = fl_cgroup_name(uid, below);

	return mount ? fl_asprintf("%s/%s", mount, name) : NULL;
}

static bool make(const char *uid, const char *below)
{
	fl_cleanup_free char *path = path_of(uid, below);

	return path && (mkdir(path, 0755) == 0 || errno == EEXIST);
}

/* What counts memory, processes and bytes is handed down where the host has it: the group of
 * each microVM is accounted for as one. */
static void hand_down(const char *folder)
{
	static const char *const controllers[] = { "+cpu", "+memory", "+pids", "+io" };
	fl_cleanup_free char *file = fl_asprintf("%s/cgroup.subtree_control", folder);

	for (size_t i = 0; i < FL_COUNT(controllers); i++)
		fl_io_write_existing(AT_FDCWD, file, controllers[i], NULL);
}

/* Of all microVMs; caller frees; NULL: no cgroup v2. */
static char *slice_path(void)
{
	fl_cleanup_free char *mount = fl_cgroup_mount();

	return mount ? fl_asprintf("%s/" SLICE, mount) : NULL;
}

static bool make_slice(void)
{
	fl_cleanup_free char *slice = slice_path();

	if (!slice || (mkdir(slice, 0755) < 0 && errno != EEXIST))
		return false;
	hand_down(slice);
	return true;
}

bool fl_cgroup_make(const char *uid)
{
	fl_cleanup_free char *group = path_of(uid, "");

	/* The last one to leave takes the slice along, maybe just now. */
	do {
		if (!make_slice())
			return false;
	} while (!make(uid, "") && errno == ENOENT);
	if (!group || access(group, F_OK) < 0)
		return false;
	hand_down(group);
	return make(uid, "supervisor") && make(uid, "vmm");
}

int fl_cgroup_open(const char *uid, const char *part)
{
	fl_cleanup_free char *path = path_of(uid, part);

	return path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
}

bool fl_cgroup_write(const char *uid, const char *file, const char *text)
{
	fl_cleanup_free char *path = path_of(uid, file);

	return path && fl_io_write_existing(AT_FDCWD, path, text, NULL) == 0;
}

bool fl_cgroup_read(const char *uid, const char *file, struct fl_str *text)
{
	fl_cleanup_free char *path = path_of(uid, file);

	return path && fl_io_read_file(AT_FDCWD, path, 1 << 16, text, NULL) == 0 && text->len;
}

bool fl_cgroup_is_alive(const char *uid)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	return fl_cgroup_read(uid, "cgroup.events", &text) && strstr(text.data, "populated 1");
}

void fl_cgroup_kill(const char *uid)
{
	fl_cgroup_write(uid, "cgroup.kill", "1");
}

static bool remove_folder(const char *uid, const char *below)
{
	fl_cleanup_free char *path = path_of(uid, below);

	return !path || rmdir(path) == 0 || errno == ENOENT || errno == ENOTDIR;
}

bool fl_cgroup_remove(const char *uid, int timeout_ms)
{
	int64_t end = fl_clock_ms() + timeout_ms;
	fl_cleanup_free char *slice = NULL;

	for (;;) {
		bool supervisor = remove_folder(uid, "supervisor"), vmm = remove_folder(uid, "vmm");

		if (supervisor && vmm && remove_folder(uid, ""))
			break;
		if (fl_clock_ms() >= end)
			return false;
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	}
	slice = slice_path();
	if (slice)
		rmdir(slice);
	return true;
}
