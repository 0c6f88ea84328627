/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reaching a guest by ssh, at the address its record has: "fl ssh NS/NAME [COMMAND…]", and
 * what every program of ssh's family is told for it.
 *
 *     struct fl_ssh_guest guest = FL_SSH_GUEST_INIT;
 *     if (fl_ssh_find(args, "default/mvm0", &guest, err) < 0) return -1;
 *     FL_VEC_ADD(&argv, "sftp");
 *     fl_ssh_add_options(args, &guest, &argv);
 *     FL_VEC_ADD(&argv, guest.address);
 */
#pragma once

#include "common/cli.h"

struct fl_ssh_guest {
	struct fl_state state;
	struct fl_vm vm;
	char *address; /* without prefix */
};

#define FL_SSH_GUEST_INIT { .state = { .dirfd = -1 }, .vm = FL_VM_INIT }

typedef FL_VEC(const char *) fl_ssh_words;

/* The options of every command that goes to a guest. */
#define FL_SSH_OPTIONS                                                                          \
	{ "identity", 'i', "FILE", "the private key to use" },                                  \
	{ "login", 'l', "USER", "the user in the guest (root)" }

/* The one microVM that text means. What is in guest lives until the program ends or becomes
 * another. */
int fl_ssh_find(const struct fl_args *args, const char *text, struct fl_ssh_guest *guest,
		struct fl_err *err);

/* Whose key it is, who logs in, and the guest's host key, which is known by the microVM. */
void fl_ssh_add_options(const struct fl_args *args, const struct fl_ssh_guest *guest,
			fl_ssh_words *argv);

/* Becomes argv[0]; argv is ended here. Returns only when that fails. */
int fl_ssh_become(fl_ssh_words *argv, struct fl_err *err);

extern const struct fl_option fl_ssh_options[];
int fl_ssh(struct fl_args *args, struct fl_err *err);
