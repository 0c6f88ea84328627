/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/restore.h"

#include "cmd/fl/chain.h"
#include "common/state.h"

const struct fl_option fl_restore_options[] = {
	FL_STEP_SETTLE_OPTION,
	{ 0 },
};

/* A microVM that wants to run and does not: lost with the host's last boot, or with its
 * supervisor. */
static bool wants_restore(const struct fl_vm *vm, const fl_json *record)
{
	const char *desired = fl_json_text(fl_json_at(record, "host.desired"));

	return (fl_str_equal(desired, "running") || fl_str_equal(desired, "paused")) &&
	       fl_json_at(record, "host.vmm.launch") && !fl_vm_is_supervised(vm);
}

static int add_record(const struct fl_state *state, const struct fl_vm_name *name,
		      struct fl_str *out)
{
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	fl_cleanup_json fl_json *record = NULL;

	if (fl_vm_open(state, name->name_space, name->name, name->uid, &vm, NULL) < 0)
		return 0;
	record = fl_vm_load(&vm, NULL);
	if (!record || !wants_restore(&vm, record))
		return 0;
	fl_json_print(record, false, out);
	fl_str_add(out, "\n");
	return 1;
}

int fl_restore(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	fl_cleanup_str struct fl_str records = FL_STR_INIT;
	int wanted = 0;

	if (fl_chain_check(args, err) < 0)
		return -1;
	if (fl_args_state(args, false, &state, err) < 0)
		return err->kind == FL_ERR_NOT_FOUND ? 0 : -1;
	fl_state_sweep(&state);
	if (fl_state_list(&state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++)
		wanted += add_record(&state, &names.items[i], &records);
	return wanted ? fl_chain_up_text(args, &records, false, err) : 0;
}
