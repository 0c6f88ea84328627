/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The commands "login HOST" and "logout HOST".
 *
 *     { "login", "HOST", "log in to a registry", fl_login_options, 1, 1, fl_login },
 */
#pragma once

#include "common/cli.h"

extern const struct fl_option fl_login_options[], fl_logout_options[];

int fl_login(struct fl_args *args, struct fl_err *err);
int fl_logout(struct fl_args *args, struct fl_err *err);
