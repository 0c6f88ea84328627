/* SPDX-License-Identifier: MPL-2.0 */
/*
 * VMMs from their makers' releases: a version, a file, and the digest that says that it is the
 * right one. Which releases there are stands in share/flintlock/releases.json; a digest that
 * is not there is asked for, never taken from where the file comes from.
 *
 *     fl_release_firecracker_add(&site, true, &acts, err);
 */
#pragma once

#include "cmd/fl-provision/steps.h"

fl_step_adder fl_release_firecracker_add, fl_release_cloudhypervisor_add;
