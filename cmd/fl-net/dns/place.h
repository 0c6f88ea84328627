/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The folder RUN/dns/BRIDGE of whoever serves a bridge's names: what dnsmasq reads is in it, and
 * its lock is held while somebody serves.
 *
 *     fl_cleanup_dns_place struct fl_dns_place place = FL_DNS_PLACE_INIT;
 *     if (fl_dns_place_take(&place, &state, "flbr0", err) < 0) return -1;
 *     fl_atomic_write(place.dirfd, "names", 0644, …);
 *     fl_dns_place_leave(&place, &state);
 */
#pragma once

#include "common/state.h"

struct fl_dns_place {
	char *path; /* owned */
	int dirfd, lock;
};

#define FL_DNS_PLACE_INIT { NULL, -1, -1 }

/* FL_ERR_BUSY when another serves that bridge. Waits for fl_bridge_lock. */
int fl_dns_place_take(struct fl_dns_place *place, const struct fl_state *state, const char *bridge,
		      struct fl_err *err);

/* Removes it; a kill leaves that to fl_dns_place_collect. */
void fl_dns_place_leave(struct fl_dns_place *place, const struct fl_state *state);
void fl_dns_place_finish(struct fl_dns_place *place);
#define fl_cleanup_dns_place FL_CLEANUP(fl_dns_place_finish)

/* Whether somebody serves it, which may end in a moment. */
bool fl_dns_place_is_taken(const char *bridge);

/* Removes, unless dry, the folders of the dead, and calls say for each. */
int fl_dns_place_collect(const struct fl_state *state, bool dry,
			 int (*say)(const char *path, struct fl_err *err), struct fl_err *err);
