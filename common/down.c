/* SPDX-License-Identifier: MPL-2.0 */
/* "down" of a step. */
#include "common/step.h"

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
		return fl_err_pass(err, &failure);
	rc = undo(down->step, &call, &failure);
	if (rc < 0 && failure.kind == FL_ERR_NOT_FOUND && !call.record)
		rc = 0;
	after = fl_vm_load(vm, NULL);
	if (rc == 0 && fl_vm_leave(vm, &failure) < 0)
		rc = -1;
	if (rc == 0 && (after || call.record))
		rc = fl_step_print(down->args, after ? after : call.record, &failure);
	fl_json_unref(call.record);
	return rc < 0 ? fl_err_pass(err, &failure) : 0;
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
