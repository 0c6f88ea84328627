/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/act.h"

#include "common/alloc.h"
#include "common/cancel.h"
#include "common/log.h"
#include "common/step.h"
#include "common/table.h"

#include <string.h>
#include <unistd.h>

static const struct fl_act_kind *const kinds[] = {
	&fl_act_file, &fl_act_folder, &fl_act_bridge, &fl_act_image, &fl_act_mount, &fl_act_unit,
	&fl_act_lvm,  &fl_act_pool,   &fl_act_package,
};

static const char *const words[] = { "done", "make", "change", "keep" };

struct fl_act *fl_acts_add(fl_acts *acts, const struct fl_act_kind *kind, const char *step,
			   fl_json *about)
{
	FL_VEC_ADD(acts, (struct fl_act){ .kind = kind, .step = step, .about = about });
	return &acts->items[acts->count - 1];
}

void fl_acts_finish(fl_acts *acts)
{
	for (size_t i = 0; i < acts->count; i++) {
		fl_json_unref(acts->items[i].about);
		fl_str_finish(&acts->items[i].text);
	}
	free(acts->items);
	*acts = (fl_acts){ 0 };
}

fl_json *fl_about(const char *name)
{
	fl_json *about = fl_json_new_object();

	fl_json_set(about, "name", fl_json_new_text(name));
	return about;
}

const char *fl_about_text(const fl_json *about, const char *key)
{
	const char *text = fl_json_text(fl_json_get(about, key));

	return text ? text : "";
}

const char *fl_act_name(const struct fl_act *act)
{
	return fl_about_text(act->about, "name");
}

static fl_json *row_of(const struct fl_act *act, const char *change, const char *why)
{
	fl_json *row = fl_json_new_object();

	fl_json_set(row, "step", fl_json_new_text(act->step));
	fl_json_set(row, "change", fl_json_new_text(change));
	fl_json_set(row, "kind", fl_json_new_text(act->kind->name));
	fl_json_set(row, "name", fl_json_new_text(fl_act_name(act)));
	fl_json_set(row, "why", why && *why ? fl_json_new_text(why) : fl_json_new_null());
	return row;
}

int fl_acts_plan(const struct fl_site *site, const fl_acts *acts, bool json, struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	struct fl_err first = { 0 };

	fl_table_column(&table, "STEP", "step");
	fl_table_column(&table, "CHANGE", "change");
	fl_table_column(&table, "KIND", "kind");
	fl_table_column(&table, "NAME", "name");
	fl_table_column(&table, "REMARK", "why");
	for (size_t i = 0; i < acts->count; i++) {
		const struct fl_act *act = &acts->items[i];
		fl_cleanup_str struct fl_str why = FL_STR_INIT;
		struct fl_err failure = { 0 };
		int look = act->kind->look(site, act, &why, &failure);
		bool unseen = look < 0 && failure.kind == FL_ERR_DENIED && geteuid() != 0;

		if (look < 0 && !unseen)
			fl_step_keep_first(&first, &failure);
		fl_table_row(&table, look < 0 ? row_of(act, unseen ? "unseen" : "refuse", failure.text)
					      : row_of(act, words[look], why.data));
	}
	if (fl_table_print(&table, json, err) < 0)
		return -1;
	return fl_step_take_first(&first, err);
}

int fl_acts_losses(const struct fl_site *site, const fl_acts *acts, struct fl_str *losses,
		   struct fl_err *err)
{
	for (size_t i = 0; i < acts->count; i++) {
		const struct fl_act *act = &acts->items[i];
		fl_cleanup_str struct fl_str why = FL_STR_INIT;
		int look = act->kind->destroys ? act->kind->look(site, act, &why, err) : FL_LOOK_DONE;

		if (look < 0)
			return fl_err_prefix(err, "%s", act->step);
		if (look == FL_LOOK_MAKE)
			fl_str_addf(losses, "%s%s (%s)%s%s", losses->len ? "; " : "",
				    fl_about_text(act->about, "disk"), act->step, why.len ? ": " : "",
				    why.len ? why.data : "");
	}
	return 0;
}

/* Its name, with those that came by the same deed. Caller frees. */
static char *names_of(const fl_json *entry)
{
	const fl_json *with = fl_json_get(entry, "with");
	fl_cleanup_str struct fl_str names = FL_STR_INIT;

	fl_str_add(&names, fl_about_text(entry, "name"));
	for (size_t i = 0; i < fl_json_count(with); i++)
		fl_str_addf(&names, ", %s", fl_json_text(fl_json_item(with, i)));
	return fl_str_steal(&names);
}

/* The entry before the deed: whatever dies in between is found by the ledger. */
static int make_one(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		    struct fl_err *err)
{
	fl_json_set(entry, "step", fl_json_new_text(act->step));
	fl_json_set(entry, "kind", fl_json_new_text(act->kind->name));
	if (act->kind->before && act->kind->before(site, act, entry, err) < 0)
		return -1;
	if (fl_ledger_begin(site->ledger, entry, err) < 0)
		return -1;
	return act->kind->make(site, act, err);
}

static int do_one(const struct fl_site *site, struct fl_act *act, struct fl_err *err)
{
	fl_cleanup_str struct fl_str why = FL_STR_INIT;
	fl_cleanup_json fl_json *entry = fl_json_copy(act->about);
	fl_cleanup_free char *names = NULL;
	int look;

	if (fl_cancel_check(NULL, err) < 0)
		return -1;
	look = act->kind->look(site, act, &why, err);
	if (look < 0)
		return -1;
	if (look == FL_LOOK_KEEP)
		fl_log(FL_LOG_WARN, "%s: kept%s%s", fl_act_name(act), why.len ? ": " : "",
		       why.len ? why.data : "");
	if (look == FL_LOOK_DONE && why.len)
		fl_log(FL_LOG_INFO, "%s: %s stays as it is: %s", act->step, fl_act_name(act),
		       why.data);
	if (look == FL_LOOK_DONE || look == FL_LOOK_KEEP)
		return 0;
	if (make_one(site, act, entry, err) < 0)
		return -1;
	names = names_of(entry);
	fl_log(FL_LOG_INFO, "%s: %s %s%s%s", act->step, names,
	       look == FL_LOOK_MAKE ? "made" : "changed", why.len ? ": " : "",
	       why.len ? why.data : "");
	return 0;
}

/* Whether what is wrong is of a thing that an act between the two is about to make or change. */
static bool is_mended(const struct fl_site *site, const struct fl_act *from,
		      const struct fl_act *until, const char *wrong)
{
	bool is = false;

	for (const struct fl_act *act = from; act < until && !is; act++) {
		fl_cleanup_str struct fl_str why = FL_STR_INIT;

		if (strstr(wrong, fl_act_name(act))) {
			int look = act->kind->look(site, act, &why, NULL);

			is = look == FL_LOOK_MAKE || look == FL_LOOK_CHANGE;
		}
	}
	return is;
}

/* A step that cannot come to its end is not begun. */
static int check_step(const struct fl_site *site, const fl_acts *acts, size_t first,
		      struct fl_err *err)
{
	const struct fl_act *from = &acts->items[first];

	for (size_t i = first; i < acts->count; i++) {
		const struct fl_act *act = &acts->items[i];
		fl_cleanup_str struct fl_str why = FL_STR_INIT;
		struct fl_err failure = { 0 };

		if (strcmp(act->step, from->step) != 0)
			break;
		if (fl_cancel_check(NULL, err) < 0)
			return -1;
		if (act->kind->look(site, act, &why, &failure) < 0 &&
		    !is_mended(site, from, act, failure.text))
			return fl_err_pass(err, &failure);
	}
	return 0;
}

int fl_acts_make(const struct fl_site *site, fl_acts *acts, struct fl_err *err)
{
	const char *step = "";

	for (size_t i = 0; i < acts->count; i++) {
		bool is_next = strcmp(acts->items[i].step, step) != 0;

		step = acts->items[i].step;
		if ((is_next && check_step(site, acts, i, err) < 0) ||
		    do_one(site, &acts->items[i], err) < 0)
			return fl_err_prefix(err, "%s", step);
	}
	return 0;
}

static const struct fl_act_kind *kind_of(const fl_json *entry)
{
	for (size_t i = 0; i < FL_COUNT(kinds); i++)
		if (strcmp(kinds[i]->name, fl_about_text(entry, "kind")) == 0)
			return kinds[i];
	return NULL;
}

static int unknown(const fl_json *entry, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "the ledger has a \"%s\" (%s), which this "
			  "fl-provision does not know; use the one that made it",
			  fl_about_text(entry, "kind"), fl_about_text(entry, "name"));
}

static int undo_one(const struct fl_site *site, fl_json *borrowed, struct fl_err *err)
{
	fl_cleanup_json fl_json *entry = fl_json_ref(borrowed);
	const struct fl_act_kind *kind = kind_of(entry);
	fl_cleanup_str struct fl_str kept = FL_STR_INIT;
	const char *name = fl_about_text(entry, "name");

	if (fl_cancel_check(NULL, err) < 0)
		return -1;
	if (!kind)
		return unknown(entry, err);
	if (kind->undo(site, entry, &kept, err) < 0)
		return -1;
	if (fl_ledger_end(site->ledger, entry, err) < 0)
		return -1;
	/* It was made and then changed: what becomes of it in the end is told. */
	if (!fl_ledger_find(site->ledger, kind->name, name))
		fl_log(kept.len ? FL_LOG_WARN : FL_LOG_INFO, "%s: %s%s", name,
		       kept.len ? "kept: " : "taken back", kept.len ? kept.data : "");
	return 0;
}

static int print_entry(const fl_json *entry, bool json, struct fl_err *err)
{
	const struct fl_act_kind *kind = kind_of(entry);
	bool stays = kind && kind->stays;
	fl_cleanup_free char *names = names_of(entry), *line = NULL;
	fl_cleanup_json fl_json *row = NULL;

	if (!json) {
		line = fl_asprintf("%s %s%s\n", fl_about_text(entry, "kind"), names,
				   stays ? " (stays)" : "");
		return fl_cli_print(line, strlen(line), err);
	}
	row = fl_json_new_object();
	fl_json_set(row, "step", fl_json_new_text(fl_about_text(entry, "step")));
	fl_json_set(row, "change", fl_json_new_text(stays ? "keep" : "undo"));
	fl_json_set(row, "kind", fl_json_new_text(fl_about_text(entry, "kind")));
	fl_json_set(row, "name", fl_json_new_text(names));
	fl_json_set(row, "why", kind ? fl_json_new_null() : fl_json_new_text("is not known here"));
	return fl_cli_print_json(row, err);
}

/* What was changed again later stands there once. */
static int print_entries(const struct fl_site *site, bool json, struct fl_err *err)
{
	const fl_json *entries = site->ledger->entries;

	for (size_t i = fl_json_count(entries); i > 0; i--) {
		const fl_json *entry = fl_json_item(entries, i - 1);
		const fl_json *newest = fl_ledger_find(site->ledger, fl_about_text(entry, "kind"),
						       fl_about_text(entry, "name"));

		if (entry == newest && print_entry(entry, json, err) < 0)
			return -1;
	}
	return 0;
}

int fl_acts_undo(const struct fl_site *site, enum fl_undo how, struct fl_err *err)
{
	size_t left;

	if (!fl_json_count(site->ledger->entries))
		fl_log(FL_LOG_INFO, "nothing is left to undo");
	if (how != FL_UNDO)
		return print_entries(site, how == FL_UNDO_PRINT_JSON, err);
	while ((left = fl_json_count(site->ledger->entries)))
		if (undo_one(site, fl_json_item(site->ledger->entries, left - 1), err) < 0)
			return -1;
	return fl_ledger_forget(site->ledger, err);
}

int fl_acts_restore(const struct fl_site *site, struct fl_err *err)
{
	const fl_json *entries = site->ledger->entries;

	for (size_t i = 0; i < fl_json_count(entries); i++) {
		const fl_json *entry = fl_json_item(entries, i);
		const struct fl_act_kind *kind = kind_of(entry);

		if (!kind)
			return unknown(entry, err);
		if (kind->restore && kind->restore(site, entry, err) < 0)
			return -1;
	}
	return 0;
}
