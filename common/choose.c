/* SPDX-License-Identifier: MPL-2.0 */
/* Which microVMs a command line means: by name, by label, or by records that come in. */
#include "common/step.h"

#include "common/alloc.h"
#include "common/log.h"
#include "common/selector.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int fl_step_several(const char *text, const fl_vm_names *names, const char *otherwise, struct fl_err *err)
{
	fl_cleanup_str struct fl_str uids = FL_STR_INIT;

	for (size_t i = 0; i < names->count; i++)
		fl_str_addf(&uids, " %s", names->items[i].uid);
	return fl_err_set(err, FL_ERR_USAGE, "%s: means several microVMs:%s; name one by its uid%s",
			  text, uids.data, otherwise);
}

int fl_step_nobody_named(const struct fl_args *args, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_USAGE, "name microVMs, or give --selector or --all; see \"%s %s --help\"",
			  args->program->name, args->command->name);
}

/* A name alone means the namespace "default"; that it stands in another is easily forgotten. */
static const struct fl_vm_name *find_elsewhere(const fl_vm_names *names, const char *text)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->items[i].name, text) == 0)
			return &names->items[i];
	return NULL;
}

int fl_step_not_found(const struct fl_state *state, const char *text, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	const struct fl_vm_name *other;

	fl_state_list(state, &names, NULL);
	other = find_elsewhere(&names, text);
	if (other)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: microvm not found in namespace default; there is "
				  "%s/%s", text, other->name_space, other->name);
	return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: microvm not found; \"fl ls\" lists what is there", text);
}

typedef int each_vm(void *arg, const struct fl_vm *vm, struct fl_err *err);

static void sweep(const struct fl_state *state, const char *text)
{
	const char *slash = strchr(text, '/'), *last = slash ? strchr(slash + 1, '/') : NULL;
	fl_cleanup_free char *name_space = slash ? fl_strndup(text, slash - text)
						 : fl_strdup("default");
	const char *from = slash ? slash + 1 : text;
	fl_cleanup_free char *name = fl_strndup(from, last ? (size_t)(last - from) : strlen(from));

	if (fl_ulid_is_valid(text))
		fl_state_sweep_uid(state, text);
	else
		fl_state_sweep_name(state, name_space, name);
}

/* What is done with those that are meant. */
struct meant {
	struct fl_args *args;
	const struct fl_state *state;
	bool none_is_fine;
	each_vm *each;
	void *arg;
	size_t documents; /* that came in */
};

static int open_and_call(const struct meant *meant, const struct fl_vm_name *name, struct fl_err *err)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct fl_err why;

	if (fl_vm_open(meant->state, name->name_space, name->name, name->uid, &vm, &why) == 0)
		return meant->each(meant->arg, &vm, err) < 0 ? fl_step_name_failure(&vm, err) : 0;
	if (meant->none_is_fine && why.kind == FL_ERR_NOT_FOUND)
		return 0;
	return fl_err_pass(err, &why);
}

static void sweep_missing(const struct meant *meant, const char *text)
{
	sweep(meant->state, text);
	/* By records that come in it may have been taken away before. */
	if (meant->args->operands.count)
		fl_log(FL_LOG_INFO, "%s: there is no such microVM", text);
}

/* How many there are of the name; -1. */
static int each_of_name(const struct meant *meant, const char *text, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	const struct fl_vm_name *one;
	struct fl_err first = { 0 };

	if (fl_state_match(meant->state, text, &names, err) < 0)
		return -1;
	if (names.count == 0 && !meant->none_is_fine)
		return fl_step_not_found(meant->state, text, err);
	if (names.count == 0)
		sweep_missing(meant, text);
	if (names.count > 1 && !fl_args_flag(meant->args, "all")) {
		if (fl_state_staying(meant->state, &names, &one) != 1)
			return fl_step_several(text, &names, ", or give --all", err);
		return open_and_call(meant, one, err) < 0 ? -1 : 1;
	}
	for (size_t i = 0; i < names.count; i++) {
		struct fl_err failure = { 0 };

		if (open_and_call(meant, &names.items[i], &failure) < 0)
			fl_step_keep_first(&first, &failure);
	}
	return fl_step_take_first(&first, err) < 0 ? -1 : (int)names.count;
}

/* What came in, without its metadata. */
static int hand_on(const struct fl_args *args, const fl_json *spec, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_json_new_object();

	fl_json_set(record, "spec", fl_json_copy(spec));
	fl_json_put(record, "spec.metadata", NULL);
	fl_json_put(record, "status.state", fl_json_new_text("DELETING"));
	return fl_step_print(args, record, err);
}

/* A record means its uid; a bare spec means its name. Of a chain, one that went with an earlier step
 * comes out of the last as well. */
static int each_of_document(void *arg, fl_json *document, struct fl_err *err)
{
	struct meant *meant = arg;
	const fl_json *spec = fl_spec_of(document);
	const char *uid = fl_json_text(fl_json_get(spec, "uid"));
	const char *name = fl_json_text(fl_json_get(spec, "id"));
	const char *name_space = fl_json_text(fl_json_get(spec, "namespace"));
	fl_cleanup_free char *text = NULL;
	int count;

	meant->documents++;
	if (!uid && !name)
		return fl_err_set(err, FL_ERR_INVALID, "the document names no microVM (uid or id)");
	if (name)
		text = fl_asprintf("%s/%s%s%s", name_space && *name_space ? name_space : "default",
				   name, uid ? "/" : "", uid ? uid : "");
	count = each_of_name(meant, name ? text : uid, err);
	if (count < 0)
		return -1;
	return uid && !count ? hand_on(meant->args, spec, err) : 0;
}

int fl_step_check_selectors(const struct fl_args *args, struct fl_err *err)
{
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, "selector", i)); i++)
		if (fl_selector_check(text, err) < 0)
			return fl_err_prefix(err, "option --selector");
	return 0;
}

bool fl_step_is_selected(const struct fl_args *args, const fl_json *record)
{
	const fl_json *labels = fl_json_at(record, "spec.labels");
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, "selector", i)); i++)
		if (!record || !fl_selector_matches(text, labels))
			return false;
	return true;
}

/* One that goes meanwhile is not there. */
static int call_if_selected(const struct fl_args *args, const struct fl_state *state,
			    const struct fl_vm_name *name, each_vm *each, void *arg,
			    struct fl_err *err)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;

	if (fl_vm_open(state, name->name_space, name->name, name->uid, &vm, NULL) < 0)
		return 0;
	if (fl_args_flag(args, "selector")) {
		record = fl_vm_look(&vm, NULL);
		if (!record || !fl_step_is_selected(args, record))
			return 0;
	}
	return each(arg, &vm, err) < 0 ? fl_step_name_failure(&vm, err) : 1;
}

int fl_step_each_selected(const struct fl_args *args, const struct fl_state *state, each_vm *each,
			  void *arg, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	struct fl_err first = { 0 };
	int count = 0;

	if (fl_step_check_selectors(args, err) < 0 || fl_state_list(state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		struct fl_err failure = { 0 };
		int rc = call_if_selected(args, state, &names.items[i], each, arg, &failure);

		count += rc != 0;
		if (rc < 0)
			fl_step_keep_first(&first, &failure);
		if (failure.kind == FL_ERR_INTERRUPTED)
			break;
	}
	return fl_step_take_first(&first, err) < 0 ? -1 : count;
}

static int each_of_selector(struct fl_args *args, const struct fl_state *state,
			    bool none_is_fine, each_vm *each, void *arg, struct fl_err *err)
{
	int count;

	if (args->operands.count)
		return fl_err_set(err, FL_ERR_USAGE, "name microVMs or give --selector, not both");
	count = fl_step_each_selected(args, state, each, arg, err);
	if (none_is_fine)
		fl_state_sweep(state);
	if (count == 0 && !none_is_fine && fl_args_flag(args, "selector"))
		return fl_err_set(err, FL_ERR_NOT_FOUND, "no microvm has these labels; \"fl ls "
				  "--json\" shows what they have");
	return count < 0 ? -1 : 0;
}

/* An empty pipe means nobody; who gave neither names nor a pipe forgot them. */
static int each_of_input(struct meant *meant, struct fl_err *err)
{
	const struct fl_step_reader reader = { .each = each_of_document, .arg = meant,
					       .none_is_fine = meant->none_is_fine };
	struct stat st;

	if (fl_step_each_document(meant->args, &reader, err) < 0)
		return -1;
	if (meant->documents || fstat(STDIN_FILENO, &st) < 0 || !S_ISCHR(st.st_mode))
		return 0;
	return fl_step_nobody_named(meant->args, err);
}

int fl_step_each_vm(struct fl_args *args, const struct fl_state *state, bool none_is_fine,
		    each_vm *each, void *arg, struct fl_err *err)
{
	struct meant meant = { args, state, none_is_fine, each, arg, 0 };
	struct fl_err first = { 0 };

	if (fl_args_flag(args, "selector") || (fl_args_flag(args, "all") && !args->operands.count))
		return each_of_selector(args, state, none_is_fine, each, arg, err);
	if (!args->operands.count)
		return each_of_input(&meant, err);
	for (size_t i = 0; i < args->operands.count; i++) {
		struct fl_err failure = { 0 };

		if (each_of_name(&meant, args->operands.items[i], &failure) < 0)
			fl_step_keep_first(&first, &failure);
	}
	return fl_step_take_first(&first, err);
}
