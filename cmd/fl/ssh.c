/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/ssh.h"

#include "common/alloc.h"
#include "common/step.h"

#include <string.h>
#include <unistd.h>

const struct fl_option fl_ssh_options[] = { FL_SSH_OPTIONS, { 0 } };

static int find_one(const char *text, struct fl_ssh_guest *guest, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	const struct fl_vm_name *name;

	if (fl_state_match(&guest->state, text, &names, err) < 0)
		return -1;
	if (names.count == 1)
		name = &names.items[0];
	else if (!names.count)
		return fl_step_not_found(&guest->state, text, err);
	else if (fl_state_staying(&guest->state, &names, &name) != 1)
		return fl_step_several(text, &names, "", err);
	return fl_vm_open(&guest->state, name->name_space, name->name, name->uid, &guest->vm, err);
}

/* ssh would wait for minutes to hear nothing. */
static int check_state(const struct fl_vm *vm, const fl_json *record, struct fl_err *err)
{
	const char *state = fl_json_text(fl_json_at(record, "host.vmm.state"));

	if (!fl_vm_is_supervised(vm))
		return fl_vm_not_running(vm, err);
	if (!fl_str_equal(state, "paused"))
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "%s/%s: is paused; \"fl resume %s\" lets it go on",
			  vm->name_space, vm->name, vm->uid);
}

int fl_ssh_find(const struct fl_args *args, const char *text, struct fl_ssh_guest *guest,
		struct fl_err *err)
{
	fl_cleanup_json fl_json *record = NULL;

	if (fl_args_state(args, false, &guest->state, err) < 0 || find_one(text, guest, err) < 0)
		return -1;
	record = fl_vm_load(&guest->vm, err);
	if (!record)
		return -1;
	if (check_state(&guest->vm, record, err) < 0)
		return -1;
	guest->address = fl_vm_address(record);
	if (guest->address)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION,
			  "%s/%s: its address is not known; give it one (--ip), or a bridge that "
			  "hands out addresses", guest->vm.name_space, guest->vm.name);
}

void fl_ssh_finish(struct fl_ssh_guest *guest)
{
	for (size_t i = 0; i < guest->argv.count; i++)
		free(guest->argv.items[i]);
	free(guest->argv.items);
	free(guest->address);
	fl_vm_close(&guest->vm);
	fl_state_close(&guest->state);
}

void fl_ssh_add(struct fl_ssh_guest *guest, const char *word)
{
	FL_VEC_ADD(&guest->argv, fl_strdup(word));
}

/* ssh would go on without the key, and say in the end that the guest denies access. */
static int check_identity(const char *path, struct fl_err *err)
{
	fl_cleanup_free char *public = fl_asprintf("%s.pub", path);
	int failure = access(path, R_OK) < 0 ? errno : 0;

	/* ssh knows what "~" is; an agent has the key where only the other half is here. */
	if (!failure || *path == '~' || access(public, R_OK) == 0)
		return 0;
	return fl_err_errno(err, failure, "%s: the private key cannot be read", path);
}

/* In ssh's configuration white space parts files, and "%" begins what ssh puts in. */
static char *known_hosts(const struct fl_vm *vm)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_str_add(&out, "-oUserKnownHostsFile=\"");
	for (const char *at = vm->path; *at; at++) {
		if (*at == '%')
			fl_str_add(&out, "%");
		else if (strchr("\"\\", *at))
			fl_str_add(&out, "\\");
		fl_str_add_bytes(&out, at, 1);
	}
	fl_str_add(&out, "/known_hosts\"");
	return fl_str_steal(&out);
}

int fl_ssh_begin(const struct fl_args *args, struct fl_ssh_guest *guest, const char *program,
		 struct fl_err *err)
{
	const char *identity = fl_args_text(args, "identity", NULL);

	if (identity && check_identity(identity, err) < 0)
		return -1;
	fl_ssh_add(guest, program);
	/* A microVM's host key is known by the microVM, not by an address that others get. */
	FL_VEC_ADD(&guest->argv, known_hosts(&guest->vm));
	FL_VEC_ADD(&guest->argv, fl_asprintf("-oHostKeyAlias=%s", guest->vm.uid));
	fl_ssh_add(guest, "-oStrictHostKeyChecking=accept-new");
	fl_ssh_add(guest, "-oLogLevel=ERROR");
	FL_VEC_ADD(&guest->argv, fl_asprintf("-oUser=%s", fl_args_text(args, "login", "root")));
	if (identity) {
		fl_ssh_add(guest, "-oIdentitiesOnly=yes");
		fl_ssh_add(guest, "-i");
		fl_ssh_add(guest, identity);
	}
	return 0;
}

int fl_ssh_become(struct fl_ssh_guest *guest, struct fl_err *err)
{
	const char *program = guest->argv.items[0];

	FL_VEC_ADD(&guest->argv, NULL);
	execvp(program, guest->argv.items);
	return fl_err_errno(err, errno, "%s: cannot be executed; install openssh-client", program);
}

int fl_ssh(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_ssh struct fl_ssh_guest guest = FL_SSH_GUEST_INIT;
	const char *first = args->operands.count > 1 ? args->operands.items[1] : "";

	/* No command is called so. */
	if (*first == '-' && strcmp(first, "--") != 0)
		return fl_err_set(err, FL_ERR_USAGE, "%s: options stand before the microVM's name", first);
	if (fl_ssh_find(args, args->operands.items[0], &guest, err) < 0 ||
	    fl_ssh_begin(args, &guest, "ssh", err) < 0)
		return -1;
	fl_ssh_add(&guest, "--");
	fl_ssh_add(&guest, guest.address);
	/* As ssh takes it: "fl ssh NAME -- COMMAND". */
	for (size_t i = strcmp(first, "--") == 0 ? 2 : 1; i < args->operands.count; i++)
		fl_ssh_add(&guest, args->operands.items[i]);
	return fl_ssh_become(&guest, err);
}
