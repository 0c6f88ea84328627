/* SPDX-License-Identifier: MPL-2.0 */
#include "common/step.h"

#include "common/alloc.h"
#include "common/documents.h"
#include "common/dryrun.h"
#include "common/log.h"
#include "common/mask.h"
#include "common/path.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const order[] = { "pull", "snap", "net", "meta", "run" };

static int place_of(const char *step)
{
	for (size_t i = 0; step && i < FL_COUNT(order); i++)
		if (strcmp(order[i], step) == 0)
			return (int)i;
	return -1;
}

bool fl_step_is_first(const struct fl_step *step)
{
	return place_of(step->name) == 0;
}

static fl_json *error_document(const char *step, const struct fl_err *failure)
{
	fl_json *error = fl_json_new_object();

	fl_json_set(error, "kind", fl_json_new_text(fl_err_kind_name(failure->kind)));
	fl_json_set(error, "text", fl_json_new_text(failure->text));
	fl_json_set(error, "step", fl_json_new_text(step));
	return error;
}

struct note {
	const char *step;
	const struct fl_err *failure;
};

/* Of one that never ran. fl-serve tries its own again, and says itself when it gives up. */
static void judge_state(fl_json *record, const struct fl_err *failure)
{
	const char *state = fl_json_text(fl_json_at(record, "status.state"));
	bool failed = failure->kind != FL_ERR_NONE && failure->kind != FL_ERR_INTERRUPTED;

	if (fl_json_at(record, "host.vmm") || fl_json_at(record, "host.serve.wants"))
		return;
	if (failed && fl_str_equal(state, "PENDING"))
		fl_json_put(record, "status.state", fl_json_new_text("FAILED"));
	else if (!failed && fl_str_equal(state, "FAILED"))
		fl_json_put(record, "status.state", fl_json_new_text("PENDING"));
}

void fl_step_put_failure(fl_json *record, const char *step, const struct fl_err *failure)
{
	fl_json_put(record, "host.error", error_document(step, failure));
}

static int change_error(void *arg, fl_json *record, struct fl_err *err)
{
	struct note *note = arg;
	const char *of = fl_json_text(fl_json_at(record, "host.error.step"));
	bool failed = note->failure->kind != FL_ERR_NONE;

	(void)err;
	if (failed)
		fl_step_put_failure(record, note->step, note->failure);
	else if (place_of(of) >= place_of(note->step))
		fl_json_put(record, "host.error", NULL);
	else
		return 0;
	judge_state(record, note->failure);
	return 0;
}

int fl_step_note(const struct fl_vm *vm, const char *step, const struct fl_err *failure,
		 struct fl_err *err)
{
	struct note note = { step, failure };

	return fl_vm_change(vm, FL_SAVE_PLAIN, change_error, &note, err);
}

const char *fl_step_asked(const struct fl_step_call *call, const char *option, const char *otherwise)
{
	const fl_json *asked = fl_json_at(call->record, "host.asked");
	const char *before = fl_json_text(fl_json_get(asked, option));

	return fl_args_text(call->args, option, before ? before : otherwise);
}

void fl_step_keep_asked(const struct fl_args *args, const char *const *options, fl_json *record)
{
	for (; *options; options++) {
		const char *value = fl_args_text(args, *options, NULL);
		fl_cleanup_free char *at = fl_asprintf("host.asked.%s", *options);
		/* The next start may have another working folder. */
		fl_cleanup_free char *path = value && strchr(value, '/') ? fl_path_absolute(value) : NULL;

		if (value)
			fl_json_put(record, at, fl_json_new_text(path ? path : value));
	}
}

const struct fl_provider *fl_step_provider(const struct fl_step_call *call)
{
	return fl_provider_choose(&call->spec,
				  fl_json_text(fl_json_at(call->record, "host.provider")));
}

int fl_step_print(const struct fl_args *args, const fl_json *record, struct fl_err *err)
{
	fl_cleanup_json fl_json *shown = fl_args_flag(args, "with-metadata")
						 ? fl_json_copy(record)
						 : fl_mask_put_on(record);
	const char *failed = fl_json_text(fl_json_at(record, "host.error.step"));
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	if (!fl_cli_is_terminal() || fl_args_flag(args, "json"))
		return fl_cli_print_json(shown, err);
	fl_str_addf(&line, "%s/%s  %s  %s%s\n", fl_json_text(fl_json_at(record, "spec.namespace")),
		    fl_json_text(fl_json_at(record, "spec.id")),
		    fl_json_text(fl_json_at(record, "spec.uid")), failed ? "failed at step " : "",
		    failed ? failed : fl_json_text(fl_json_at(record, "status.state")));
	return fl_cli_print(line.data, line.len, err);
}

/* A failure for which there is no record: the document itself (NULL: none could be read) carries it
 * on. */
static int pass_on_document(const struct fl_step *step, const struct fl_args *args,
			    const fl_json *document, const struct fl_err *failure)
{
	fl_cleanup_json fl_json *record = fl_json_new_object();

	fl_json_set(record, "spec", document ? fl_json_copy(fl_spec_of(document)) : fl_json_new_object());
	fl_json_put(record, "host.format", fl_json_new_int(FL_RECORD_FORMAT));
	fl_json_put(record, "host.error", error_document(step->name, failure));
	if (!fl_cli_is_terminal())
		fl_step_print(args, record, NULL);
	return -1;
}

/* Where records come through a pipe, who is before us in it has told the reason. */
static bool is_told(const struct fl_args *args)
{
	struct stat st;

	return !args->operands.count && fstat(STDIN_FILENO, &st) == 0 && S_ISFIFO(st.st_mode);
}

int fl_step_name_failure(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("%s/%s", vm->name_space, vm->name);

	if (err && err->kind != FL_ERR_INTERRUPTED && !strstr(err->text, name))
		fl_err_prefix(err, "%s", name);
	return -1;
}

static int failure_of(const struct fl_args *args, const fl_json *record, struct fl_err *err)
{
	const fl_json *error = fl_json_at(record, "host.error");
	const char *text = fl_json_text(fl_json_get(error, "text"));
	const char *kind = fl_json_text(fl_json_get(error, "kind"));
	const char *name = fl_json_text(fl_json_at(record, "spec.id"));
	const char *name_space = fl_json_text(fl_json_at(record, "spec.namespace"));
	enum fl_err_kind of = fl_err_kind_of(kind ? kind : "");

	if (is_told(args)) {
		fl_log(FL_LOG_DEBUG, "%s: left out, as step %s failed", name ? name : "a spec",
		       fl_json_text(fl_json_get(error, "step")));
		return fl_err_set(err, of, "%s", "");
	}
	fl_err_set(err, of, "%s", text ? text : "failed");
	return name && name_space ? fl_err_prefix(err, "%s/%s", name_space, name) : -1;
}

static bool failed_earlier(const struct fl_step *step, const fl_json *record)
{
	const char *of = fl_json_text(fl_json_at(record, "host.error.step"));
	int place = place_of(of);

	return of && place >= 0 && place < place_of(step->name);
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

static int watched_up(const struct fl_step *step, const struct fl_args *args,
		      const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_vm_watch struct fl_vm_watch watch = { 0 };
	struct fl_step_call call = { .args = args, .vm = vm };
	int rc;

	if (fl_vm_watch_init(&watch, vm, err) < 0)
		return -1;
	call.cancel = &watch.cancel;
	rc = locked_up(step, &call, err);
	fl_spec_finish(&call.spec);
	fl_json_unref(call.record);
	return rc;
}

struct up {
	const struct fl_step *step;
	struct fl_args *args;
	struct fl_state state;
	bool has_begun; /* a document came */
};

static int up_one(void *arg, fl_json *document, struct fl_err *err)
{
	struct up *up = arg;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;
	bool bare = !fl_json_get(fl_spec_of(document), "uid");

	up->has_begun = true;
	if (bare && failed_earlier(up->step, document)) {
		fl_step_print(up->args, document, NULL);
		return failure_of(up->args, document, err);
	}
	if (fl_vm_resolve(&up->state, document, fl_args_flag(up->args, "new"), &vm, err) < 0)
		return pass_on_document(up->step, up->args, document, err);
	record = fl_vm_load(&vm, err);
	if (!record)
		return pass_on_document(up->step, up->args, document, err);
	if (failed_earlier(up->step, record)) {
		fl_step_print(up->args, record, NULL);
		return failure_of(up->args, record, err);
	}
	if (watched_up(up->step, up->args, &vm, err) < 0) {
		fl_cleanup_json fl_json *after = NULL;

		fl_step_note(&vm, up->step->name, err, NULL);
		after = fl_vm_load(&vm, NULL);
		if (!after)
			return pass_on_document(up->step, up->args, document, err);
		fl_step_print(up->args, after, NULL);
		return fl_step_name_failure(&vm, err);
	}
	fl_json_unref(record);
	record = fl_vm_load(&vm, err);
	return record ? fl_step_print(up->args, record, err) : -1;
}

void fl_step_keep_first(struct fl_err *first, const struct fl_err *failure)
{
	if (first->kind == FL_ERR_NONE)
		*first = *failure;
	else if (*failure->text)
		fl_log(FL_LOG_ERROR, "%s", failure->text);
}

int fl_step_take_first(const struct fl_err *first, struct fl_err *err)
{
	return first->kind == FL_ERR_NONE ? 0 : fl_err_pass(err, first);
}

/* Who typed no more than the command's name would wait for it, and it for him. */
static void ask_for_input(const struct fl_args *args)
{
	if (isatty(STDIN_FILENO) && !fl_args_flag(args, "quiet"))
		fl_log(FL_LOG_WARN, "a spec or record is read from this terminal; Ctrl-D ends it, and "
		       "\"--help\" tells what else there is");
}

static int each_of_stream(struct fl_documents *in, bool none_is_fine,
			  int (*each)(void *arg, fl_json *document, struct fl_err *err),
			  void *arg, struct fl_err *first, struct fl_err *err)
{
	size_t count = 0;

	for (;;) {
		struct fl_err failure = { 0 };
		fl_cleanup_json fl_json *document = fl_documents_next(in, &failure);

		if (!document && failure.kind != FL_ERR_NONE)
			fl_step_keep_first(first, &failure);
		if (!document && !count && !none_is_fine && failure.kind == FL_ERR_NONE)
			return fl_err_set(err, FL_ERR_INVALID, "%s: empty; a spec or record is "
					  "wanted, such as \"fl spec\" prints", in->name);
		if (!document)
			return 0;
		count++;
		if (each(arg, document, &failure) < 0)
			fl_step_keep_first(first, &failure);
		if (failure.kind == FL_ERR_INTERRUPTED)
			return 0;
	}
}

int fl_step_each_document(struct fl_args *args, bool none_is_fine,
			  int (*each)(void *arg, fl_json *document, struct fl_err *err),
			  void *arg, struct fl_err *err)
{
	static char dash[] = "-";
	char *standard_input[] = { dash };
	char **names = args->operands.count ? args->operands.items : standard_input;
	size_t count = args->operands.count ? args->operands.count : 1;
	struct fl_err first = { 0 };

	for (size_t i = 0; i < count; i++) {
		fl_cleanup_close int fd = -1;
		fl_cleanup_documents struct fl_documents in = { .name = names[i] };
		bool is_stdin = strcmp(names[i], "-") == 0;

		if (!is_stdin)
			fd = open(names[i], O_RDONLY | O_CLOEXEC);
		if (!is_stdin && fd < 0)
			return fl_err_errno(err, errno, "%s: cannot be opened", names[i]);
		in.fd = is_stdin ? STDIN_FILENO : fd;
		if (is_stdin)
			ask_for_input(args);
		in.name = is_stdin ? "standard input" : names[i];
		if (each_of_stream(&in, none_is_fine, each, arg, &first, err) < 0)
			return -1;
	}
	return fl_step_take_first(&first, err);
}

int fl_step_up(const struct fl_step *step, struct fl_args *args, struct fl_err *err)
{
	struct up up = { .step = step, .args = args };
	int rc;

	if (fl_args_flag(args, "dry-run"))
		return fl_step_dry_run(step, args, err);
	if (fl_args_state(args, true, &up.state, err) < 0)
		return -1;
	rc = fl_step_each_document(args, false, up_one, &up, err);
	/* The next step is not left without input to wonder about. */
	if (rc < 0 && !up.has_begun)
		pass_on_document(step, args, NULL, err);
	fl_state_close(&up.state);
	return rc;
}
