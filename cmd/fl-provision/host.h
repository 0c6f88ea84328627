/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a host should be: the options of fl-provision, or the same names as keys of a file.
 *
 *     struct fl_host host = FL_HOST_INIT;
 *     if (fl_host_read(&host, args, "host.yaml", err) < 0) return -1;
 *     fl_host_finish(&host);
 */
#pragma once

#include "common/cli.h"

#define FL_CONFIG_DIR "/etc/flintlock"

/* A VMM's release: which, and how it is known to be the right one. */
struct fl_release {
	const char *version; /* NULL: the pinned one */
	const char *sha256;  /* NULL: the pinned one's */
	const char *version_from; /* the option or variable that says so */
};

struct fl_host {
	const char *state_dir; /* absolute */
	const char *only, *skip; /* lists of steps; NULL: all, none */
	bool unattended;

	const char *grpc_address; /* NULL: of the default route's interface */
	unsigned grpc_port;
	bool insecure;
	const char *config; /* a file whose settings go into fl-serve's; NULL: none */

	const char *bridge; /* name */
	bool bridge_named;  /* by the user: one of that name may be anybody's */
	const char *bridge_address;
	bool bridge_address_given, nat;
	const char *parent_iface; /* NULL: none is known */

	uint64_t reflink_size; /* bytes; 0: no loop file system */
	const char *thinpool;
	bool dev;
	const char *disk, *wipe;

	struct fl_release firecracker, cloudhypervisor;
	const char *mirror, *offline, *ca_file;

	char *file;
	FL_VEC(char *) texts;
};

#define FL_HOST_INIT { .file = NULL }

/* file: with more settings, or NULL. What is wrong names its place. */
int fl_host_read(struct fl_host *host, struct fl_args *args, const char *file,
		 struct fl_err *err);
void fl_host_finish(struct fl_host *host);
#define fl_cleanup_host FL_CLEANUP(fl_host_finish)

/* Whether a list of names separated by commas has the name. */
bool fl_host_lists(const char *list, const char *name);
