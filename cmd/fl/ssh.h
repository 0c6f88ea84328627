/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Reaching a guest by ssh, at the address its record has: "fl ssh NS/NAME [COMMAND…]", and
 * what every program of ssh's family is told for it.
 *
 *     fl_cleanup_ssh struct fl_ssh_guest guest = FL_SSH_GUEST_INIT;
 *     if (fl_ssh_find(args, "default/mvm0", &guest, err) < 0 ||
 *         fl_ssh_begin(args, &guest, "sftp", err) < 0)
 *             return -1;
 *     fl_ssh_add(&guest, guest.address);
 *     return fl_ssh_become(&guest, err);
 */
#pragma once

#include "common/cli.h"

struct fl_ssh_guest {
	struct fl_state state;
	struct fl_vm vm;
	char *address;        /* without prefix */
	FL_VEC(char *) argv; /* owned words */
};

#define FL_SSH_GUEST_INIT { .state = { .dirfd = -1 }, .vm = FL_VM_INIT }

void fl_ssh_finish(struct fl_ssh_guest *guest);
#define fl_cleanup_ssh FL_CLEANUP(fl_ssh_finish)

/* The options of every command that goes to a guest. */
#define FL_SSH_OPTIONS                                                                          \
	{ "identity", 'i', "FILE", "the private key to use" },                                  \
	{ "login", 'l', "USER", "the user in the guest (root)" }

/* The one microVM that text means, and its address. */
int fl_ssh_find(const struct fl_args *args, const char *text, struct fl_ssh_guest *guest,
		struct fl_err *err);

/* The program, whose key it is, who logs in, and the host key, which is known by the microVM. A key
 * that cannot be read is an error. */
int fl_ssh_begin(const struct fl_args *args, struct fl_ssh_guest *guest, const char *program,
		 struct fl_err *err);
void fl_ssh_add(struct fl_ssh_guest *guest, const char *word);

/* Becomes the program. Returns only when that fails. */
int fl_ssh_become(struct fl_ssh_guest *guest, struct fl_err *err);

extern const struct fl_option fl_ssh_options[];
int fl_ssh(struct fl_args *args, struct fl_err *err);
