/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Folders of the host that a guest may see through virtiofs: only those below the folders that
 * whoever runs the host has named in FL_VIRTIOFS_ROOTS, since a guest writes there as root.
 *
 *     fl_cleanup_free char *folder = fl_share_resolve("/srv/shared/a", err);
 *     fl_cleanup_free char *program = fl_share_daemon(err);
 */
#pragma once

#include "common/err.h"

/* The folder, without symbolic links in its path; FL_ERR_PRECONDITION when it may not be shared.
 * Caller frees. */
char *fl_share_resolve(const char *folder, struct fl_err *err);

/* virtiofsd: FL_VIRTIOFSD, or where Debian's packages put it. FL_ERR_PRECONDITION: nowhere. */
char *fl_share_daemon(struct fl_err *err);
