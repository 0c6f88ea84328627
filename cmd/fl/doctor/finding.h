/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What "fl doctor" finds about one thing of this host, and how to mend it.
 *
 *     static void check_tun(const char *state_dir, struct fl_finding *finding)
 *     {
 *             if (access("/dev/net/tun", F_OK) < 0)
 *                     fl_finding_set(finding, FL_FINDING_BAD, "modprobe tun", "%s is missing", …);
 *     }
 */
#pragma once

#include "common/macro.h"

enum fl_finding_level {
	FL_FINDING_OK,
	FL_FINDING_POOR, /* it works, but worse than it could */
	FL_FINDING_BAD   /* microVMs, or an important part of them, do not work */
};

struct fl_finding {
	enum fl_finding_level level;
	char found[400];
	char mend[400]; /* "" when all is well */
};

typedef void fl_finding_check(const char *state_dir, struct fl_finding *finding);

/* mend: a command or a sentence; NULL with FL_FINDING_OK. */
void fl_finding_set(struct fl_finding *finding, enum fl_finding_level level, const char *mend,
		    const char *fmt, ...) FL_PRINTF(4, 5);

/* The checks, each in the file of its matter. */
fl_finding_check fl_check_kvm, fl_check_qemu, fl_check_providers, fl_check_supervisor, fl_check_cgroup;
fl_finding_check fl_check_tun, fl_check_forward, fl_check_bridge_netfilter, fl_check_names;
fl_finding_check fl_check_state, fl_check_run_folder, fl_check_reflink, fl_check_space;
fl_finding_check fl_check_pool, fl_check_memory, fl_check_files, fl_check_inotify, fl_check_tools;
