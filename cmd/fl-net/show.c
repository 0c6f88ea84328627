/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/show.h"

#include "cmd/fl-net/bridge.h"
#include "cmd/fl-net/cni/attach.h"
#include "cmd/fl-net/dns/place.h"
#include "cmd/fl-net/egress.h"
#include "cmd/fl-net/nat.h"
#include "cmd/fl-net/taps.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/table.h"

#include <string.h>

/* All of one listing: links by their kernel, records by their folder, joined. */
struct show {
	struct fl_state state; /* dirfd -1: there is none */
	struct fl_links *links;
	fl_vm_names names;
	FL_VEC(struct fl_link) taps; /* ours, by their alias */
	fl_json *kept_in; /* by uid: who has rules of egress; NULL: not looked yet */
};

static int keep_tap(void *arg, const struct fl_link *link)
{
	struct show *show = arg;
	char uid[FL_ULID_TEXT];

	if (fl_taps_owner(link, uid))
		FL_VEC_ADD(&show->taps, *link);
	return 0;
}

static void show_finish(struct show *show)
{
	fl_links_close(show->links);
	fl_vm_names_finish(&show->names);
	fl_state_close(&show->state);
	fl_json_unref(show->kept_in);
	free(show->taps.items);
}

/* Links come first: a record is there before its link is, so one that is missing behind
 * its link is gone. */
static int show_open(struct show *show, const struct fl_args *args, struct fl_err *err)
{
	struct fl_err why = { 0 };

	*show = (struct show){ .state = { .dirfd = -1 } };
	show->links = fl_links_open(err);
	if (!show->links || fl_links_each(show->links, keep_tap, show, err) < 0)
		return -1;
	if (fl_args_state(args, false, &show->state, &why) == 0)
		return fl_state_list(&show->state, &show->names, err);
	return why.kind == FL_ERR_NOT_FOUND ? 0 : fl_err_pass(err, &why);
}

static void set_text(fl_json *row, const char *key, const char *text)
{
	fl_json_set(row, key, fl_json_new_text(text));
}

static const struct fl_vm_name *name_of(const struct show *show, const char *uid)
{
	for (size_t i = 0; i < show->names.count; i++)
		if (strcmp(show->names.items[i].uid, uid) == 0)
			return &show->names.items[i];
	return NULL;
}

static fl_json *bridge_row(const struct show *show, const char *name, struct fl_err *err)
{
	fl_json *row = fl_json_new_object();
	struct fl_bridge bridge;
	struct fl_link link = { 0 };
	char text[FL_CIDR_TEXT], mac[FL_MAC_TEXT];
	int found;

	set_text(row, "link", name);
	set_text(row, "kind", "bridge");
	if (fl_bridge_load(&show->state, name, &bridge, err) == 1) {
		fl_inet_print_cidr(&bridge.address, text);
		set_text(row, "address", text);
		fl_json_set(row, "nat", fl_json_new_bool(bridge.nat));
		if (*bridge.domain)
			set_text(row, "domain", bridge.domain);
	}
	found = fl_links_get(show->links, name, &link, NULL);
	fl_inet_print_mac(&link.mac, mac);
	if (found == 1 && fl_bridge_is_ours(&link))
		set_text(row, "mac", mac);
	set_text(row, "state", found != 1 ? "missing"
			       : fl_bridge_is_ours(&link) ? "up" : "another's");
	return row;
}

static void add_bridges(const struct show *show, struct fl_table *table)
{
	fl_cleanup_json fl_json *names = NULL;

	if (show->state.dirfd < 0)
		return;
	names = fl_bridge_list(&show->state);
	for (size_t i = 0; i < fl_json_count(names); i++) {
		struct fl_err err = { 0 };

		fl_table_row(table, bridge_row(show, fl_json_text(fl_json_item(names, i)), &err));
		if (err.kind != FL_ERR_NONE)
			fl_log(FL_LOG_WARN, "%s", err.text);
	}
}

static const struct fl_link *tap_of(const struct show *show, const char *name)
{
	for (size_t i = 0; name && i < show->taps.count; i++)
		if (strcmp(show->taps.items[i].name, name) == 0)
			return &show->taps.items[i];
	return NULL;
}

static const char *state_of(const struct fl_link *link)
{
	return !link ? "missing" : link->in_use ? "in use" : "idle";
}

static int note_kept_in(void *arg, const char *uid, struct fl_err *err)
{
	(void)err;
	fl_json_set(arg, uid, fl_json_new_bool(true));
	return 0;
}

/* Whether it should be kept in, and nothing does so, as when another flushed the rules. Who may
 * not look at rules is told nothing of them. */
static bool is_let_out(struct show *show, const fl_json *record, const char *uid)
{
	if (!fl_json_at(record, "host.egress"))
		return false;
	if (!show->kept_in) {
		show->kept_in = fl_json_new_object();
		if (fl_egress_each(note_kept_in, show->kept_in, NULL) < 0)
			fl_json_set(show->kept_in, "*", fl_json_new_bool(true));
	}
	return !fl_json_get(show->kept_in, uid) && !fl_json_get(show->kept_in, "*");
}

static void add_recorded(struct show *show, const struct fl_vm_name *name, const fl_json *record,
			 struct fl_table *table)
{
	const fl_json *network = fl_json_at(record, "host.network");
	bool let_out = is_let_out(show, record, name->uid);

	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		fl_json *row = fl_json_copy(fl_json_value(i));
		const char *link = fl_json_text(fl_json_get(row, "link"));

		set_text(row, "kind", link && fl_str_starts(link, "flvtap") ? "macvtap" : "tap");
		set_text(row, "uid", name->uid);
		set_text(row, "namespace", name->name_space);
		set_text(row, "name", name->name);
		set_text(row, "device", fl_json_key(i));
		set_text(row, "state", let_out ? "let out" : state_of(tap_of(show, link)));
		fl_table_row(table, row);
	}
}

static void add_vms(struct show *show, struct fl_table *table)
{
	for (size_t i = 0; i < show->names.count; i++) {
		const struct fl_vm_name *one = &show->names.items[i];
		fl_cleanup_json fl_json *record = fl_state_look(&show->state, one, NULL);

		add_recorded(show, one, record, table);
	}
}

static bool is_listed(const struct fl_table *table, const char *link)
{
	for (size_t i = 0; i < fl_json_count(table->rows); i++) {
		const fl_json *row = fl_json_item(table->rows, i);

		if (fl_str_equal(fl_json_text(fl_json_get(row, "link")), link))
			return true;
	}
	return false;
}

/* Taps of ours that no record tells of: made and not recorded, or of a microVM that is gone. */
static void add_others(const struct show *show, struct fl_table *table)
{
	for (size_t i = 0; i < show->taps.count; i++) {
		const struct fl_link *link = &show->taps.items[i];
		char uid[FL_ULID_TEXT];
		const char *device = fl_taps_owner(link, uid);
		const struct fl_vm_name *name = name_of(show, uid);
		fl_json *row;

		if (is_listed(table, link->name))
			continue;
		row = fl_json_new_object();
		set_text(row, "link", link->name);
		set_text(row, "kind", link->kind);
		set_text(row, "uid", uid);
		set_text(row, "device", device);
		if (name) {
			set_text(row, "namespace", name->name_space);
			set_text(row, "name", name->name);
		}
		set_text(row, "state", name ? state_of(link) : "orphaned");
		fl_table_row(table, row);
	}
}

static int print(struct fl_args *args, bool taps, struct fl_err *err)
{
	static const struct fl_table_column columns[] = {
		{ "LINK", "link" },     { "KIND", "kind" },     { "NAMESPACE", "namespace" },
		{ "NAME", "name" },     { "UID", "uid" },       { "DEVICE", "device" },
		{ "BRIDGE", "bridge" }, { "MAC", "mac" },       { "ADDRESS", "address" },
		{ "STATE", "state" },
	};
	static const struct fl_table_column short_columns[] = {
		{ "LINK", "link" }, { "MAC", "mac" }, { "ADDRESS", "address" }, { "NAT", "nat" },
		{ "DOMAIN", "domain" }, { "STATE", "state" },
	};
	const struct fl_table_column *column = taps ? columns : short_columns;
	size_t count = taps ? FL_COUNT(columns) : FL_COUNT(short_columns);
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	struct show show;
	int rc = show_open(&show, args, err);

	for (size_t i = 0; i < count; i++)
		fl_table_column(&table, column[i].title, column[i].path);
	if (rc == 0) {
		add_bridges(&show, &table);
		if (taps) {
			add_vms(&show, &table);
			add_others(&show, &table);
		}
		rc = fl_table_print(&table, fl_args_flag(args, "json"), err);
	}
	show_finish(&show);
	return rc;
}

int fl_show_ls(struct fl_args *args, struct fl_err *err)
{
	return print(args, true, err);
}

int fl_show_bridges(struct fl_args *args, struct fl_err *err)
{
	return print(args, false, err);
}

static int say(const char *name, struct fl_err *err)
{
	fl_cleanup_free char *line = fl_asprintf("%s\n", name);

	return fl_cli_print(line, strlen(line), err);
}

/* A record is there before all that is made for it, but may have come after we looked. */
static bool is_known(void *arg, const char *uid)
{
	struct show *show = arg;
	fl_vm_names names = { 0 };

	if (name_of(show, uid) || show->state.dirfd < 0)
		return name_of(show, uid);
	if (fl_state_list(&show->state, &names, NULL) < 0)
		return true;
	fl_vm_names_finish(&show->names);
	show->names = names;
	return name_of(show, uid);
}

static int collect(const struct show *show, const struct fl_link *link, bool dry,
		   struct fl_err *err)
{
	/* Another state folder may own it; what runs is not ours to cut off. */
	if (link->in_use) {
		fl_log(FL_LOG_WARN, "%s: has no record, but a program uses it; left alone",
		       link->name);
		return 0;
	}
	if (!dry && fl_links_remove(show->links, link->name, err) < 0)
		return -1;
	return say(link->name, err);
}

/* Rules of microVMs that have no record. */
struct garbage {
	struct show *show;
	bool dry;
	const char *what;
	int (*remove)(const char *uid, struct fl_err *err);
};

/* Whether a program has one of the microVM's taps open. */
static bool is_in_use(const struct show *show, const char *uid)
{
	for (size_t i = 0; i < show->taps.count; i++) {
		char owner[FL_ULID_TEXT];

		if (show->taps.items[i].in_use && fl_taps_owner(&show->taps.items[i], owner) &&
		    strcmp(owner, uid) == 0)
			return true;
	}
	return false;
}

static int collect_rules(void *arg, const char *uid, struct fl_err *err)
{
	const struct garbage *garbage = arg;
	fl_cleanup_free char *name = fl_asprintf("%s of %s", garbage->what, uid);

	if (is_known(garbage->show, uid))
		return 0;
	/* Who is kept in by them would be let out. */
	if (is_in_use(garbage->show, uid)) {
		fl_log(FL_LOG_WARN, "%s: has no record, but its tap is in use; left alone", name);
		return 0;
	}
	if (!garbage->dry && garbage->remove(uid, err) < 0)
		return -1;
	return say(name, err);
}

/* Leftovers of ours first; then, where it is asked for, those of anybody on the network. */
static int collect_networks(struct show *show, const struct fl_args *args, struct fl_err *err)
{
	struct fl_attach_garbage garbage = { fl_args_flag(args, "dry-run"), is_known, say, show };
	const char *network;

	if (show->state.dirfd < 0)
		return 0;
	if (fl_attach_collect(&show->state, &garbage, err) < 0)
		return -1;
	for (size_t i = 0; !garbage.dry && (network = fl_args_each(args, "cni", i)); i++) {
		int done = fl_attach_gc(args, &show->state, network, err);

		if (done < 0)
			return -1;
		if (!done)
			fl_log(FL_LOG_WARN, "CNI network %s: its plugins are not asked for GC; it takes "
			       "cniVersion 1.1.0", network);
	}
	return 0;
}

int fl_show_gc(struct fl_args *args, struct fl_err *err)
{
	struct show show;
	bool dry = fl_args_flag(args, "dry-run");
	struct garbage ports = { &show, dry, "ports", fl_nat_unpublish };
	struct garbage egress = { &show, dry, "denied egress", fl_egress_remove };
	int rc = fl_attach_check_options(args, err), networks = 0;
	struct fl_err failure = { 0 };

	if (rc < 0)
		return -1;
	rc = show_open(&show, args, err);
	/* Plugins that fail keep nobody from the rest. */
	if (rc == 0)
		networks = collect_networks(&show, args, &failure);
	for (size_t i = 0; rc == 0 && i < show.taps.count; i++) {
		const struct fl_link *link = &show.taps.items[i];
		char uid[FL_ULID_TEXT];

		rc = fl_cancel_check(NULL, err);
		if (rc == 0 && fl_taps_owner(link, uid) && !is_known(&show, uid))
			rc = collect(&show, link, dry, err);
	}
	if (rc == 0)
		rc = fl_nat_each_published(collect_rules, &ports, err);
	if (rc == 0)
		rc = fl_egress_each(collect_rules, &egress, err);
	if (rc == 0 && show.state.dirfd >= 0)
		rc = fl_dns_place_collect(&show.state, dry, say, err);
	show_finish(&show);
	if (rc < 0 || networks == 0)
		return rc;
	return fl_err_pass(err, &failure);
}
