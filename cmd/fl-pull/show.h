/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is said of images: "ls", "inspect", and the line that "get" prints.
 *
 *     fl_cleanup_json fl_json *line = fl_show_image(ref, &image);
 */
#pragma once

#include "common/cli.h"
#include "common/image.h"

/* {"ref":…,"digest":…,"platform":…,"size":…,"layers":…}; caller owns it. */
fl_json *fl_show_image(const char *ref, const struct fl_image *image);

extern const struct fl_option fl_inspect_options[];

int fl_show_ls(struct fl_args *args, struct fl_err *err);
int fl_show_inspect(struct fl_args *args, struct fl_err *err);
