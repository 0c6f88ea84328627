/* SPDX-License-Identifier: MPL-2.0 */
#include "common/dryrun.h"

#include "common/alloc.h"
#include "common/mask.h"
#include "common/sha256.h"

#include <string.h>

struct dry {
	const struct fl_step *step;
	struct fl_args *args;
	struct fl_state state;
};

/* The plans of all steps shall be about the same one. */
static void imagine_uid(const fl_json *spec, char uid[static FL_ULID_TEXT])
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	unsigned char sum[FL_SHA256_SIZE];

	fl_json_print_sorted(spec, &text);
	fl_sha256_sum(text.data, text.len, sum);
	fl_ulid_imagine(sum, uid);
}

static void identify(const struct fl_state *state, const fl_json *spec, const struct fl_spec *view,
		     struct fl_vm *vm)
{
	vm->state = state;
	vm->name_space = fl_strdup(view->name_space);
	vm->name = fl_strdup(view->name);
	if (view->uid && fl_ulid_is_valid(view->uid))
		snprintf(vm->uid, sizeof(vm->uid), "%s", view->uid);
	else
		imagine_uid(spec, vm->uid);
	vm->path = fl_asprintf("%s/vm/%s/%s/%s", state->dir, vm->name_space, vm->name, vm->uid);
}

static fl_json *imagined(const struct fl_state *state, const fl_json *spec,
			 const struct fl_spec *view, struct fl_vm *vm)
{
	fl_json *record = fl_json_new_object();

	identify(state, spec, view, vm);
	fl_json_set(record, "spec", fl_json_copy(spec));
	fl_json_put(record, "spec.uid", fl_json_new_text(vm->uid));
	return record;
}

/* Of a document with a uid: the saved record with the spec that comes in, which it would take before
 * anything is made. */
static fl_json *revised(const struct fl_state *state, const fl_json *input, struct fl_vm *vm,
			struct fl_err *err)
{
	fl_cleanup_json fl_json *record = NULL;
	fl_cleanup_json fl_json *spec = fl_vm_read_known(state, input, vm, &record, err);

	if (!spec || fl_spec_check(spec, err) < 0 ||
	    fl_vm_check_spec(vm, fl_json_get(record, "spec"), spec, err) < 0)
		return NULL;
	fl_json_set(spec, "uid", fl_json_new_text(vm->uid));
	fl_json_set(record, "spec", fl_json_ref(spec));
	return fl_steal(&record);
}

/* The record that the step would work on: the saved one, or as it would be. */
static fl_json *find_record(const struct dry *dry, const fl_json *input, struct fl_vm *vm,
			    struct fl_err *err)
{
	const struct fl_state *state = &dry->state;
	bool adopts = state->dirfd >= 0 && !fl_args_flag(dry->args, "new");
	const char *uid = fl_json_text(fl_json_get(input, "uid"));
	fl_cleanup_json fl_json *spec = NULL;
	fl_cleanup_spec struct fl_spec view = { 0 };
	int rc;

	if (uid && *uid && state->dirfd >= 0)
		return revised(state, input, vm, err);
	spec = fl_spec_read(input, err);
	if (!spec || fl_spec_check(spec, err) < 0)
		return NULL;
	view = fl_spec_view(spec);
	rc = adopts ? fl_vm_adopt(state, spec, vm, err) : 0;
	if (rc != 0)
		return rc < 0 ? NULL : fl_vm_load(vm, err);
	return imagined(state, spec, &view, vm);
}

static void warn(const fl_json *input)
{
	fl_cleanup_json fl_json *spec = fl_spec_read(input, NULL);

	if (spec)
		fl_spec_warn(spec);
}

static int dry_one(void *arg, fl_json *document, struct fl_err *err)
{
	struct dry *dry = arg;
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	struct fl_step_call call = { .args = dry->args, .vm = &vm };
	int rc;

	call.record = find_record(dry, fl_spec_of(document), &vm, err);
	if (!call.record)
		return -1;
	call.spec = fl_spec_view(fl_json_get(call.record, "spec"));
	/* Of a chain the first tells it for all. */
	if (fl_step_is_first(dry->step))
		warn(fl_spec_of(document));
	rc = dry->step->plan ? dry->step->plan(&call, &out, err) : 0;
	fl_spec_finish(&call.spec);
	fl_json_unref(call.record);
	return rc < 0 ? -1 : fl_cli_print(out.data ? out.data : "", out.len, err);
}

int fl_step_dry_run(const struct fl_step *step, struct fl_args *args, struct fl_err *err)
{
	struct dry dry = { .step = step, .args = args };
	const struct fl_step_reader reader = { .each = dry_one, .arg = &dry };
	int rc;

	if (fl_args_state(args, false, &dry.state, NULL) < 0)
		dry.state = (struct fl_state){ fl_strdup(fl_args_state_dir(args)), -1 };
	rc = fl_step_each_document(args, &reader, err);
	fl_state_close(&dry.state);
	return rc;
}
