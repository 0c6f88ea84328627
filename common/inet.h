/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Addresses as text and as numbers: MAC (IEEE 802) and CIDR (RFC 4632, RFC 4291).
 *
 *     struct fl_cidr cidr;
 *     if (fl_inet_parse_cidr("10.0.0.1/24", &cidr, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"

#include <ifaddrs.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define FL_MAC_TEXT 18
#define FL_CIDR_TEXT 52

struct fl_mac {
	uint8_t byte[6];
};

struct fl_cidr {
	int family;       /* AF_INET or AF_INET6 */
	uint8_t byte[16]; /* network order; the first 4 for AF_INET */
	unsigned prefix;  /* bits */
};

int fl_inet_parse_mac(const char *text, struct fl_mac *mac, struct fl_err *err);
void fl_inet_print_mac(const struct fl_mac *mac, char text[static FL_MAC_TEXT]);

/* address/prefix; a bare address has the full prefix. */
int fl_inet_parse_cidr(const char *text, struct fl_cidr *cidr, struct fl_err *err);
void fl_inet_print_cidr(const struct fl_cidr *cidr, char text[static FL_CIDR_TEXT]);
void fl_inet_print_address(const struct fl_cidr *cidr, char text[static FL_CIDR_TEXT]);

/* Whether the address lies in net's network. */
bool fl_inet_contains(const struct fl_cidr *net, const struct fl_cidr *address);

/* Whether two nets have addresses in common. */
bool fl_inet_overlap(const struct fl_cidr *a, const struct fl_cidr *b);

/* The nth address of net's network (0 is the network itself), with net's prefix.
 * False when it lies outside. */
bool fl_inet_nth(const struct fl_cidr *net, uint32_t nth, struct fl_cidr *address);

bool fl_inet_equal(const struct fl_cidr *a, const struct fl_cidr *b); /* addresses only */

/* Whether the address is one of net's that a host may have: neither the network's own nor, of an
 * IPv4 net, the last, which is for all of it. */
bool fl_inet_gives(const struct fl_cidr *net, const struct fl_cidr *address);

/* Whether a host may have the address, in the net of its prefix. */
bool fl_inet_is_host(const struct fl_cidr *address);

/* Frees what getifaddrs(3) gave; NULL is fine. */
void fl_inet_free_links(struct ifaddrs **list);
#define fl_cleanup_links FL_CLEANUP(fl_inet_free_links)

/* A link's address and mask, as getifaddrs(3) has them; without a mask the prefix is 0. False: it is
 * neither IPv4 nor IPv6. */
bool fl_inet_of_link(const struct sockaddr *address, const struct sockaddr *mask,
		     struct fl_cidr *cidr);

/* A bridge's own address with its net's prefix, which leaves room for guests; FL_ERR_INVALID. */
int fl_inet_parse_bridge(const char *text, struct fl_cidr *address, struct fl_err *err);
