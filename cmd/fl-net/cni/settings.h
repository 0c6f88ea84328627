/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where CNI's networks and plugins are, and how long these may take: by option, else by variable,
 * else as distributions have it. FL_STEP_CNI_OPTIONS are the options.
 *
 *     fl_cni_list_find(fl_cni_settings_folder(args), "mynet", err);
 */
#pragma once

#include "common/cli.h"

int fl_cni_settings_check(const struct fl_args *args, struct fl_err *err);

/* Right once checked. */
const char *fl_cni_settings_folder(const struct fl_args *args);
const char *fl_cni_settings_path(const struct fl_args *args);
int fl_cni_settings_timeout(const struct fl_args *args); /* ms */
