/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/ssh.h"

#include "common/alloc.h"
#include "common/step.h"

#include <string.h>

const struct fl_option fl_ssh_options[] = {
	{ "identity", 'i', "FILE", "the private key to use" },
	{ "login", 'l', "USER", "the user in the guest (root)" },
	{ 0 },
};

typedef FL_VEC(const char *) words;

static void compose(const struct fl_args *args, const struct fl_vm *vm, const char *address,
		    words *argv)
{
	const char *identity = fl_args_text(args, "identity", NULL);

	FL_VEC_ADD(argv, "ssh");
	/* A microVM's host key is known by the microVM, not by an address that others get. */
	FL_VEC_ADD(argv, fl_asprintf("-oUserKnownHostsFile=%s/known_hosts", vm->path));
	FL_VEC_ADD(argv, fl_asprintf("-oHostKeyAlias=%s", vm->uid));
	FL_VEC_ADD(argv, "-oStrictHostKeyChecking=accept-new");
	FL_VEC_ADD(argv, "-oLogLevel=ERROR");
	if (identity) {
		FL_VEC_ADD(argv, "-oIdentitiesOnly=yes");
		FL_VEC_ADD(argv, "-i");
		FL_VEC_ADD(argv, identity);
	}
	FL_VEC_ADD(argv, "-l");
	FL_VEC_ADD(argv, fl_args_text(args, "login", "root"));
	FL_VEC_ADD(argv, "--");
	FL_VEC_ADD(argv, address);
	for (size_t i = 1; i < args->operands.count; i++)
		FL_VEC_ADD(argv, args->operands.items[i]);
	FL_VEC_ADD(argv, NULL);
}

static int go(const struct fl_args *args, const struct fl_vm *vm, struct fl_err *err)
{
	fl_cleanup_json fl_json *record = fl_vm_load(vm, err);
	char *address = record ? fl_vm_address(record) : NULL;
	words argv = { 0 };

	if (!record)
		return -1;
	if (!address)
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "%s/%s: its address is not known; give it one (--ip), or a bridge "
				  "that hands out addresses", vm->name_space, vm->name);
	compose(args, vm, address, &argv);
	execvp("ssh", (char *const *)argv.items);
	return fl_err_errno(err, errno, "ssh: cannot be executed; install openssh-client");
}

int fl_ssh(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_state struct fl_state state = { .dirfd = -1 };
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	fl_cleanup_vm struct fl_vm vm = FL_VM_INIT;
	const char *text = args->operands.items[0];
	const struct fl_vm_name *name;

	if (fl_args_state(args, false, &state, err) < 0 ||
	    fl_state_match(&state, text, &names, err) < 0)
		return -1;
	if (names.count != 1)
		return fl_err_set(err, names.count ? FL_ERR_USAGE : FL_ERR_NOT_FOUND,
				  "%s: %s; \"fl ls\" lists what is there", text,
				  names.count ? "means several microVMs" : "microvm not found");
	name = &names.items[0];
	if (fl_vm_open(&state, name->name_space, name->name, name->uid, &vm, err) < 0)
		return -1;
	return go(args, &vm, err);
}
