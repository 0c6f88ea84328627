/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An image into a registry, out of the store, a layout or an archive.
 *
 *     { "push", "SOURCE TARGET", "upload an image", fl_push_options, 2, 2, fl_push },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_push_options[];

int fl_push(struct fl_args *args, struct fl_err *err);
