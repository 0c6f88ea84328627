/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The step of a microVM's links: taps on bridges, macvtaps, MACs, addresses.
 *
 *     static const struct fl_step step = { "net", fl_taps_up, fl_taps_down, … };
 */
#pragma once

#include "cmd/fl-net/link.h"
#include "common/step.h"

/* Link name and guest MAC of an interface: always the same for a uid, device and type. */
void fl_taps_derive(const char *uid, const char *device, enum fl_interface_type type,
		    char name[static FL_LINK_NAME], struct fl_mac *mac);

/* What may be a link of ours by its kind and name: one of enum fl_interface_type, or -1. */
int fl_taps_type(const struct fl_link *link);

/* Options of "up" (--parent-iface, --macvtap-mode, those of CNI) that are not what they may be. */
int fl_taps_check_options(const struct fl_args *args, struct fl_err *err);

/* Whose tap it is, by its alias: the uid is copied, and the device (a part of the link's
 * alias) is returned. NULL when it is not a tap of ours. */
const char *fl_taps_owner(const struct fl_link *link, char uid[static FL_ULID_TEXT]);

int fl_taps_up(struct fl_step_call *call, struct fl_err *err);
int fl_taps_down(struct fl_step_call *call, struct fl_err *err);
int fl_taps_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err);
