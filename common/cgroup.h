/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A control group (v2) per microVM, so that all of its processes can be seen and ended
 * together. Where cgroup v2 cannot be written there is none, and that is no error.
 *
 *     fl_cgroup_make(uid);
 *     int fd = fl_cgroup_open(uid, "vmm");          // for clone3, or -1
 *     if (fl_cgroup_is_alive(uid)) fl_cgroup_kill(uid);
 *     fl_cgroup_remove(uid, 1000);
 *
 * Format: Documentation/admin-guide/cgroup-v2.rst of the kernel.
 */
#pragma once

#include "common/str.h"

/* Where cgroup v2 is mounted; caller frees; NULL: nowhere. */
char *fl_cgroup_mount(void);

/* Makes MOUNT/fl.slice/UID with "supervisor" and "vmm" below. False where impossible. */
bool fl_cgroup_make(const char *uid);

/* The part's name below the mount, for others that are told where to be: "fl.slice/UID/vmm".
 * Caller frees. */
char *fl_cgroup_name(const char *uid, const char *part);

/* A descriptor of the part's folder; -1 when there is none. Caller closes. */
int fl_cgroup_open(const char *uid, const char *part);

/* Writes into a file below it, such as "vmm/pids.max"; false when there is none. */
bool fl_cgroup_write(const char *uid, const char *file, const char *text);

/* Whether any process lives in it. */
bool fl_cgroup_is_alive(const char *uid);

/* Adds the content of a file below it, such as "vmm/cpu.stat"; false when there is none. */
bool fl_cgroup_read(const char *uid, const char *file, struct fl_str *text);

/* SIGKILL to all of it. */
void fl_cgroup_kill(const char *uid);

/* Removes the folders, waiting up to timeout_ms for dying processes. True when gone. */
bool fl_cgroup_remove(const char *uid, int timeout_ms);
