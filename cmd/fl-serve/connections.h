/* SPDX-License-Identifier: MPL-2.0 */
/*
 * gRPC's connections: how many there may be, and what becomes of those whose client says
 * nothing.
 *
 *     struct fl_connections *all = fl_connections_create(&config, base, rpc);
 *     if (fl_connections_may(all, peer)) fl_connections_add(all, bev, peer, false);
 *     fl_connections_drain(all);                        // at the stop
 */
#pragma once

#include "cmd/fl-serve/server.h"

struct bufferevent;
struct event_base;
struct fl_connections;
struct fl_rpc;

/* Bytes of requests that are not whole, and of answers nobody reads, of all of them. */
#define FL_MAX_WAITING (128 << 20)

struct fl_connections *fl_connections_create(const struct fl_config *config,
					     struct event_base *base, struct fl_rpc *rpc);
void fl_connections_destroy(struct fl_connections *all); /* NULL is fine; closes them */

/* Whether there is room for one more of the peer. */
bool fl_connections_may(const struct fl_connections *all, const char *peer);

/* Takes bev. is_trusted: its calls need no token. */
void fl_connections_add(struct fl_connections *all, struct bufferevent *bev, const char *peer,
			bool is_trusted);

/* No new calls; each goes with its last. */
void fl_connections_drain(struct fl_connections *all);
bool fl_connections_are_gone(const struct fl_connections *all);
