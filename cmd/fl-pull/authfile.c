/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/authfile.h"

#include "cmd/fl-pull/host.h"
#include "cmd/fl-pull/secret.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/path.h"

#include <fcntl.h>
#include <limits.h>

#define FILE_LIMIT (1 << 20)
#define LOCK_MS 10000

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

static void add_path(struct fl_authfile_paths *paths, const char *folder, const char *name)
{
	if (folder)
		FL_VEC_ADD(paths, fl_asprintf("%s/%s", folder, name));
}

static void add_docker(struct fl_authfile_paths *paths)
{
	if (environment("DOCKER_CONFIG"))
		add_path(paths, environment("DOCKER_CONFIG"), "config.json");
	else
		add_path(paths, environment("HOME"), ".docker/config.json");
}

void fl_authfile_list(const char *given, struct fl_authfile_paths *paths)
{
	fl_cleanup_free char *runtime = fl_asprintf("/run/containers/%u", getuid());

	given = given ? given : environment("REGISTRY_AUTH_FILE");
	if (given) {
		FL_VEC_ADD(paths, fl_strdup(given));
		return;
	}
	if (environment("XDG_RUNTIME_DIR"))
		add_path(paths, environment("XDG_RUNTIME_DIR"), "containers/auth.json");
	else
		add_path(paths, runtime, "auth.json");
	if (environment("XDG_CONFIG_HOME"))
		add_path(paths, environment("XDG_CONFIG_HOME"), "containers/auth.json");
	else
		add_path(paths, environment("HOME"), ".config/containers/auth.json");
	add_docker(paths);
}

void fl_authfile_paths_finish(struct fl_authfile_paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		free(paths->items[i]);
	free(paths->items);
	*paths = (struct fl_authfile_paths){ 0 };
}

/* Podman's place while there is one that ends with the session, else docker's. */
char *fl_authfile_for_login(const char *given, struct fl_err *err)
{
	fl_cleanup_authfile_paths struct fl_authfile_paths paths = { 0 };

	given = given ? given : environment("REGISTRY_AUTH_FILE");
	if (given)
		return fl_strdup(given);
	if (environment("XDG_RUNTIME_DIR"))
		add_path(&paths, environment("XDG_RUNTIME_DIR"), "containers/auth.json");
	add_docker(&paths);
	if (paths.count)
		return fl_steal(&paths.items[0]);
	fl_err_set(err, FL_ERR_PRECONDITION, "no place for logins: HOME is not set; name a file with "
		   "--auth-file");
	return NULL;
}

fl_json *fl_authfile_read(const char *path, struct fl_err *err)
{
	fl_cleanup_secret struct fl_str text = FL_STR_INIT;
	struct fl_err why = { 0 };
	fl_json *file;

	fl_str_reserve(&text, 64 << 10);
	if (fl_io_read_file(AT_FDCWD, path, FILE_LIMIT, &text, &why) < 0) {
		if (why.kind == FL_ERR_NOT_FOUND)
			return fl_json_new_object();
		fl_err_pass(err, &why);
		return NULL;
	}
	file = fl_json_parse(text.data, text.len, path, &why);
	if (file && fl_json_is_object(file))
		return file;
	fl_json_unref(file);
	/* What the parser quotes of the text may be a secret. */
	fl_err_set(err, FL_ERR_INVALID, "%s: not a JSON object; mend or remove the file", path);
	return NULL;
}

static fl_json *find(const fl_json *object, const char *wanted, const char **key)
{
	for (void *i = fl_json_first(object); i; i = fl_json_next(object, i)) {
		fl_cleanup_free char *normal = fl_host_normal(fl_json_key(i));

		if (!fl_str_equal(normal, wanted))
			continue;
		if (key)
			*key = fl_json_key(i);
		return fl_json_value(i);
	}
	return NULL;
}

fl_json *fl_authfile_entry(const fl_json *file, const char *host, const char *name,
			   const char **key)
{
	const fl_json *auths = fl_json_get(file, "auths");
	fl_cleanup_free char *wanted = name ? fl_asprintf("%s/%s", host, name) : fl_strdup(host);

	for (;;) {
		fl_json *found = find(auths, wanted, key);
		char *slash = strrchr(wanted, '/');

		if (found || !slash || !name)
			return found;
		*slash = 0;
	}
}

const char *fl_authfile_own_helper(const fl_json *file, const char *host)
{
	return fl_json_text(find(fl_json_get(file, "credHelpers"), host, NULL));
}

const char *fl_authfile_store_helper(const fl_json *file)
{
	const char *name = fl_json_text(fl_json_get(file, "credsStore"));

	return name && *name ? name : NULL;
}

/* The folder, made when missing and locked: flock lets go of it when it is closed. */
static int lock_folder(const char *path, struct fl_err *err)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash > path ? (size_t)(slash - path) : 1;
	fl_cleanup_free char *folder = slash ? fl_strndup(path, len) : fl_strdup(".");
	fl_cleanup_close int fd = -1;

	if (fl_path_make_folders(folder, 0700, err) < 0)
		return -1;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", folder);
	if (fl_lock_fd(fd, folder, FL_LOCK_EXCLUSIVE, LOCK_MS, err) < 0)
		return -1;
	return fl_steal_fd(&fd);
}

static int write_file(const char *path, const fl_json *file, struct fl_err *err)
{
	fl_cleanup_atomic struct fl_atomic out = FL_ATOMIC_INIT;
	fl_cleanup_secret struct fl_str text = FL_STR_INIT;

	fl_json_print(file, true, &text);
	fl_str_add(&text, "\n");
	if (fl_atomic_open_path(&out, path, 0600, err) < 0 ||
	    fl_io_write(out.fd, text.data, text.len, path, err) < 0)
		return -1;
	return fl_atomic_publish(&out, true, err);
}

int fl_authfile_set(const char *path, const char *host, fl_json *entry, struct fl_err *err)
{
	/* A link stays a link: what it leads to is replaced. */
	char real[PATH_MAX];
	const char *target = realpath(path, real) ? real : path, *old = NULL;
	fl_cleanup_json fl_json *taken = entry;
	fl_cleanup_json fl_json *file = NULL;
	fl_cleanup_close int lock = lock_folder(target, err);

	if (lock < 0)
		return -1;
	file = fl_authfile_read(target, err);
	if (!file)
		return -1;
	if (!fl_json_is_object(fl_json_get(file, "auths")))
		fl_json_set(file, "auths", fl_json_new_object());
	if (fl_authfile_entry(file, host, NULL, &old)) {
		fl_cleanup_free char *key = fl_strdup(old);
		fl_json_set(fl_json_get(file, "auths"), key, NULL);
	}
	if (taken)
		fl_json_set(fl_json_get(file, "auths"), fl_host_docker_key(host),
			    fl_json_ref(taken));
	return write_file(target, file, err);
}
