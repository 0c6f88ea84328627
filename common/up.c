/* SPDX-License-Identifier: MPL-2.0 */
/* "up" of a step. */
#include "common/step.h"

#include "common/clock.h"
#include "common/dryrun.h"
#include "common/log.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_WAITED_FOR 200
#define LOOK_EVERY_MS 100

/* A document, from when it came until it is told what became of it. */
struct entry {
	fl_json *document; /* owned; NULL: none could be read */
	struct fl_vm vm;
	bool is_waited_for; /* the step began it, and its judge has yet to say what it came to */
	int settle_ms;      /* how long that may take */
	int64_t since;      /* on fl_clock_ms() */
	fl_json *record;    /* to print; NULL: nothing */
	struct fl_err failure;
};

struct up {
	const struct fl_step *step;
	struct fl_args *args;
	struct fl_state state;
	bool has_begun; /* a document came */
	FL_VEC(struct entry) entries;
	size_t told; /* of entries, from the first */
	size_t most; /* that may be waited for: each has its folder open */
	bool is_interrupted; /* by a signal, or as nobody reads what is told */
	struct fl_err first;
};

/* A failure for which there is no record: the document itself (NULL: none could be read) carries it
 * on. */
static void carry_on_document(const struct up *up, struct entry *entry)
{
	if (fl_cli_is_terminal())
		return;
	entry->record = fl_json_new_object();
	fl_json_set(entry->record, "spec", entry->document ? fl_json_copy(fl_spec_of(entry->document))
							   : fl_json_new_object());
	fl_json_put(entry->record, "host.format", fl_json_new_int(FL_RECORD_FORMAT));
	fl_step_put_failure(entry->record, up->step->name, &entry->failure);
}

/* Where records come through a pipe, who is before us in it has told the reason. */
static bool is_told(const struct fl_args *args)
{
	struct stat st;

	return !args->operands.count && fstat(STDIN_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* A step before failed: that is passed on. */
static void hand_through(const struct up *up, struct entry *entry, fl_json *record)
{
	const fl_json *error = fl_json_at(record, "host.error");
	const char *text = fl_json_text(fl_json_get(error, "text"));
	const char *kind = fl_json_text(fl_json_get(error, "kind"));
	const char *name = fl_json_text(fl_json_at(record, "spec.id"));
	const char *name_space = fl_json_text(fl_json_at(record, "spec.namespace"));
	enum fl_err_kind of = fl_err_kind_of(kind ? kind : "");

	entry->record = fl_json_ref(record);
	if (is_told(up->args)) {
		fl_log(FL_LOG_DEBUG, "%s: left out, as step %s failed", name ? name : "a spec",
		       fl_json_text(fl_json_get(error, "step")));
		fl_err_set(&entry->failure, of, "%s", "");
		return;
	}
	fl_err_set(&entry->failure, of, "%s", text ? text : "failed");
	if (name && name_space)
		fl_err_prefix(&entry->failure, "%s/%s", name_space, name);
}

static int locked_up(const struct fl_step *step, struct fl_step_call *call, struct fl_err *err)
{
	static const struct fl_err none;
	fl_cleanup_close int lock =
		step->without_lock ? -1 : fl_vm_lock_step(call->vm, call->cancel, err);

	if (!step->without_lock && lock < 0)
		return -1;
	if (step->claims && fl_vm_claim(call->vm, step->name, err) < 0)
		return -1;
	if (fl_step_note(call->vm, step->name, &none, err) < 0)
		return -1;
	call->record = fl_vm_load(call->vm, err);
	if (!call->record)
		return -1;
	if (fl_record_is_leaving(call->record))
		return fl_err_set(err, FL_ERR_ABORTED, "%s/%s: is being deleted",
				  call->vm->name_space, call->vm->name);
	call->spec = fl_spec_view(fl_json_get(call->record, "spec"));
	return step->up(call, err);
}

static int watched_up(const struct up *up, struct entry *entry)
{
	fl_cleanup_vm_watch struct fl_vm_watch watch = { 0 };
	struct fl_step_call call = { .args = up->args, .vm = &entry->vm };
	int rc;

	if (fl_vm_watch_init(&watch, &entry->vm, &entry->failure) < 0)
		return -1;
	call.cancel = &watch.cancel;
	rc = locked_up(up->step, &call, &entry->failure);
	entry->settle_ms = call.settle_ms;
	entry->since = fl_clock_ms();
	fl_spec_finish(&call.spec);
	fl_json_unref(call.record);
	return rc;
}

/* With its record as it is then. */
static void conclude(const struct up *up, struct entry *entry, int rc)
{
	entry->is_waited_for = false;
	if (rc < 0)
		fl_step_note(&entry->vm, up->step->name, &entry->failure, NULL);
	entry->record = fl_vm_load(&entry->vm, rc < 0 ? NULL : &entry->failure);
	if (rc == 0)
		return;
	if (entry->record)
		fl_step_name_failure(&entry->vm, &entry->failure);
	else
		carry_on_document(up, entry);
}

/* 1: it has come to its end; 0: not yet; -1: it failed. */
static int judge(const struct up *up, struct entry *entry, bool wait)
{
	int64_t left = entry->since + entry->settle_ms - fl_clock_ms();
	const struct fl_vm *vm = &entry->vm;
	int verdict;

	if (!wait && left > 0)
		verdict = fl_vm_judge_now(vm, up->step->judge, NULL, &entry->failure);
	else
		verdict = fl_vm_wait(vm, left > 0 ? (int)left : 0, up->step->judge, NULL,
				     &entry->failure) < 0 ? -1 : 1;
	if (verdict < 0 && entry->failure.kind == FL_ERR_TIMEOUT)
		fl_err_set(&entry->failure, FL_ERR_TIMEOUT, "%s/%s: not within %d ms", vm->name_space,
			   vm->name, entry->settle_ms);
	if (verdict < 0 && entry->failure.kind == FL_ERR_NOT_FOUND)
		fl_err_set(&entry->failure, FL_ERR_ABORTED, "%s/%s: was deleted meanwhile",
			   vm->name_space, vm->name);
	return verdict;
}

static void entry_finish(struct entry *entry)
{
	fl_vm_close(&entry->vm);
	fl_json_unref(entry->document);
	fl_json_unref(entry->record);
}

static void tell(struct up *up, struct entry *entry)
{
	struct fl_err *err = entry->failure.kind == FL_ERR_NONE ? &entry->failure : NULL;

	if (entry->record)
		fl_step_print(up->args, entry->record, err);
	if (entry->failure.kind != FL_ERR_NONE)
		fl_step_keep_first(&up->first, &entry->failure);
	up->is_interrupted |= entry->failure.kind == FL_ERR_INTERRUPTED;
}

/* The first of those that are left; false: there is none, or nothing to say of it yet. */
static bool tell_next(struct up *up, bool wait)
{
	struct entry *entry;
	int verdict;

	if (up->told == up->entries.count)
		return false;
	entry = &up->entries.items[up->told];
	if (entry->is_waited_for) {
		verdict = judge(up, entry, wait);
		if (verdict == 0)
			return false;
		conclude(up, entry, verdict < 0 ? -1 : 0);
	}
	tell(up, entry);
	entry_finish(entry);
	up->told++;
	if (up->told == up->entries.count)
		up->told = up->entries.count = 0;
	return true;
}

static int look_at_entries(void *arg)
{
	struct up *up = arg;

	while (tell_next(up, false))
		;
	return up->told == up->entries.count ? -1 : LOOK_EVERY_MS;
}

/* Without a failure it is done, or is waited for. */
static void begin(struct up *up, struct entry *entry)
{
	bool bare = !fl_json_get(fl_spec_of(entry->document), "uid");
	fl_cleanup_json fl_json *record = NULL;
	int rc;

	if (bare && fl_step_failed_before(up->step, entry->document)) {
		hand_through(up, entry, entry->document);
		return;
	}
	if (fl_vm_resolve(&up->state, entry->document, fl_args_flag(up->args, "new"), &entry->vm,
			  &entry->failure) == 0)
		record = fl_vm_load(&entry->vm, &entry->failure);
	if (!record) {
		carry_on_document(up, entry);
		return;
	}
	if (fl_step_failed_before(up->step, record)) {
		hand_through(up, entry, record);
		return;
	}
	rc = watched_up(up, entry);
	entry->is_waited_for = rc == 0 && up->step->judge;
	if (!entry->is_waited_for)
		conclude(up, entry, rc);
}

/* What is told has the order of what came in. */
static int up_one(void *arg, fl_json *document, struct fl_err *err)
{
	struct up *up = arg;
	struct entry entry = { .document = fl_json_ref(document), .vm = FL_VM_INIT };

	up->has_begun = true;
	begin(up, &entry);
	up->is_interrupted |= entry.failure.kind == FL_ERR_INTERRUPTED;
	if (!entry.is_waited_for)
		fl_vm_close(&entry.vm);
	FL_VEC_ADD(&up->entries, entry);
	look_at_entries(up);
	if (up->entries.count - up->told > up->most)
		tell_next(up, true);
	return up->is_interrupted ? fl_err_set(err, FL_ERR_INTERRUPTED, "%s", "") : fl_cancel_check(NULL, err);
}

/* Of what may be open at once most is left to those who begin them. */
static size_t most_waited_for(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur / 4 >= MOST_WAITED_FOR)
		return MOST_WAITED_FOR;
	return (size_t)limit.rlim_cur / 4;
}

int fl_step_up(const struct fl_step *step, struct fl_args *args, struct fl_err *err)
{
	struct up up = { .step = step, .args = args, .most = most_waited_for() };
	const struct fl_step_reader reader = { .each = up_one, .idle = look_at_entries, .arg = &up };
	struct fl_err failure = { 0 };

	if (fl_args_flag(args, "dry-run"))
		return fl_step_dry_run(step, args, err);
	if (fl_args_state(args, true, &up.state, err) < 0)
		return -1;
	fl_step_each_document(args, &reader, &failure);
	while (tell_next(&up, true))
		;
	/* The next step is not left without input to wonder about. */
	if (!up.has_begun && failure.kind != FL_ERR_NONE) {
		struct entry none = { .vm = FL_VM_INIT, .failure = failure };

		carry_on_document(&up, &none);
		tell(&up, &none);
		entry_finish(&none);
	} else if (failure.kind != FL_ERR_NONE) {
		fl_step_keep_first(&up.first, &failure);
	}
	free(up.entries.items);
	fl_state_close(&up.state);
	return fl_step_take_first(&up.first, err);
}
