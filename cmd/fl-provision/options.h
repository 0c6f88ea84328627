/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The options of fl-provision, each once: those of provision.sh, and what goes beyond them.
 * A file for "apply" has the names of fl_provision_options as keys.
 *
 *     { "all", "", "make this host ready", fl_provision_options, 0, 0, run_all },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_provision_options[]; /* all, plan, apply */
extern const struct fl_option fl_undo_options[];
extern const struct fl_option fl_packages_options[], fl_bridge_options[], fl_reflink_options[], fl_service_options[];
extern const struct fl_option fl_release_options[], fl_lvm_options[], fl_devpool_options[];
extern const struct fl_option fl_unused_options[]; /* containerd */
