/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Volumes out of a file of the host that holds a disk's content: "file:/PATH".
 *
 *     if (fl_raw_make(&call, "/srv/data.img", &made, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-snap/backend.h"

/* A copy in the microVM's folder, whatever the back end of other volumes, as large as the file or as
 * call->mib says; what is there already stays. FL_ERR_INVALID when mib is less than the file;
 * FL_ERR_PRECONDITION when the volume was made from another. */
int fl_raw_make(const struct fl_volume_call *call, const char *path, struct fl_volume_made *made,
		struct fl_err *err);
