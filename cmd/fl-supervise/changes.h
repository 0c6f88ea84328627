/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A descriptor that is readable when a file of a folder was replaced or removed. By dnotify
 * (fcntl(2), F_NOTIFY), as a user may have few inotify instances, 128 on most hosts, and there
 * is a supervisor for every microVM.
 *
 *     int changes = fl_changes_open(vm->dirfd, vm->path, err);
 *     fl_changes_drain(changes);             // when readable; then look at what there is
 */
#pragma once

#include "common/err.h"

/* dirfd must stay open. The caller closes what it gets. Once in a process. */
int fl_changes_open(int dirfd, const char *path, struct fl_err *err);
void fl_changes_drain(int changes);
