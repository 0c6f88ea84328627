/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/known.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/path.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_LIMIT 65536
#define LOCK ".lock"

int fl_known_check_name(const char *name, struct fl_err *err)
{
	/* sysctl keeps "all" and "default" for itself. */
	if (fl_path_is_name(name) && strlen(name) < FL_LINK_NAME && *name != '.' && *name != '-' &&
	    strcmp(name, "all") != 0 && strcmp(name, "default") != 0)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is not a name for a bridge: at most 15 "
			  "of A-Z a-z 0-9 . _ -, the first neither . nor -; such as flbr0", name);
}

/* The inode of a network namespace is its identity while it lives. */
static int64_t netns_id(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) == 0 ? (int64_t)st.st_ino : 0;
}

void fl_known_stamp(struct fl_bridge *bridge)
{
	fl_boot_id(bridge->boot_id);
	bridge->netns = netns_id();
}

bool fl_known_is_here(const struct fl_bridge *bridge)
{
	struct fl_bridge here;

	fl_known_stamp(&here);
	return here.netns == bridge->netns && strcmp(here.boot_id, bridge->boot_id) == 0;
}

static int open_folder(const struct fl_state *state, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net", state->dir);
	int fd;

	if (fl_path_make_folders(path, 0755, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? fl_err_errno(err, errno, "%s: cannot be opened", path) : fd;
}

int fl_bridge_lock(const struct fl_state *state, struct fl_err *err)
{
	fl_cleanup_close int folder = open_folder(state, err);
	int lock = folder < 0 ? -1
			      : fl_lock_file(folder, LOCK, FL_LOCK_EXCLUSIVE, FL_LOCK_FOREVER, err);

	if (lock >= 0)
		fl_atomic_sweep(folder);
	return lock;
}

static int parse(const char *text, size_t size, const char *path, struct fl_bridge *bridge,
		 struct fl_err *err)
{
	fl_cleanup_json fl_json *doc = fl_json_parse(text, size, path, err);
	const char *address = fl_json_text(fl_json_get(doc, "address"));
	const char *boot_id = fl_json_text(fl_json_get(doc, "boot_id"));
	const char *domain = fl_json_text(fl_json_get(doc, "domain"));

	if (!doc)
		return -1;
	if (!address || fl_inet_parse_cidr(address, &bridge->address, NULL) < 0)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: has no address of the bridge; "
				  "remove the file, and the bridge with \"ip link del\"", path);
	bridge->nat = fl_json_bool(fl_json_get(doc, "nat"));
	bridge->forward_before = fl_json_bool(fl_json_get(doc, "forward_before"));
	bridge->netns = fl_json_int(fl_json_get(doc, "netns"));
	snprintf(bridge->boot_id, sizeof(bridge->boot_id), "%s", boot_id ? boot_id : "");
	/* dnsmasq reads it as part of its configuration. */
	if (domain && fl_dns_check_domain(domain, err) < 0)
		return fl_err_prefix(err, "%s", path);
	snprintf(bridge->domain, sizeof(bridge->domain), "%s", domain ? domain : "");
	return 0;
}

int fl_bridge_load(const struct fl_state *state, const char *name, struct fl_bridge *bridge,
		   struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net/%s.json", state->dir, name);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	*bridge = (struct fl_bridge){ 0 };
	/* A bridge of another's may have a name that ours never have. */
	if (fl_known_check_name(name, NULL) < 0)
		return 0;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (fl_io_read_file(AT_FDCWD, path, FILE_LIMIT, &text, err) < 0)
		return -1;
	snprintf(bridge->name, sizeof(bridge->name), "%s", name);
	return parse(text.data, text.len, path, bridge, err) < 0 ? -1 : 1;
}

int fl_known_save(const struct fl_state *state, const struct fl_bridge *bridge,
		  struct fl_err *err)
{
	fl_cleanup_close int folder = open_folder(state, err);
	fl_cleanup_free char *file = fl_asprintf("%s.json", bridge->name);
	fl_cleanup_json fl_json *doc = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char address[FL_CIDR_TEXT];

	fl_inet_print_cidr(&bridge->address, address);
	fl_json_set(doc, "name", fl_json_new_text(bridge->name));
	fl_json_set(doc, "address", fl_json_new_text(address));
	fl_json_set(doc, "nat", fl_json_new_bool(bridge->nat));
	if (*bridge->domain)
		fl_json_set(doc, "domain", fl_json_new_text(bridge->domain));
	fl_json_set(doc, "forward_before", fl_json_new_bool(bridge->forward_before));
	fl_json_set(doc, "boot_id", fl_json_new_text(bridge->boot_id));
	fl_json_set(doc, "netns", fl_json_new_int(bridge->netns));
	fl_json_print(doc, true, &text);
	fl_str_add(&text, "\n");
	return folder < 0 ? -1
			  : fl_atomic_write(folder, file, 0600, text.data, text.len, true, err);
}

int fl_known_forget(const struct fl_state *state, const char *name, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net/%s.json", state->dir, name);

	if (unlink(path) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

fl_json *fl_bridge_list(const struct fl_state *state)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net", state->dir);
	fl_cleanup_dir DIR *dir = opendir(path);
	fl_json *list = fl_json_new_array();
	FL_VEC(char *) names = { 0 };
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && fl_str_ends(entry->d_name, ".json"))
			FL_VEC_ADD(&names, fl_strndup(entry->d_name, strlen(entry->d_name) - 5));
	if (names.count)
		qsort(names.items, names.count, sizeof(*names.items), by_text);
	for (size_t i = 0; i < names.count; i++) {
		fl_json_add(list, fl_json_new_text(names.items[i]));
		free(names.items[i]);
	}
	free(names.items);
	return list;
}

int fl_known_each(const struct fl_state *state,
		  int (*each)(void *arg, const struct fl_bridge *bridge, struct fl_err *err),
		  void *arg, struct fl_err *err)
{
	fl_cleanup_json fl_json *names = fl_bridge_list(state);

	for (size_t i = 0; i < fl_json_count(names); i++) {
		const char *name = fl_json_text(fl_json_item(names, i));
		struct fl_bridge bridge;
		int have = fl_bridge_load(state, name, &bridge, err);

		if (have < 0 || (have && each(arg, &bridge, err) < 0))
			return -1;
	}
	return 0;
}
