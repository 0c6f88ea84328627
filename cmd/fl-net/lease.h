/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Addresses on a bridge of ours: the records are the table of who has which. To be called,
 * and the result recorded, under fl_bridge_lock.
 *
 *     struct fl_cidr address;
 *     fl_lease_take(call, made, &bridge, interface, &address, err);
 */
#pragma once

#include "cmd/fl-net/bridge.h"
#include "common/step.h"

/* FL_ERR_EXISTS when the spec's MAC is another interface's on the bridge (NULL: none): two of them would
 * take each other's packets. made: as below. */
int fl_lease_check_mac(const struct fl_step_call *call, const fl_json *made, const char *bridge,
		       const struct fl_interface *in, struct fl_err *err);

/* The address of one of the microVM's interfaces on the bridge: the spec's; else the one
 * recorded, if it still fits; else a free one. made: what host.network is going to be, as
 * far as it is known. FL_ERR_EXISTS when another has the spec's, FL_ERR_EXHAUSTED when none
 * is free. */
int fl_lease_take(const struct fl_step_call *call, const fl_json *made,
		  const struct fl_bridge *bridge, const struct fl_interface *in,
		  struct fl_cidr *address, struct fl_err *err);
