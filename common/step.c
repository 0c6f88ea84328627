/* SPDX-License-Identifier: MPL-2.0 */
#include "common/step.h"

#include "common/alloc.h"
#include "common/documents.h"
#include "common/log.h"
#include "common/mask.h"
#include "common/path.h"

#include <fcntl.h>
#include <string.h>
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

int fl_step_name_failure(const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_free char *name = fl_asprintf("%s/%s", vm->name_space, vm->name);

	if (err && err->kind != FL_ERR_INTERRUPTED && !strstr(err->text, name))
		fl_err_prefix(err, "%s", name);
	return -1;
}

bool fl_step_failed_before(const struct fl_step *step, const fl_json *record)
{
	const char *of = fl_json_text(fl_json_at(record, "host.error.step"));
	int place = place_of(of);

	return of && place >= 0 && place < place_of(step->name);
}

void fl_step_keep_first(struct fl_err *first, const struct fl_err *failure)
{
	if (first->kind == FL_ERR_NONE)
		*first = *failure;
	else if (*failure->text && failure->kind != FL_ERR_INTERRUPTED)
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

static int each_of_stream(struct fl_documents *in, const struct fl_step_reader *reader,
			  struct fl_err *first, struct fl_err *err)
{
	size_t count = 0;

	for (;;) {
		struct fl_err failure = { 0 };
		fl_cleanup_json fl_json *document = fl_documents_next(in, &failure);

		if (!document && failure.kind != FL_ERR_NONE)
			fl_step_keep_first(first, &failure);
		if (!document && !count && !reader->none_is_fine && failure.kind == FL_ERR_NONE)
			return fl_err_set(err, FL_ERR_INVALID, "%s: empty; a spec or record is "
					  "wanted, such as \"fl spec\" prints", in->name);
		if (!document)
			return 0;
		count++;
		if (reader->each(reader->arg, document, &failure) < 0)
			fl_step_keep_first(first, &failure);
		if (failure.kind == FL_ERR_INTERRUPTED)
			return 0;
	}
}

int fl_step_each_document(struct fl_args *args, const struct fl_step_reader *reader,
			  struct fl_err *err)
{
	static char dash[] = "-";
	char *standard_input[] = { dash };
	char **names = args->operands.count ? args->operands.items : standard_input;
	size_t count = args->operands.count ? args->operands.count : 1;
	struct fl_err first = { 0 };

	for (size_t i = 0; i < count; i++) {
		fl_cleanup_close int fd = -1;
		fl_cleanup_documents struct fl_documents in = { .name = names[i],
								.idle = reader->idle,
								.idle_arg = reader->arg };
		bool is_stdin = strcmp(names[i], "-") == 0;

		if (!is_stdin)
			fd = open(names[i], O_RDONLY | O_CLOEXEC);
		if (!is_stdin && fd < 0)
			return fl_err_errno(err, errno, "%s: cannot be opened", names[i]);
		in.fd = is_stdin ? STDIN_FILENO : fd;
		if (is_stdin)
			ask_for_input(args);
		in.name = is_stdin ? "standard input" : names[i];
		if (each_of_stream(&in, reader, &first, err) < 0)
			return -1;
	}
	return fl_step_take_first(&first, err);
}
