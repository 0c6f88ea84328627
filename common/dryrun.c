/* SPDX-License-Identifier: MPL-2.0 */
#include "common/dryrun.h"

#include "common/alloc.h"
#include "common/mask.h"

#include <string.h>

struct dry {
	const struct fl_step *step;
	struct fl_args *args;
	struct fl_state state;
};

static void identify(const struct fl_state *state, const struct fl_spec *view, struct fl_vm *vm)
{
	vm->state = state;
	vm->name_space = fl_strdup(view->name_space);
	vm->name = fl_strdup(view->name);
	if (view->uid && fl_ulid_is_valid(view->uid))
		snprintf(vm->uid, sizeof(vm->uid), "%s", view->uid);
	else
		fl_ulid_new(vm->uid);
	vm->path = fl_asprintf("%s/vm/%s/%s/%s", state->dir, vm->name_space, vm->name, vm->uid);
}

/* The saved microVM that a bare spec would adopt. */
static fl_json *adopted(const struct fl_state *state, const fl_json *spec,
			const struct fl_spec *view, struct fl_vm *vm)
{
	fl_cleanup_free char *text = fl_asprintf("%s/%s", view->name_space, view->name);
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (state->dirfd < 0 || fl_state_match(state, view->uid ? view->uid : text, &names, NULL) < 0)
		return NULL;
	for (size_t i = 0; i < names.count; i++) {
		const struct fl_vm_name *one = &names.items[i];
		fl_cleanup_json fl_json *record = NULL;

		if (fl_vm_open(state, one->name_space, one->name, one->uid, vm, NULL) < 0)
			continue;
		record = fl_vm_load(vm, NULL);
		if (view->uid || fl_spec_equal(fl_json_get(record, "spec"), spec))
			return fl_json_ref(record);
		fl_vm_close(vm);
	}
	return NULL;
}

static fl_json *imagined(const struct fl_state *state, const fl_json *spec,
			 const struct fl_spec *view, struct fl_vm *vm)
{
	fl_json *record = fl_json_new_object();

	identify(state, view, vm);
	fl_json_set(record, "spec", fl_json_copy(spec));
	fl_json_put(record, "spec.uid", fl_json_new_text(vm->uid));
	return record;
}

static int dry_one(void *arg, fl_json *document, struct fl_err *err)
{
	struct dry *dry = arg;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	const fl_json *inner = fl_json_get(document, "spec");
	fl_cleanup_json fl_json *spec = NULL;
	fl_cleanup_spec struct fl_spec view = { 0 };
	struct fl_step_call call = { .args = dry->args, .vm = &vm };
	int rc;

	spec = fl_spec_read(inner ? inner : document, err);
	if (!spec)
		return -1;
	view = fl_spec_view(spec);
	call.record = adopted(&dry->state, spec, &view, &vm);
	if (!call.record && fl_spec_check(spec, err) < 0)
		return -1;
	if (!call.record)
		call.record = imagined(&dry->state, spec, &view, &vm);
	call.spec = fl_spec_view(fl_json_get(call.record, "spec"));
	rc = dry->step->plan ? dry->step->plan(&call, &out, err) : 0;
	fl_spec_finish(&call.spec);
	fl_json_unref(call.record);
	return rc < 0 ? -1 : fl_cli_print(out.data ? out.data : "", out.len, err);
}

int fl_step_dry_run(const struct fl_step *step, struct fl_args *args, struct fl_err *err)
{
	struct dry dry = { .step = step, .args = args };
	int rc;

	if (fl_args_state(args, false, &dry.state, NULL) < 0)
		dry.state = (struct fl_state){ fl_strdup(fl_args_state_dir(args)), -1 };
	rc = fl_step_each_document(args, false, dry_one, &dry, err);
	fl_state_close(&dry.state);
	return rc;
}
