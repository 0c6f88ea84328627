/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Address translation for a bridge: an nftables table of its own. The owner of libnftables.
 *
 *     fl_nat_add("flbr0", &cidr, err);
 *     fl_nat_remove("flbr0", err);
 */
#pragma once

#include "common/inet.h"

/* Replaces the bridge's table, all at once. */
int fl_nat_add(const char *bridge, const struct fl_cidr *net, struct fl_err *err);

/* Gone already is fine. */
int fl_nat_remove(const char *bridge, struct fl_err *err);

/* ip_forward of this network namespace; set returns what it was, or -1. */
int fl_nat_forwarding(int family, bool set, bool value, struct fl_err *err);
