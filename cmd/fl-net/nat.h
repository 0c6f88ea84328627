/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Address translation: for a bridge, and for the ports of a microVM that the host has, an nftables
 * table of its own.
 *
 *     fl_nat_add("flbr0", &cidr, err);
 *     fl_nat_remove("flbr0", err);
 */
#pragma once

#include "common/publish.h"

/* Replaces the bridge's table, all at once. */
int fl_nat_add(const char *bridge, const struct fl_cidr *net, struct fl_err *err);

/* Whether guests get through: the rules, and the host's forwarding for the address family. 1 or 0. */
int fl_nat_is_there(const char *bridge, int family, struct fl_err *err);

/* Gone already is fine. */
int fl_nat_remove(const char *bridge, struct fl_err *err);

/* Keeps guests on a bridge from the host's own 127.0.0.1, where ports were published for that: again,
 * if another took the rule away. Without them nothing is done. */
int fl_nat_mend_guard(const char *bridge, struct fl_err *err);

/* False where no port was ever published by the bridge that is there: a host without nftables needs
 * none for it. */
bool fl_nat_may_be_guarded(const char *bridge);

/* For a bridge that goes, or has gone. Gone already is fine. */
int fl_nat_remove_guard(const char *bridge, struct fl_err *err);

/* Whom the published ports lead to. */
struct fl_nat_guest {
	const char *uid;
	struct fl_cidr address; /* IPv4, with its net's prefix */
	const char *bridge;     /* NULL: none that is ours; then the host's 127.0.0.1 has no ports */
};

/* Replaces the microVM's table, all at once. */
int fl_nat_publish(const struct fl_nat_guest *guest, const struct fl_publish *ports, size_t count,
		   struct fl_err *err);

/* Gone already is fine. */
int fl_nat_unpublish(const char *uid, struct fl_err *err);

/* Calls each for the uid of every microVM that has such a table here. */
int fl_nat_each_published(int (*each)(void *arg, const char *uid, struct fl_err *err), void *arg,
			  struct fl_err *err);

/* ip_forward of this network namespace; set returns what it was, or -1. */
int fl_nat_forwarding(int family, bool set, bool value, struct fl_err *err);
