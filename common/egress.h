/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Where a guest that is kept in may go: ADDRESS[/PREFIX][:PORT[/tcp|/udp]], several joined by
 * commas. An IPv6 address with a port stands in brackets. No names: what they mean changes, and
 * rules do not.
 *
 *     const char *at = "10.0.0.0/8,192.0.2.1:53/udp,[2001:db8::/32]:443";
 *     struct fl_egress one;
 *     while ((rc = fl_egress_next(&at, &one, err)) > 0) ...one.to, one.port
 */
#pragma once

#include "common/inet.h"

struct fl_egress {
	struct fl_cidr to; /* the net's first address */
	uint16_t port;     /* 0: all of every protocol */
	bool tcp, udp;     /* with a port; at least one */
};

/* The first of the list; at moves behind it, and is NULL behind the last. 1, 0 when at is NULL, -1
 * (FL_ERR_INVALID). */
int fl_egress_next(const char **at, struct fl_egress *one, struct fl_err *err);
