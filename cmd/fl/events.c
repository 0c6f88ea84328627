/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/events.h"

#include "common/journal.h"
#include "common/num.h"
#include "common/since.h"
#include "common/step.h"

#include <string.h>

const struct fl_option fl_events_options[] = {
	{ "follow", 'f', NULL, "go on with what happens from now on" },
	{ "all", 'a', NULL, "every change of a record, not of its state alone" },
	{ "since", 0, "WHEN", "a time, a duration ago, or a cursor: the seq of the last event seen" },
	FL_STEP_SELECTOR_OPTION,
	{ 0 },
};

struct watching {
	const struct fl_args *args;
	struct fl_state state;
	struct fl_journal_reader reader;
	uint64_t cursor;           /* events up to it are known */
	char since[FL_CLOCK_TEXT]; /* "": from the beginning */
	fl_json *selected;         /* uids that were selected, so that their end is told too */
	fl_json *told;             /* by uid: what was said last of how it is */
	bool follow;
};

static void watching_finish(struct watching *watching)
{
	fl_journal_finish(&watching->reader);
	fl_state_close(&watching->state);
	fl_json_unref(watching->selected);
	fl_json_unref(watching->told);
}

static int read_since(struct watching *watching, struct fl_err *err)
{
	const char *text = fl_args_text(watching->args, "since", NULL);
	uint64_t cursor;

	if (!text)
		return 0;
	if (fl_num_u64(text, 0, INT64_MAX, &cursor, NULL) == 0) {
		watching->cursor = cursor;
		return 0;
	}
	return fl_since_parse(text, watching->since, err) < 0
		       ? fl_err_prefix(err, "option --since")
		       : 0;
}

/* Whoever goes on from a cursor must not miss anything between. */
static int check_cursor(const struct watching *watching, uint64_t oldest, struct fl_err *err)
{
	uint64_t last = fl_journal_last(watching->state.dirfd);

	if (oldest <= watching->cursor + 1 && watching->cursor <= last)
		return 0;
	return fl_err_set(err, FL_ERR_NOT_FOUND,
			  "option --since: cursor %llu: the journal holds %llu to %llu; look with "
			  "\"fl ls\" and go on from %llu", (unsigned long long)watching->cursor,
			  (unsigned long long)oldest, (unsigned long long)last,
			  (unsigned long long)last);
}

static fl_json *load(const struct watching *watching, const fl_json *event)
{
	const char *name_space = fl_json_text(fl_json_get(event, "namespace"));
	const char *name = fl_json_text(fl_json_get(event, "name"));
	const char *uid = fl_json_text(fl_json_get(event, "uid"));
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;

	if (!name_space || !name || !uid ||
	    fl_vm_open(&watching->state, name_space, name, uid, &vm, NULL) < 0)
		return NULL;
	return fl_vm_load(&vm, NULL);
}

/* A record that is gone has no labels any more: it counts as it counted last. */
static bool is_wanted(struct watching *watching, const fl_json *event, const fl_json *record)
{
	const char *uid = fl_json_text(fl_json_get(event, "uid"));
	const char *when = fl_json_text(fl_json_get(event, "time"));

	if (!uid || !when || strcmp(when, watching->since) < 0)
		return false;
	if (!fl_args_flag(watching->args, "selector"))
		return true;
	if (!record)
		return fl_json_get(watching->selected, uid);
	fl_json_set(watching->selected, uid,
		    fl_step_is_selected(watching->args, record) ? fl_json_new_bool(true) : NULL);
	return fl_json_get(watching->selected, uid);
}

static const char *text_of(const fl_json *event, const char *key)
{
	const char *text = fl_json_text(fl_json_get(event, key));

	return text ? text : "-";
}

static void add_how(const fl_json *event, struct fl_str *out)
{
	static const char *const keys[] = { "state", "vmm_state", "reason" };

	fl_str_add(out, "");
	for (size_t i = 0; i < FL_COUNT(keys); i++)
		if (fl_json_get(event, keys[i]))
			fl_str_addf(out, "  %s", text_of(event, keys[i]));
}

/* A microVM's record is saved far more often than anything happens to it. */
static bool is_news(struct watching *watching, const fl_json *event, const char *how)
{
	const char *uid = text_of(event, "uid");
	bool is_same = fl_str_equal(fl_json_text(fl_json_get(watching->told, uid)), how);

	fl_json_set(watching->told, uid,
		    fl_str_equal(text_of(event, "what"), "deleted") ? NULL : fl_json_new_text(how));
	return !is_same || !fl_str_equal(text_of(event, "what"), "changed") ||
	       fl_args_flag(watching->args, "all");
}

static int print(struct watching *watching, const fl_json *event, struct fl_err *err)
{
	fl_cleanup_str struct fl_str line = FL_STR_INIT, how = FL_STR_INIT;

	if (fl_args_flag(watching->args, "json"))
		return fl_cli_print_json(event, err);
	add_how(event, &how);
	if (!is_news(watching, event, how.data))
		return 0;
	fl_str_addf(&line, "%s  %lld  %-7s  %s/%s  %s", text_of(event, "time"),
		    (long long)fl_json_int(fl_json_get(event, "seq")), text_of(event, "what"),
		    text_of(event, "namespace"), text_of(event, "name"), text_of(event, "uid"));
	fl_str_add(&line, how.data);
	if (fl_json_get(event, "request"))
		fl_str_addf(&line, "  request=%s", text_of(event, "request"));
	fl_str_add(&line, "\n");
	return fl_cli_print(line.data, line.len, err);
}

static int tell(struct watching *watching, fl_json *event, struct fl_err *err)
{
	bool look = fl_args_flag(watching->args, "selector");
	fl_cleanup_json fl_json *record = look ? load(watching, event) : NULL;

	if (!is_wanted(watching, event, record))
		return 0;
	return print(watching, event, err);
}

/* All that is there now. The lines are read first, then their changes are waited for. */
static int tell_batch(struct watching *watching, bool *first, struct fl_err *err)
{
	fl_cleanup_json fl_json *batch = fl_json_new_array();
	fl_json *event;

	while (fl_json_count(batch) < 1000 && (event = fl_journal_next(&watching->reader))) {
		uint64_t seq = (uint64_t)fl_json_int(fl_json_get(event, "seq"));

		if (*first && watching->cursor && check_cursor(watching, seq, err) < 0) {
			fl_json_unref(event);
			return -1;
		}
		*first = false;
		if (seq > watching->cursor)
			fl_json_add(batch, event);
		else
			fl_json_unref(event);
	}
	fl_journal_settled(watching->state.dirfd);
	for (size_t i = 0; i < fl_json_count(batch); i++)
		if (tell(watching, fl_json_item(batch, i), err) < 0)
			return -1;
	return fl_json_count(batch) ? 1 : 0;
}

static int note_selected(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct watching *watching = arg;

	(void)err;
	fl_json_set(watching->selected, vm->uid, fl_json_new_bool(true));
	return 0;
}

/* What goes before its labels were seen is told by what it was at first. */
static int note_all_selected(struct watching *watching, struct fl_err *err)
{
	if (!fl_args_flag(watching->args, "selector"))
		return 0;
	return fl_step_each_selected(watching->args, &watching->state, note_selected, watching,
				     err) < 0 ? -1 : 0;
}

static int watch(struct watching *watching, struct fl_err *err)
{
	bool first = true;

	for (;;) {
		uint64_t before = watching->reader.seq;

		if (tell_batch(watching, &first, err) < 0)
			return -1;
		if (watching->reader.missed)
			return fl_err_set(err, FL_ERR_EXHAUSTED, "events were lost: they came faster than "
					  "they were read; look with \"fl ls\" and go on from %llu",
					  (unsigned long long)watching->reader.seq);
		if (watching->reader.seq != before)
			continue;
		if (!watching->follow)
			return 0;
		if (fl_cli_wait(watching->reader.tail.inotify, err) < 0)
			return -1;
	}
}

int fl_events(struct fl_args *args, struct fl_err *err)
{
	struct watching watching = { .args = args, .state = { .dirfd = -1 },
				     .reader = FL_JOURNAL_READER_INIT,
				     .selected = fl_json_new_object(), .told = fl_json_new_object(),
				     .follow = fl_args_flag(args, "follow") };
	bool from_end = watching.follow && !fl_args_flag(args, "since");
	int rc = -1;

	/* Where nothing ever was, nothing happened. */
	if (!watching.follow && access(fl_args_state_dir(args), F_OK) < 0 && errno == ENOENT) {
		watching_finish(&watching);
		return 0;
	}
	if (fl_step_check_selectors(args, err) == 0 && read_since(&watching, err) == 0 &&
	    fl_args_state(args, false, &watching.state, err) == 0 &&
	    fl_journal_open(&watching.reader, watching.state.dirfd, watching.state.dir, from_end,
			    err) == 0 &&
	    note_all_selected(&watching, err) == 0)
		rc = watch(&watching, err);
	watching_finish(&watching);
	return rc;
}
