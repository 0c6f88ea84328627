/* SPDX-License-Identifier: MPL-2.0 */
/* "up" of a step. */
#include "common/step.h"

#include "common/clock.h"
#include "common/dryrun.h"
#include "common/log.h"

#include <sys/stat.h>
#include <unistd.h>

#define MOST_BEGUN 200 /* each has its folder open */
#define LOOK_EVERY_MS 100

/* A microVM that the step began, and that is waited for while others are begun. */
struct begun {
	struct fl_vm vm;
	fl_json *document;
	int settle_ms; /* how long it may take */
	int64_t since; /* on fl_clock_ms() */
};

struct up {
	const struct fl_step *step;
	struct fl_args *args;
	struct fl_state state;
	bool has_begun; /* a document came */
	FL_VEC(struct begun) begun;
	size_t concluded; /* of begun, from the first */
	struct fl_err first;
};

/* A failure for which there is no record: the document itself (NULL: none could be read) carries it
 * on. */
static int pass_on_document(const struct up *up, const fl_json *document,
			    const struct fl_err *failure)
{
	fl_cleanup_json fl_json *record = fl_json_new_object();

	fl_json_set(record, "spec", document ? fl_json_copy(fl_spec_of(document)) : fl_json_new_object());
	fl_json_put(record, "host.format", fl_json_new_int(FL_RECORD_FORMAT));
	fl_step_put_failure(record, up->step->name, failure);
	if (!fl_cli_is_terminal())
		fl_step_print(up->args, record, NULL);
	return -1;
}

/* Where records come through a pipe, who is before us in it has told the reason. */
static bool is_told(const struct fl_args *args)
{
	struct stat st;

	return !args->operands.count && fstat(STDIN_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
}

/* A step before failed: that is passed on. */
static int hand_through(const struct up *up, const fl_json *record, struct fl_err *err)
{
	const fl_json *error = fl_json_at(record, "host.error");
	const char *text = fl_json_text(fl_json_get(error, "text"));
	const char *kind = fl_json_text(fl_json_get(error, "kind"));
	const char *name = fl_json_text(fl_json_at(record, "spec.id"));
	const char *name_space = fl_json_text(fl_json_at(record, "spec.namespace"));
	enum fl_err_kind of = fl_err_kind_of(kind ? kind : "");

	fl_step_print(up->args, record, NULL);
	if (is_told(up->args)) {
		fl_log(FL_LOG_DEBUG, "%s: left out, as step %s failed", name ? name : "a spec",
		       fl_json_text(fl_json_get(error, "step")));
		return fl_err_set(err, of, "%s", "");
	}
	fl_err_set(err, of, "%s", text ? text : "failed");
	return name && name_space ? fl_err_prefix(err, "%s/%s", name_space, name) : -1;
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

static int watched_up(const struct up *up, const struct fl_vm *vm, int *settle_ms,
		      struct fl_err *err)
{
	fl_cleanup_vm_watch struct fl_vm_watch watch = { 0 };
	struct fl_step_call call = { .args = up->args, .vm = vm };
	int rc;

	if (fl_vm_watch_init(&watch, vm, err) < 0)
		return -1;
	call.cancel = &watch.cancel;
	rc = locked_up(up->step, &call, err);
	*settle_ms = call.settle_ms;
	fl_spec_finish(&call.spec);
	fl_json_unref(call.record);
	return rc;
}

/* With its record as it is then. */
static int conclude(const struct up *up, const struct fl_vm *vm, const fl_json *document, int rc,
		    struct fl_err *err)
{
	fl_cleanup_json fl_json *record = NULL;

	if (rc < 0)
		fl_step_note(vm, up->step->name, err, NULL);
	record = fl_vm_load(vm, rc < 0 ? NULL : err);
	if (!record)
		return rc < 0 ? pass_on_document(up, document, err) : -1;
	if (rc == 0)
		return fl_step_print(up->args, record, err);
	fl_step_print(up->args, record, NULL);
	return fl_step_name_failure(vm, err);
}

static void begun_finish(struct begun *begun)
{
	fl_vm_close(&begun->vm);
	fl_json_unref(begun->document);
}

/* 1: it has come to its end; 0: not yet; -1: it failed. */
static int judge(const struct up *up, const struct begun *begun, bool wait, struct fl_err *err)
{
	int64_t left = begun->since + begun->settle_ms - fl_clock_ms();
	struct fl_err why = { 0 };

	if (!wait && left > 0)
		return fl_vm_judge_now(&begun->vm, up->step->judge, NULL, err);
	if (fl_vm_wait(&begun->vm, left > 0 ? (int)left : 0, up->step->judge, NULL, &why) == 0)
		return 1;
	if (why.kind != FL_ERR_TIMEOUT)
		return fl_err_pass(err, &why);
	return fl_err_set(err, FL_ERR_TIMEOUT, "%s/%s: not within %d ms", begun->vm.name_space,
			  begun->vm.name, begun->settle_ms);
}

/* The one that was begun first of those left; false: there is none, or nothing to say of it yet. */
static bool conclude_next(struct up *up, bool wait)
{
	struct fl_err failure = { 0 };
	struct begun *begun;
	int verdict;

	if (up->concluded == up->begun.count)
		return false;
	begun = &up->begun.items[up->concluded];
	verdict = judge(up, begun, wait, &failure);
	if (verdict == 0)
		return false;
	if (conclude(up, &begun->vm, begun->document, verdict < 0 ? -1 : 0, &failure) < 0)
		fl_step_keep_first(&up->first, &failure);
	begun_finish(begun);
	up->concluded++;
	return true;
}

static int look_at_begun(void *arg)
{
	struct up *up = arg;

	while (conclude_next(up, false))
		;
	return up->concluded == up->begun.count ? -1 : LOOK_EVERY_MS;
}

/* Takes vm. */
static void wait_later(struct up *up, struct fl_vm *vm, fl_json *document, int settle_ms)
{
	FL_VEC_ADD(&up->begun, (struct begun){ *vm, fl_json_ref(document), settle_ms, fl_clock_ms() });
	*vm = (struct fl_vm)FL_VM_INIT;
	if (up->begun.count - up->concluded > MOST_BEGUN)
		conclude_next(up, true);
}

static int up_one(void *arg, fl_json *document, struct fl_err *err)
{
	struct up *up = arg;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;
	bool bare = !fl_json_get(fl_spec_of(document), "uid");
	int settle_ms, rc;

	up->has_begun = true;
	if (bare && fl_step_failed_before(up->step, document))
		return hand_through(up, document, err);
	if (fl_vm_resolve(&up->state, document, fl_args_flag(up->args, "new"), &vm, err) < 0)
		return pass_on_document(up, document, err);
	record = fl_vm_load(&vm, err);
	if (!record)
		return pass_on_document(up, document, err);
	if (fl_step_failed_before(up->step, record))
		return hand_through(up, record, err);
	rc = watched_up(up, &vm, &settle_ms, err);
	if (rc < 0 || !up->step->judge)
		return conclude(up, &vm, document, rc, err);
	wait_later(up, &vm, document, settle_ms);
	return 0;
}

int fl_step_up(const struct fl_step *step, struct fl_args *args, struct fl_err *err)
{
	struct up up = { .step = step, .args = args };
	const struct fl_step_reader reader = { .each = up_one, .idle = look_at_begun, .arg = &up };
	struct fl_err failure = { 0 };

	if (fl_args_flag(args, "dry-run"))
		return fl_step_dry_run(step, args, err);
	if (fl_args_state(args, true, &up.state, err) < 0)
		return -1;
	if (fl_step_each_document(args, &reader, &failure) < 0)
		fl_step_keep_first(&up.first, &failure);
	while (conclude_next(&up, true))
		;
	/* The next step is not left without input to wonder about. */
	if (!up.has_begun && failure.kind != FL_ERR_NONE)
		pass_on_document(&up, NULL, &failure);
	free(up.begun.items);
	fl_state_close(&up.state);
	return fl_step_take_first(&up.first, err);
}
