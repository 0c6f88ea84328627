/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/vms/outcome.h"

#include "common/alloc.h"
#include "common/log.h"

#include <string.h>

#define LONGEST_REST 60 /* seconds */

fl_json *fl_outcome_mark(void)
{
	fl_json *mark = fl_json_new_object();

	fl_json_set(mark, "wants", fl_json_new_text("up"));
	return mark;
}

static enum fl_outcome_what wanted(const fl_json *record)
{
	const char *desired = fl_json_text(fl_json_at(record, "host.desired"));
	const char *mark = fl_json_text(fl_json_at(record, "host.serve.wants"));

	if (fl_str_equal(desired, "deleted"))
		return FL_OUTCOME_DOWN;
	return fl_str_equal(mark, "up") && fl_str_equal(desired, "running") ? FL_OUTCOME_UP
									    : FL_OUTCOME_DONE;
}

enum fl_outcome_what fl_outcome_wanted(const struct fl_index *index,
				       const struct fl_index_entry *entry, char **request)
{
	struct fl_err err = { 0 };
	fl_cleanup_json fl_json *record = fl_index_record(index, entry, &err);
	const char *text = fl_json_text(fl_json_at(record, "host.request"));

	*request = text ? fl_strdup(text) : NULL;
	return !record && err.kind == FL_ERR_EXHAUSTED ? FL_OUTCOME_UNKNOWN : wanted(record);
}

static int put_mark(void *arg, fl_json *record, struct fl_err *err)
{
	(void)err;
	if (fl_str_equal(fl_json_text(fl_json_at(record, "host.desired")), "running") &&
	    fl_vm_is_lost(arg, record))
		fl_json_put(record, "host.serve", fl_outcome_mark());
	return 0;
}

void fl_outcome_restore(const struct fl_state *state, const struct fl_index_entry *entry)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;
	struct fl_err err = { 0 };

	if (fl_vm_open(state, entry->name_space, entry->name, entry->uid, &vm, NULL) < 0)
		return;
	record = fl_vm_load(&vm, NULL);
	if (!record || !fl_vm_is_lost(&vm, record) ||
	    fl_vm_change(&vm, FL_SAVE_PLAIN, put_mark, &vm, &err) == 0)
		return;
	fl_log(FL_LOG_ERROR, "%s: %s", entry->uid, err.text);
}

/* Another try may find the registry up, the disk less full, the other holder gone. A wrong
 * name stays wrong. */
static bool may_heal(enum fl_err_kind kind)
{
	switch (kind) {
	case FL_ERR_UNAVAILABLE:
	case FL_ERR_BUSY:
	case FL_ERR_EXHAUSTED:
	case FL_ERR_TIMEOUT:
	case FL_ERR_INTERRUPTED:
	case FL_ERR_SYSTEM:
		return true;
	default:
		return false;
	}
}

struct taking {
	int status;
	unsigned most_retries;
	struct fl_outcome *outcome;
};

static void fail(fl_json *record)
{
	fl_json_put(record, "status.state", fl_json_new_text("FAILED"));
	fl_json_put(record, "host.serve", NULL);
}

static void try_again(struct taking *taking, fl_json *record, int64_t tries)
{
	int rest = 1 << (tries < 6 ? tries : 6);

	fl_json_put(record, "status.state", fl_json_new_text("PENDING"));
	fl_json_put(record, "status.retry", fl_json_new_int(tries));
	taking->outcome->what = FL_OUTCOME_UP;
	taking->outcome->rest_seconds = rest < LONGEST_REST ? rest : LONGEST_REST;
}

static void take_up(struct taking *taking, fl_json *record)
{
	const char *kind = fl_json_text(fl_json_at(record, "host.error.kind"));
	const char *step = fl_json_text(fl_json_at(record, "host.error.step"));
	int64_t tries = fl_json_int(fl_json_at(record, "status.retry")) + 1;

	taking->outcome->has_failed = taking->status != 0 || kind;
	taking->outcome->is_judged = true;
	taking->outcome->has_pulled = kind ? !fl_str_equal(step, "pull") : taking->status == 0;
	if (!taking->outcome->has_failed) {
		fl_json_put(record, "host.serve", NULL);
		fl_json_put(record, "status.retry", NULL);
		return;
	}
	/* Without a word of its own, the program was killed: that is no verdict. */
	if ((!kind || may_heal(fl_err_kind_of(kind))) && tries <= taking->most_retries)
		try_again(taking, record, tries);
	else
		fail(record);
}

static int change(void *arg, fl_json *record, struct fl_err *err)
{
	struct taking *taking = arg;

	(void)err;
	taking->outcome->what = wanted(record);
	if (taking->outcome->what == FL_OUTCOME_UP) {
		taking->outcome->what = FL_OUTCOME_DONE;
		take_up(taking, record);
	} else if (taking->outcome->what == FL_OUTCOME_DOWN && taking->status != 0) {
		/* Whatever keeps it from going, it is asked to go until it does. */
		taking->outcome->has_failed = true;
		taking->outcome->rest_seconds = 5;
	}
	return 0;
}

void fl_outcome_take(const struct fl_state *state, const struct fl_index_entry *entry, int status,
		     unsigned most_retries, struct fl_outcome *outcome)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct taking taking = { status, most_retries, outcome };
	struct fl_err err = { 0 };

	*outcome = (struct fl_outcome){ .what = FL_OUTCOME_DONE, .has_failed = status != 0 };
	if (fl_vm_open(state, entry->name_space, entry->name, entry->uid, &vm, &err) == 0 &&
	    fl_vm_change(&vm, FL_SAVE_SYNC, change, &taking, &err) == 0)
		return;
	if (vm.dirfd < 0 && err.kind != FL_ERR_EXHAUSTED)
		return; /* it is gone */
	fl_log(FL_LOG_ERROR, "%s: %s", entry->uid, err.text);
	outcome->what = FL_OUTCOME_UP;
	outcome->rest_seconds = LONGEST_REST;
}
