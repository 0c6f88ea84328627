/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Addresses on a bridge of ours: the records are the table of who has which.
 *
 *     struct fl_cidr address;
 *     fl_lease_take(vm, &bridge, "eth0", wanted, &address, err);     // under its lock
 */
#pragma once

#include "cmd/fl-net/bridge.h"

/* wanted: NULL for a free one, or the address that the spec or the record has. Must be
 * called, and the result recorded, under fl_bridge_lock. FL_ERR_EXISTS when another
 * microVM has it, FL_ERR_EXHAUSTED when none is free. */
int fl_lease_take(const struct fl_vm *vm, const struct fl_bridge *bridge, const char *device,
		  const char *wanted, struct fl_cidr *address, struct fl_err *err);
