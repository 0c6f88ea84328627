/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/dns/place.h"

#include "cmd/fl-net/bridge.h"
#include "common/alloc.h"
#include "common/lock.h"
#include "common/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define LOCK ".lock"

static char *all_places(void)
{
	fl_cleanup_free char *run = fl_state_run_folder();

	return fl_asprintf("%s/dns", run);
}

static char *path_of(const char *bridge)
{
	fl_cleanup_free char *all = all_places();

	return fl_asprintf("%s/%s", all, bridge);
}

/* dnsmasq reads in it when it is not root any more, whatever the umask is. */
static int make_folders(const char *path, struct fl_err *err)
{
	fl_cleanup_free char *all = all_places();
	const char *const folders[] = { all, path };

	if (fl_path_make_folders(path, 0755, err) < 0)
		return -1;
	for (size_t i = 0; i < FL_COUNT(folders); i++)
		if (chmod(folders[i], 0755) < 0)
			return fl_err_errno(err, errno, "%s: cannot be opened to dnsmasq", folders[i]);
	return 0;
}

int fl_dns_place_take(struct fl_dns_place *place, const struct fl_state *state, const char *bridge,
		      struct fl_err *err)
{
	/* Who removes a place of the dead holds this, too. */
	fl_cleanup_close int bridges = fl_bridge_lock(state, err);
	struct fl_err why = { 0 };

	place->path = path_of(bridge);
	if (bridges < 0 || make_folders(place->path, err) < 0)
		return -1;
	place->dirfd = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", place->path);
	place->lock = fl_lock_file(place->dirfd, LOCK, FL_LOCK_EXCLUSIVE, 0, &why);
	if (place->lock >= 0)
		return 0;
	if (why.kind == FL_ERR_BUSY)
		return fl_err_set(err, FL_ERR_BUSY, "%s: another \"fl-net dns %s\" serves its names; end "
				  "that first", bridge, bridge);
	return fl_err_set(err, why.kind, "%s: %s", place->path, why.text);
}

static void remove_place(const char *path)
{
	fl_cleanup_free char *all = all_places();

	fl_path_remove_tree(AT_FDCWD, path, NULL);
	rmdir(all);
}

void fl_dns_place_leave(struct fl_dns_place *place, const struct fl_state *state)
{
	fl_cleanup_close int bridges = place->lock < 0 ? -1 : fl_bridge_lock(state, NULL);

	if (bridges >= 0)
		remove_place(place->path);
}

void fl_dns_place_finish(struct fl_dns_place *place)
{
	free(place->path);
	if (place->dirfd >= 0)
		close(place->dirfd);
	if (place->lock >= 0)
		close(place->lock);
}

/* For reading: nothing is made where nobody ever served. */
static bool is_taken(const char *path)
{
	fl_cleanup_free char *lock = fl_asprintf("%s/" LOCK, path);
	fl_cleanup_close int fd = open(lock, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && fl_lock_fd(fd, lock, FL_LOCK_SHARED, 0, NULL) < 0;
}

bool fl_dns_place_is_taken(const char *bridge)
{
	fl_cleanup_free char *path = path_of(bridge);

	return is_taken(path);
}

static int collect(const char *path, bool dry, int (*say)(const char *path, struct fl_err *err),
		   struct fl_err *err)
{
	if (is_taken(path))
		return 0;
	if (!dry)
		remove_place(path);
	return say(path, err);
}

int fl_dns_place_collect(const struct fl_state *state, bool dry,
			 int (*say)(const char *path, struct fl_err *err), struct fl_err *err)
{
	fl_cleanup_free char *all = all_places();
	fl_cleanup_dir DIR *dir = opendir(all);
	fl_cleanup_close int bridges = dir ? fl_bridge_lock(state, err) : -1;
	struct dirent *entry;

	if (!dir)
		return 0;
	if (bridges < 0)
		return -1;
	while ((entry = readdir(dir))) {
		fl_cleanup_free char *path = fl_asprintf("%s/%s", all, entry->d_name);

		if (entry->d_name[0] != '.' && collect(path, dry, say, err) < 0)
			return -1;
	}
	return 0;
}
