/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/bridge.h"

#include "cmd/fl-net/nat.h"
#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/path.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

static int check_name(const char *name, struct fl_err *err)
{
	if (fl_path_is_name(name) && strlen(name) < FL_LINK_NAME)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is not a name for a bridge: at most 15 of "
			  "A-Z a-z 0-9 . _ -", name);
}

static int open_folder(const struct fl_state *state, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net", state->dir);
	int fd;

	if (fl_path_make_folders(path, 0755, err) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", path);
	fl_atomic_sweep(fd);
	return fd;
}

static char *file_of(const char *name)
{
	return fl_asprintf("%s.json", name);
}

int fl_bridge_load(const struct fl_state *state, const char *name, struct fl_bridge *bridge,
		   struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net/%s.json", state->dir, name);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *doc = NULL;
	const char *address;

	*bridge = (struct fl_bridge){ 0 };
	if (check_name(name, err) < 0)
		return -1;
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (fl_io_read_file(AT_FDCWD, path, 65536, &text, err) < 0)
		return -1;
	doc = fl_json_parse(text.data, text.len, path, err);
	address = fl_json_text(fl_json_get(doc, "address"));
	if (!doc || fl_inet_parse_cidr(address ? address : "", &bridge->address, err) < 0)
		return fl_err_prefix(err, "%s", path);
	snprintf(bridge->name, sizeof(bridge->name), "%s", name);
	bridge->nat = fl_json_bool(fl_json_get(doc, "nat"));
	bridge->forwarding_was = fl_json_bool(fl_json_get(doc, "forwarding_was"));
	return 1;
}

static int save(const struct fl_state *state, const struct fl_bridge *bridge, struct fl_err *err)
{
	fl_cleanup_close int folder = open_folder(state, err);
	fl_cleanup_free char *file = file_of(bridge->name);
	fl_cleanup_json fl_json *doc = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char address[FL_CIDR_TEXT];

	fl_inet_print_cidr(&bridge->address, address);
	fl_json_set(doc, "name", fl_json_new_text(bridge->name));
	fl_json_set(doc, "address", fl_json_new_text(address));
	fl_json_set(doc, "nat", fl_json_new_bool(bridge->nat));
	fl_json_set(doc, "forwarding_was", fl_json_new_bool(bridge->forwarding_was));
	fl_json_print(doc, true, &text);
	fl_str_add(&text, "\n");
	return folder < 0 ? -1
			  : fl_atomic_write(folder, file, 0600, text.data, text.len, true, err);
}

int fl_bridge_lock(const struct fl_state *state, const char *name, struct fl_err *err)
{
	fl_cleanup_close int folder = open_folder(state, err);
	fl_cleanup_free char *file = fl_asprintf("%s.lock", name);

	return folder < 0 ? -1
			  : fl_lock_file(folder, file, FL_LOCK_EXCLUSIVE, FL_LOCK_FOREVER, err);
}

static int check_known(const struct fl_bridge *known, const struct fl_bridge *wanted,
		       struct fl_err *err)
{
	char text[FL_CIDR_TEXT];

	if (fl_inet_equal(&known->address, &wanted->address) && known->nat == wanted->nat &&
	    known->address.prefix == wanted->address.prefix)
		return 0;
	fl_inet_print_cidr(&known->address, text);
	return fl_err_set(err, FL_ERR_EXISTS, "%s: exists with --address %s%s; remove it first "
			  "(fl-net bridge rm %s)", known->name, text, known->nat ? " --nat" : "",
			  known->name);
}

/* A link of that name must be missing, ours, or a nameless bridge that a kill left between
 * making it and naming it. */
static int check_link(struct fl_links *links, const char *name, bool known, struct fl_err *err)
{
	struct fl_link link;
	int found = fl_links_get(links, name, &link, err);

	if (found != 1)
		return found;
	if (strcmp(link.kind, "bridge") == 0 &&
	    (strcmp(link.alias, FL_BRIDGE_ALIAS) == 0 || (known && !*link.alias)))
		return 0;
	return fl_err_set(err, FL_ERR_EXISTS, "%s: a link of that name exists and is not ours; "
			  "choose another name", name);
}

static int make(struct fl_links *links, const struct fl_bridge *bridge, struct fl_err *err)
{
	struct fl_link_change change = { .alias = FL_BRIDGE_ALIAS, .master = -1, .up = true };

	if (fl_links_make_bridge(links, bridge->name, err) < 0 ||
	    fl_links_change(links, bridge->name, &change, err) < 0 ||
	    fl_links_add_address(links, bridge->name, &bridge->address, err) < 0)
		return -1;
	if (!bridge->nat)
		return 0;
	if (fl_nat_forwarding(bridge->address.family, true, true, err) < 0)
		return -1;
	return fl_nat_add(bridge->name, &bridge->address, err);
}

/* Another bridge of ours for which forwarding is on. */
static bool find_other(const struct fl_state *state, const struct fl_bridge *than,
		       struct fl_bridge *other)
{
	fl_cleanup_json fl_json *names = fl_bridge_list(state);

	for (size_t i = 0; i < fl_json_count(names); i++) {
		const char *name = fl_json_text(fl_json_item(names, i));

		if (strcmp(name, than->name) != 0 && fl_bridge_load(state, name, other, NULL) == 1 &&
		    other->nat && other->address.family == than->address.family)
			return true;
	}
	return false;
}

/* What forwarding was before any bridge of ours; -1 on error. */
static int forwarding_before(const struct fl_state *state, const struct fl_bridge *bridge,
			     struct fl_err *err)
{
	struct fl_bridge other;

	if (find_other(state, bridge, &other))
		return other.forwarding_was;
	return fl_nat_forwarding(bridge->address.family, false, false, err);
}

static int parse(const char *name, const char *cidr, bool nat, struct fl_bridge *bridge,
		 struct fl_err *err)
{
	struct fl_cidr base;

	*bridge = (struct fl_bridge){ .nat = nat };
	if (check_name(name, err) < 0 || fl_inet_parse_cidr(cidr, &bridge->address, err) < 0)
		return -1;
	snprintf(bridge->name, sizeof(bridge->name), "%s", name);
	fl_inet_nth(&bridge->address, 0, &base);
	if (bridge->address.prefix > (bridge->address.family == AF_INET ? 30u : 126u) ||
	    bridge->address.prefix < 8 || fl_inet_equal(&base, &bridge->address))
		return fl_err_set(err, FL_ERR_INVALID,
				  "--address %s: give the bridge's own address in a net with room for "
				  "guests, such as 10.77.0.1/24", cidr);
	return 0;
}

int fl_bridge_create(const struct fl_state *state, const char *name, const char *cidr, bool nat,
		     struct fl_err *err)
{
	struct fl_bridge bridge, known;
	struct fl_links *links;
	fl_cleanup_close int lock = -1;
	int have, rc = -1;

	if (parse(name, cidr, nat, &bridge, err) < 0)
		return -1;
	lock = fl_bridge_lock(state, name, err);
	have = lock < 0 ? -1 : fl_bridge_load(state, name, &known, err);
	if (have < 0 || (have && check_known(&known, &bridge, err) < 0))
		return -1;
	links = fl_links_open(err);
	if (!links)
		return -1;
	if (check_link(links, name, have, err) == 0) {
		int was = forwarding_before(state, &bridge, err);

		bridge.forwarding_was = have ? known.forwarding_was : was == 1;
		rc = was < 0 || save(state, &bridge, err) < 0 ? -1 : make(links, &bridge, err);
	}
	fl_links_close(links);
	return rc;
}

struct count {
	int master, count;
};

static int count_one(void *arg, const struct fl_link *link)
{
	struct count *count = arg;

	count->count += link->master == count->master;
	return 0;
}

static int check_unused(struct fl_links *links, const struct fl_link *link, struct fl_err *err)
{
	struct count count = { .master = link->index };

	if (fl_links_each(links, count_one, &count, err) < 0)
		return -1;
	if (!count.count)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "%s: %d links are on it; take their microVMs down "
			  "first, or give --force", link->name, count.count);
}

static int remove_link(struct fl_links *links, const char *name, bool force, struct fl_err *err)
{
	struct fl_link link;
	int found = fl_links_get(links, name, &link, err);

	if (found != 1)
		return found;
	if (check_link(links, name, true, err) < 0 ||
	    (!force && check_unused(links, &link, err) < 0))
		return -1;
	return fl_links_remove(links, name, err);
}

static int undo(const struct fl_state *state, const struct fl_bridge *bridge, bool force,
		struct fl_err *err)
{
	struct fl_links *links = fl_links_open(err);
	struct fl_bridge other;
	int rc = links ? remove_link(links, bridge->name, force, err) : -1;

	fl_links_close(links);
	if (rc < 0 || !bridge->nat)
		return rc;
	if (fl_nat_remove(bridge->name, err) < 0)
		return -1;
	if (bridge->forwarding_was || find_other(state, bridge, &other))
		return 0;
	return fl_nat_forwarding(bridge->address.family, true, false, err) < 0 ? -1 : 0;
}

int fl_bridge_remove(const struct fl_state *state, const char *name, bool force,
		     struct fl_err *err)
{
	fl_cleanup_close int folder = -1, lock = -1;
	fl_cleanup_free char *file = file_of(name);
	fl_cleanup_free char *lock_file = fl_asprintf("%s.lock", name);
	struct fl_bridge bridge;
	int have = check_name(name, err);

	if (have < 0)
		return -1;
	lock = fl_bridge_lock(state, name, err);
	have = lock < 0 ? -1 : fl_bridge_load(state, name, &bridge, err);
	if (have < 0)
		return -1;
	folder = open_folder(state, err);
	if (folder < 0)
		return -1;
	if (have && undo(state, &bridge, force, err) < 0)
		return -1;
	/* The memory of it goes last: a kill before leaves it to be removed again. */
	if (unlinkat(folder, file, 0) < 0 && errno != ENOENT)
		return fl_err_errno(err, errno, "net/%s: cannot be removed", file);
	unlinkat(folder, lock_file, 0);
	return 0;
}

fl_json *fl_bridge_list(const struct fl_state *state)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net", state->dir);
	fl_cleanup_dir DIR *dir = opendir(path);
	fl_json *names = fl_json_new_array();
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && fl_str_ends(entry->d_name, ".json"))
			fl_json_add(names, fl_json_new_text_bytes(entry->d_name,
								  strlen(entry->d_name) - 5));
	return names;
}
