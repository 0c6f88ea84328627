/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ports of a guest that the host has: [ADDRESS:]PORT:TO[/udp], several joined by commas.
 *
 *     const char *at = "8080:80,10.0.0.1:53:53/udp";
 *     struct fl_publish one;
 *     while ((rc = fl_publish_next(&at, &one, err)) > 0) ...one.port, one.to
 */
#pragma once

#include "common/inet.h"

struct fl_publish {
	char address[16]; /* IPv4, of the host; "": all it has */
	uint16_t port;    /* of the host */
	uint16_t to;      /* of the guest */
	bool udp;         /* else TCP */
};

/* The first of the list; at moves behind it, and is NULL behind the last. 1, 0 when at is NULL, -1
 * (FL_ERR_INVALID). */
int fl_publish_next(const char **at, struct fl_publish *one, struct fl_err *err);

/* Whether not both can be had by the same host. */
bool fl_publish_overlap(const struct fl_publish *a, const struct fl_publish *b);

/* "tcp" or "udp". */
const char *fl_publish_protocol(const struct fl_publish *one);
