/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The ports of a microVM that the host has: what the label host.flintlock/publish asks for.
 *
 *     if (fl_ports_up(call, network, &published, err) < 0) return -1;   // under fl_bridge_lock
 *     if (fl_ports_down(call, err) < 0) return -1;
 */
#pragma once

#include "common/step.h"

/* Whether the ports can be had, for those who lead them by other means. What it has already, it
 * may keep. The errors of fl_ports_up. */
int fl_ports_check(const struct fl_step_call *call, struct fl_err *err);

/* network: what host.network is going to be; the first interface with an IPv4 address is meant.
 * published: what host.published is going to be, the caller's, NULL for none. FL_ERR_EXISTS when
 * another microVM has a port, FL_ERR_BUSY when a program of the host listens on it. */
int fl_ports_up(const struct fl_step_call *call, const fl_json *network, fl_json **published,
		struct fl_err *err);

/* The first interface with an IPv4 address, by what is known of host.network; false: none. */
bool fl_ports_have_target(const fl_json *network);

/* Takes away what up made; nothing is fine. */
int fl_ports_down(const struct fl_step_call *call, struct fl_err *err);
