/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bridges of our own, which hand out addresses: made, found again, removed. What is known
 * of one stands in STATE/net/NAME.json before anything is made.
 *
 *     fl_cleanup_close int lock = fl_bridge_lock(&state, err);
 *     struct fl_bridge bridge;
 *     int ours = fl_bridge_load(&state, "flbr0", &bridge, err);      // 1, 0 or -1
 */
#pragma once

#include "cmd/fl-net/dns/name.h"
#include "cmd/fl-net/link.h"
#include "common/boot.h"
#include "common/cli.h"
#include "common/spec.h"

struct fl_bridge {
	char name[FL_LINK_NAME];
	struct fl_cidr address; /* its own, with the net's prefix */
	bool nat;
	char domain[FL_DNS_DOMAIN]; /* of the names that it serves, see dns/serve.h; "": none */
	bool forward_before; /* forwarding before any bridge of ours wanted it */
	/* Where it was made: another boot or network namespace knows nothing of it. */
	char boot_id[FL_BOOT_ID_TEXT];
	int64_t netns;
};

/* 1: ours; 0: we know nothing of it; -1: error. */
int fl_bridge_load(const struct fl_state *state, const char *name, struct fl_bridge *bridge,
		   struct fl_err *err);

/* One lock for all bridges, held while they change, while links are put on them and while
 * addresses are handed out. Caller closes. */
int fl_bridge_lock(const struct fl_state *state, struct fl_err *err);

/* The bridge of a record's interface: the spec's, or what fl-serve wrote down for those that name
 * none; NULL: none. Borrowed. */
const char *fl_bridge_of(const fl_json *record, const struct fl_interface *in);

/* Whether the link is the bridge that we made under its name. */
bool fl_bridge_is_ours(const struct fl_link *link);

struct fl_bridge_wish {
	const char *name, *address; /* a CIDR */
	bool nat;
	const char *domain; /* FL_BRIDGE_NO_DOMAIN takes it away; NULL: as it is */
};

#define FL_BRIDGE_NO_DOMAIN "none"

/* Makes it, or what of it is missing; another domain it takes over. */
int fl_bridge_create(const struct fl_state *state, const struct fl_bridge_wish *wish,
		     struct fl_err *err);

/* Makes again a bridge that is known and whose link is missing, as after a reboot of the
 * host: 1; 0 when it belongs to another network namespace. To be called under the lock. */
int fl_bridge_restore(const struct fl_state *state, struct fl_links *links,
		      const struct fl_bridge *known, struct fl_err *err);

/* Makes the rules of a known bridge that is here again, where somebody took its table away. */
int fl_bridge_mend(const struct fl_bridge *known, struct fl_err *err);

/* What does not exist is fine; what is not ours, in use, or served, is FL_ERR_PRECONDITION. */
int fl_bridge_remove(const struct fl_state *state, const char *name, bool force,
		     struct fl_err *err);

/* Names of all bridges of ours, sorted, as a list of text; caller owns it. */
fl_json *fl_bridge_list(const struct fl_state *state);
