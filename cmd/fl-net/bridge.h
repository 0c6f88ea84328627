/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bridges of our own, which hand out addresses: made, found again, removed. What is known
 * of one stands in STATE/net/NAME.json before anything is made.
 *
 *     struct fl_bridge bridge;
 *     int ours = fl_bridge_load(&state, "flbr0", &bridge, err);      // 1, 0 or -1
 */
#pragma once

#include "cmd/fl-net/link.h"
#include "common/cli.h"

#define FL_BRIDGE_ALIAS "flintlock:bridge"

struct fl_bridge {
	char name[FL_LINK_NAME];
	struct fl_cidr address; /* its own, with the net's prefix */
	bool nat;
	bool forwarding_was; /* ip_forward before it was made */
};

/* 1: ours; 0: we know nothing of it; -1: error. */
int fl_bridge_load(const struct fl_state *state, const char *name, struct fl_bridge *bridge,
		   struct fl_err *err);

/* Held while addresses of the bridge are handed out. Caller closes. */
int fl_bridge_lock(const struct fl_state *state, const char *name, struct fl_err *err);

int fl_bridge_create(const struct fl_state *state, const char *name, const char *cidr, bool nat,
		     struct fl_err *err);
int fl_bridge_remove(const struct fl_state *state, const char *name, bool force,
		     struct fl_err *err);

/* Names of all bridges of ours, as a list of text; caller owns it. */
fl_json *fl_bridge_list(const struct fl_state *state);
