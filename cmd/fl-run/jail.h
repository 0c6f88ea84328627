/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Firecracker's jailer (docs/jailer.md of its sources): the VMM as a user of its own in a root
 * folder of its own, which holds only what the guest was given. Here it is planned; the
 * supervisor makes it.
 *
 *     fl_cleanup_jail struct fl_jail jail = { 0 };
 *     if (fl_jail_open(request, &jail, err) < 0) return -1;
 *     fl_jail_move(&jail, &hardware);                   // paths lead into the jail now
 *     fl_jail_seen(&jail, hardware.kernel)              // "/kernel"
 *     fl_jail_launch(&jail, request, launch);
 *
 * Without a wish for a jail all of it changes nothing.
 */
#pragma once

#include "cmd/fl-run/hardware.h"

struct fl_jail {
	char *program; /* the jailer; NULL: no jail */
	char *vmm;     /* what runs in it, without symbolic links in its path */
	char *root;    /* the root folder in there, by a path that sockets can have */
	uint32_t owner; /* uid and gid of the VMM */
	fl_json *files, *taps; /* as in the launch document */
};

/* FL_ERR_PRECONDITION says what is missing on this host, FL_ERR_UNSUPPORTED what is wrong with
 * the VMM. A plan (request->check is false) is for a host where all is well. */
int fl_jail_open(const struct fl_vmm_request *request, struct fl_jail *jail, struct fl_err *err);
void fl_jail_finish(struct fl_jail *jail);
#define fl_cleanup_jail FL_CLEANUP(fl_jail_finish)

/* Gives the jail what the hardware consists of, whose paths lead there from then on. */
void fl_jail_move(struct fl_jail *jail, const struct fl_vmm_request *request,
		  struct fl_hardware *hardware);

/* One more file out of the microVM's folder, for the VMM to read. */
void fl_jail_add(struct fl_jail *jail, const struct fl_vmm_request *request, const char *name);

/* The folder of what the VMM makes or reads: the jail's root, or the one that is given. */
const char *fl_jail_folder(const struct fl_jail *jail, const char *otherwise);

/* How the VMM calls a path of the host; borrowed from path. */
const char *fl_jail_seen(const struct fl_jail *jail, const char *path);

/* The path that a moved one had before; borrowed from jail. Another is given back as it is. */
const char *fl_jail_source(const struct fl_jail *jail, const char *path);

/* The command line up to the VMM's own options. */
fl_json *fl_jail_argv(const struct fl_jail *jail, const struct fl_vmm_request *request);

/* Puts "jail" into the launch document, and the disks' paths as the VMM knows them. log: a name in
 * there that stderr is to have, too. */
void fl_jail_launch(const struct fl_jail *jail, const struct fl_vmm_request *request,
		    const char *log, fl_json *launch);

/* What the supervisor does for the launch document's jail, as a shell does it. */
void fl_jail_print(const struct fl_vm *vm, const fl_json *launch, struct fl_str *out);
