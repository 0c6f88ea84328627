/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An image out of the store: into a layout folder, or an archive that skopeo, containerd and
 * docker read.
 *
 *     { "export", "REF TARGET", "write an image …", fl_export_options, 2, 2, fl_export },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_export_options[];

int fl_export(struct fl_args *args, struct fl_err *err);
