/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The order of the steps, and a pipe of programs in that order.
 *
 *     fl_chain_up(args, err);        // fl-pull up | fl-snap up | … | fl-run up
 *     fl_chain_down(args, err);      // fl-run down | … | fl-snap down
 */
#pragma once

#include "common/cli.h"

int fl_chain_up(struct fl_args *args, struct fl_err *err);
int fl_chain_down(struct fl_args *args, struct fl_err *err);
int fl_chain_restore(struct fl_args *args, struct fl_err *err);

extern const struct fl_option fl_chain_up_options[];
extern const struct fl_option fl_chain_down_options[];
