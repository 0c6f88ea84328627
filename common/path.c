/* SPDX-License-Identifier: MPL-2.0 */
#include "common/path.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool fl_path_is_name(const char *text)
{
	size_t len = strlen(text);

	return len >= 1 && len <= 63 && strcmp(text, ".") != 0 && strcmp(text, "..") != 0 &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		       len;
}

static int make_folder(const char *path, mode_t mode, struct fl_err *err)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return 0;
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	return fl_err_errno(err, errno, "%s: folder cannot be made", path);
}

const char *fl_path_last(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static const char *without_dots(const char *path)
{
	while (path[0] == '.' && path[1] == '/')
		path += 2 + strspn(path + 2, "/");
	return strcmp(path, ".") == 0 ? "" : path;
}

char *fl_path_absolute(const char *path)
{
	fl_cleanup_free char *folder = *path == '/' ? NULL : getcwd(NULL, 0);
	const char *rest = without_dots(path);

	/* A working folder that is gone has no name. */
	if (!folder)
		return fl_strdup(path);
	return fl_asprintf("%s%s%s", folder, *rest && strcmp(folder, "/") != 0 ? "/" : "", rest);
}

int fl_path_make_folders(const char *path, mode_t mode, struct fl_err *err)
{
	fl_cleanup_free char *part = fl_strdup(path);
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return 0;
	for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = 0;
		if (stat(part, &st) < 0 && make_folder(part, 0755, err) < 0)
			return -1;
		*slash = '/';
	}
	return make_folder(path, mode, err);
}

int fl_path_deny_state(struct fl_err *err)
{
	struct fl_err why;

	if (!err || err->kind != FL_ERR_DENIED || geteuid() == 0)
		return -1;
	why = *err;
	return fl_err_set(err, why.kind, "%s; be root, or name a folder of yours with --state-dir "
			  "(FL_STATE_DIR)", why.text);
}

static int remove_below(int fd, const char *path, struct fl_err *err);

static int remove_entry(int dirfd, const char *name, const char *path, struct fl_err *err)
{
	fl_cleanup_close int fd = -1;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	if (remove_below(fl_steal_fd(&fd), path, err) < 0)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	return 0;
}

/* Takes fd. */
static int remove_below(int fd, const char *path, struct fl_err *err)
{
	fl_cleanup_dir DIR *dir = fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		close(fd);
		return fl_err_errno(err, errno, "%s: cannot be listed", path);
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (remove_entry(dirfd(dir), entry->d_name, entry->d_name, err) < 0)
			return fl_err_prefix(err, "%s", path);
	}
	return 0;
}

int fl_path_remove_tree(int dirfd, const char *path, struct fl_err *err)
{
	return remove_entry(dirfd, path, path, err);
}

char *fl_path_of_program(void)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;

	if (len < 0)
		return fl_strdup(".");
	path[len] = 0;
	slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	return fl_strdup(path);
}

char *fl_path_beside_program(const char *below, const char *name)
{
	fl_cleanup_free char *folder = fl_path_of_program();
	char *slash = *below ? strrchr(folder, '/') : NULL, *path;

	if (slash)
		*slash = 0;
	path = fl_asprintf("%s%s%s/%s", folder, slash ? "/" : "", below, name);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return fl_strdup(name);
}

char *fl_path_find_program(const char *name)
{
	const char *at = getenv("PATH");

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? fl_strdup(name) : NULL;
	for (at = at ? at : "/usr/bin:/bin"; *at; at += *at == ':') {
		size_t size = strcspn(at, ":");
		char *path = fl_asprintf("%.*s/%s", (int)size, size ? at : ".", name);

		if (access(path, X_OK) == 0)
			return path;
		free(path);
		at += size;
	}
	return NULL;
}

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	return strcmp(root, "/") == 0 ||
	       (strncmp(path, root, len) == 0 && (!path[len] || path[len] == '/'));
}

bool fl_path_is_under(const char *path, const char *roots)
{
	fl_cleanup_free char *list = fl_strdup(roots ? roots : "");
	fl_cleanup_free char *absolute = fl_path_absolute(path);
	char real[PATH_MAX], real_root[PATH_MAX], *rest = list, *root;

	if (!realpath(absolute, real)) {
		if (strstr(absolute, "/.") || strlen(absolute) >= sizeof(real))
			return false;
		strcpy(real, absolute);
	}
	while ((root = strsep(&rest, ":")))
		if (*root == '/' && realpath(root, real_root) && is_below(real, real_root))
			return true;
	return false;
}
