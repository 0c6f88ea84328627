/* SPDX-License-Identifier: MPL-2.0 */
/* The bridge for guests: fl-net makes and knows it; here it becomes part of the host. */
#include "cmd/fl-provision/act.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/program.h"
#include "cmd/fl-provision/route.h"

#include "common/alloc.h"
#include "common/path.h"

#include <net/if.h>
#include <string.h>
#include <unistd.h>

/* What fl-net knows of the bridge; NULL: nothing. Caller owns it. */
static fl_json *known(const struct fl_site *site, const char *name, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-net");
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	size_t at = 0;

	if (FL_RUN(&text, err, program, "bridge", "ls", "--json", "--state-dir",
		   site->host->state_dir) < 0)
		return NULL;
	while (at < text.len) {
		fl_json *row = fl_json_parse_next(text.data, text.len, &at, "fl-net's list", err);

		if (!row || strcmp(fl_about_text(row, "link"), name) == 0)
			return row;
		fl_json_unref(row);
	}
	return NULL;
}

static int check_net(const fl_json *about, struct fl_err *err)
{
	const char *name = fl_about_text(about, "name"), *text = fl_about_text(about, "address");
	fl_cleanup_free char *other = NULL;
	struct fl_cidr net;

	if (fl_inet_parse_bridge(text, &net, err) < 0)
		return fl_err_prefix(err, "--bridge-address");
	other = fl_route_overlap(&net, name);
	if (!other)
		return FL_LOOK_MAKE;
	return fl_err_set(err, FL_ERR_EXISTS, "%s: its net %s overlaps with that of %s; choose "
			  "another with --bridge-address", name, text, other);
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	const char *name = fl_act_name(act);
	struct fl_err failure = { 0 };
	fl_cleanup_json fl_json *row = known(site, name, &failure);

	(void)why;
	if (failure.kind != FL_ERR_NONE)
		return fl_err_pass(err, &failure);
	if (strcmp(fl_about_text(row, "state"), "another's") == 0 || (!row && if_nametoindex(name)))
		return fl_err_set(err, FL_ERR_EXISTS, "%s: a link of that name is there and not ours; "
				  "choose another name with --bridge%s", name,
				  fl_route_is_bridge(name) ? ", or use that one as it is: name it "
							     "without --bridge-address" : "");
	if (!row)
		return check_net(act->about, err);
	if (strcmp(fl_about_text(row, "address"), fl_about_text(act->about, "address")) != 0 ||
	    fl_json_bool(fl_json_get(row, "nat")) != fl_json_bool(fl_json_get(act->about, "nat")))
		return fl_err_set(err, FL_ERR_EXISTS, "%s: is there with address %s%s; remove it first "
				  "(fl-net bridge rm %s), or ask for the same", name,
				  fl_about_text(row, "address"),
				  fl_json_bool(fl_json_get(row, "nat")) ? " and NAT" : "", name);
	return strcmp(fl_about_text(row, "state"), "up") == 0 ? FL_LOOK_DONE : FL_LOOK_MAKE;
}

/* The folders that fl-net makes in the state folder. */
static const char *const folders[] = { "net", "vm" };

static int before(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		  struct fl_err *err)
{
	fl_json *made = fl_json_new_array();

	(void)act;
	(void)err;
	for (size_t i = 0; i < FL_COUNT(folders); i++) {
		fl_cleanup_free char *path = fl_asprintf("%s/%s", site->host->state_dir, folders[i]);

		if (access(path, F_OK) < 0)
			fl_json_add(made, fl_json_new_text(path));
	}
	fl_json_set(entry, "folders", made);
	return 0;
}

static int restore(const struct fl_site *site, const fl_json *about, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-net");
	bool nat = fl_json_bool(fl_json_get(about, "nat"));

	return FL_RUN(NULL, err, program, "bridge", "create", fl_about_text(about, "name"), "--state-dir",
		      site->host->state_dir, "--address", fl_about_text(about, "address"),
		      nat ? "--nat" : NULL);
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	return restore(site, act->about, err);
}

/* What fl-net made goes when nothing but a lock is in it. */
static void drop_folders(const fl_json *entry)
{
	const fl_json *made = fl_json_get(entry, "folders");

	for (size_t i = 0; i < fl_json_count(made); i++) {
		const char *path = fl_json_text(fl_json_item(made, i));
		fl_cleanup_free char *lock = fl_asprintf("%s/.lock", path ? path : "");

		if (path && *path == '/') {
			unlink(lock);
			rmdir(path);
		}
	}
}

static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-net");
	const char *name = fl_about_text(entry, "name");
	struct fl_err failure = { 0 };
	fl_cleanup_json fl_json *row = known(site, name, &failure);

	if (failure.kind != FL_ERR_NONE)
		return fl_err_pass(err, &failure);
	if (row && strcmp(fl_about_text(row, "state"), "another's") == 0)
		fl_str_add(kept, "the link of that name is another's now");
	else if (row && FL_RUN(NULL, err, program, "bridge", "rm", name, "--state-dir",
			       site->host->state_dir) < 0)
		return -1;
	drop_folders(entry);
	return 0;
}

const struct fl_act_kind fl_act_bridge = {
	.name = "bridge",
	.look = look,
	.before = before,
	.make = make,
	.undo = undo,
	.restore = restore,
};
