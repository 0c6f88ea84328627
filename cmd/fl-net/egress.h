/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A guest that is kept in: what the labels host.flintlock/egress and host.flintlock/allow ask for.
 *
 * The rules hang on the tap itself (nftables, family netdev), before any bridge and any route: so
 * they see what goes to other guests, to the host and further, under whatever address, in the same
 * way, and need no connection tracking, which not every kernel has on bridges. What comes in
 * for the guest is noted in sets, and what fits it may go out.
 *
 *     if (fl_egress_up(call, network, &egress, err) < 0) return -1;   // after its taps are made
 *     if (fl_egress_down(call, err) < 0) return -1;
 */
#pragma once

#include "common/step.h"

/* network: what host.network is going to be. egress: what host.egress is going to be, the caller's,
 * NULL for none. FL_ERR_UNSUPPORTED when the kernel lacks the hooks. */
int fl_egress_up(const struct fl_step_call *call, const fl_json *network, fl_json **egress,
		 struct fl_err *err);

/* Takes away what up made; nothing is fine. */
int fl_egress_down(const struct fl_step_call *call, struct fl_err *err);

/* Of a microVM without a record, and to find those; see fl_rules_each_owner. */
int fl_egress_remove(const char *uid, struct fl_err *err);
int fl_egress_each(int (*each)(void *arg, const char *uid, struct fl_err *err), void *arg,
		   struct fl_err *err);
