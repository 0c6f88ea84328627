/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The host's own network, as far as defaults are taken from it.
 *
 *     fl_cleanup_free char *link = fl_route_interface();
 *     fl_cleanup_free char *address = link ? fl_route_address(link) : NULL;
 */
#pragma once

#include "common/inet.h"
#include "common/str.h"

/* The interface of the default route (the one of least metric, IPv4 before IPv6), or NULL; caller
 * frees. */
char *fl_route_interface(void);

/* Whether a link of that name is a bridge, in the network namespace that we are in. */
bool fl_route_is_bridge(const char *link);

/* Its first address, IPv4 before IPv6, without prefix; NULL: it has none. Caller frees. */
char *fl_route_address(const char *link);

/* Whether a server can listen there: it is an address of this host, or the kernel lets it be another's.
 * What is no address is for others to judge. */
bool fl_route_may_listen(const char *address);

/* Adds every address of this host that others may use, joined by commas. */
void fl_route_addresses(struct fl_str *list);

/* The interface other than but whose net overlaps with net; NULL: none. Caller frees. */
char *fl_route_overlap(const struct fl_cidr *net, const char *but);
