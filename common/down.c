/* SPDX-License-Identifier: MPL-2.0 */
/* "down" of a step, and naming microVMs on the command line. */
#include "common/step.h"

#include "common/alloc.h"
#include "common/documents.h"
#include "common/log.h"

#include <string.h>

static int several(const char *text, const fl_vm_names *names, struct fl_err *err)
{
	fl_cleanup_str struct fl_str uids = FL_STR_INIT;

	for (size_t i = 0; i < names->count; i++)
		fl_str_addf(&uids, " %s", names->items[i].uid);
	return fl_err_set(err, FL_ERR_USAGE, "%s: means several microVMs:%s; name one by its uid, or "
			  "give --all", text, uids.data);
}

typedef int each_vm(void *arg, const struct fl_vm *vm, struct fl_err *err);

static int open_and_call(const struct fl_state *state, const struct fl_vm_name *name,
			 bool none_is_fine, each_vm *each, void *arg, struct fl_err *err)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	struct fl_err why;

	if (fl_vm_open(state, name->name_space, name->name, name->uid, &vm, &why) == 0)
		return each(arg, &vm, err);
	if (none_is_fine && why.kind == FL_ERR_NOT_FOUND)
		return 0;
	return fl_err_set(err, why.kind, "%s", why.text);
}

static void sweep(const struct fl_state *state, const char *text)
{
	const char *slash = strchr(text, '/');
	fl_cleanup_free char *name_space = slash ? fl_strndup(text, slash - text)
						 : fl_strdup("default");

	if (fl_ulid_is_valid(text))
		fl_state_sweep_uid(state, text);
	else
		fl_state_sweep_name(state, name_space, slash ? slash + 1 : text);
}

static int each_of_name(struct fl_args *args, const struct fl_state *state, const char *text,
			bool none_is_fine, each_vm *each, void *arg, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	struct fl_err failure;
	int rc = 0;

	if (fl_state_match(state, text, &names, err) < 0)
		return -1;
	if (names.count == 0 && none_is_fine)
		sweep(state, text);
	if (names.count == 0 && !none_is_fine)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: microvm not found; \"fl ls\" lists "
				  "what is there", text);
	if (names.count > 1 && !fl_args_flag(args, "all"))
		return several(text, &names, err);
	for (size_t i = 0; i < names.count; i++)
		if (open_and_call(state, &names.items[i], none_is_fine, each, arg, &failure) < 0 &&
		    rc == 0) {
			rc = -1;
			if (err)
				*err = failure;
		}
	return rc;
}

struct from_documents {
	struct fl_args *args;
	const struct fl_state *state;
	bool none_is_fine;
	each_vm *each;
	void *arg;
};

/* A record means its uid; a bare spec means its name. */
static int each_of_document(void *arg, fl_json *document, struct fl_err *err)
{
	struct from_documents *from = arg;
	const fl_json *spec = fl_json_get(document, "spec");
	const char *uid, *name, *name_space;
	fl_cleanup_free char *text = NULL;

	spec = spec ? spec : document;
	uid = fl_json_text(fl_json_get(spec, "uid"));
	name = fl_json_text(fl_json_get(spec, "id"));
	name_space = fl_json_text(fl_json_get(spec, "namespace"));
	if (!uid && !name)
		return fl_err_set(err, FL_ERR_INVALID, "the document names no microVM (uid or id)");
	if (!uid)
		text = fl_asprintf("%s/%s", name_space && *name_space ? name_space : "default", name);
	return each_of_name(from->args, from->state, uid ? uid : text, from->none_is_fine,
			    from->each, from->arg, err);
}

int fl_step_each_vm(struct fl_args *args, const struct fl_state *state, bool none_is_fine,
		    each_vm *each, void *arg, struct fl_err *err)
{
	struct from_documents from = { args, state, none_is_fine, each, arg };
	struct fl_err first = { 0 };

	if (!args->operands.count)
		return fl_step_each_document(args, none_is_fine, each_of_document, &from, err);
	for (size_t i = 0; i < args->operands.count; i++) {
		struct fl_err failure = { 0 };

		if (each_of_name(args, state, args->operands.items[i], none_is_fine, each, arg,
				 &failure) == 0)
			continue;
		if (first.kind == FL_ERR_NONE)
			first = failure;
		else
			fl_log(FL_LOG_ERROR, "%s", failure.text);
	}
	if (first.kind == FL_ERR_NONE)
		return 0;
	if (err)
		*err = first;
	return -1;
}

struct down {
	const struct fl_step *step;
	struct fl_args *args;
};

static int undo(const struct fl_step *step, struct fl_step_call *call, struct fl_err *err)
{
	fl_cleanup_close int lock = fl_vm_lock_step(call->vm, NULL, err);
	int rc;

	if (lock < 0)
		return -1;
	call->record = fl_vm_load(call->vm, err);
	if (!call->record)
		return -1;
	call->spec = fl_spec_view(fl_json_get(call->record, "spec"));
	rc = step->down ? step->down(call, err) : 0;
	if (rc == 0)
		rc = fl_vm_release(call->vm, step->name, err);
	fl_spec_finish(&call->spec);
	return rc;
}

static int down_one(void *arg, const struct fl_vm *vm, struct fl_err *err)
{
	struct down *down = arg;
	struct fl_step_call call = { .args = down->args, .vm = vm };
	fl_cleanup_json fl_json *after = NULL;
	struct fl_err failure = { 0 };
	int rc;

	if (fl_vm_desire(vm, "deleted", &failure) < 0 && failure.kind != FL_ERR_NOT_FOUND)
		return fl_err_set(err, failure.kind, "%s", failure.text);
	rc = undo(down->step, &call, &failure);
	if (rc < 0 && failure.kind == FL_ERR_NOT_FOUND && !call.record)
		rc = 0;
	after = fl_vm_load(vm, NULL);
	if (rc == 0 && fl_vm_leave(vm, &failure) < 0)
		rc = -1;
	if (rc == 0 && (after || call.record))
		rc = fl_step_print(down->args, after ? after : call.record, &failure);
	fl_json_unref(call.record);
	return rc < 0 ? fl_err_set(err, failure.kind, "%s", failure.text) : 0;
}

int fl_step_down(const struct fl_step *step, struct fl_args *args, struct fl_err *err)
{
	struct down down = { step, args };
	struct fl_state state;
	int rc;

	/* Without a state folder there is nothing to undo. */
	if (fl_args_state(args, false, &state, err) < 0)
		return err && err->kind == FL_ERR_NOT_FOUND ? 0 : -1;
	rc = fl_step_each_vm(args, &state, true, down_one, &down, err);
	fl_state_close(&state);
	return rc;
}
