/* SPDX-License-Identifier: MPL-2.0 */
/*
 * "fl ssh NS/NAME [COMMAND…]": a shell in the guest, at the address its record has.
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_ssh_options[];
int fl_ssh(struct fl_args *args, struct fl_err *err);
