/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An interface of a microVM on a CNI network. The plugins give a network namespace of its own an
 * interface; a pair of links leads from there to the host, where the microVM's tap is, and frames
 * are redirected from one to the next: the guest takes the plugins' interface over, MAC and all.
 *
 *     host: tap <-> flveth…  |  network namespace: guest <-> eth0 <-> what the plugins made
 *
 *     struct fl_attached attached;
 *     if (fl_attach_up(&wish, made, &attached, err) < 0) return -1;
 *     ...make the tap, with attached.mtu
 *     if (fl_attach_join(&wish, tap, &attached, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-net/link.h"
#include "common/step.h"

/* FL_ERR_USAGE for one of FL_STEP_CNI_OPTIONS that is wrong. */
int fl_attach_check_options(const struct fl_args *args, struct fl_err *err);

/* All borrowed. */
struct fl_attach_wish {
	const struct fl_step_call *call;
	const struct fl_interface *in;
	const char *network;
	struct fl_mac mac; /* of the guest, where the plugins let us choose */
	bool wants_ports;  /* those that the spec publishes lead here */
};

struct fl_attached {
	struct fl_mac mac;
	unsigned mtu;
	bool publishes; /* the plugins lead the ports here */
};

/* Has the plugins make what is missing, and adds to made what they say of addresses, routes and
 * nameservers. What is there is checked by them (CHECK); what they find wrong is made anew, but
 * left alone under a microVM that runs. */
int fl_attach_up(const struct fl_attach_wish *wish, fl_json *made, struct fl_attached *attached,
		 struct fl_err *err);

/* Leads the tap's frames to the plugins' interface, and back. */
int fl_attach_join(const struct fl_attach_wish *wish, const char *tap,
		   const struct fl_attached *attached, struct fl_err *err);

/* Takes away all that was made for the microVM's interfaces, but for those that the spec wants on
 * a CNI network (spec NULL: for none). */
int fl_attach_down(const struct fl_state *state, const char *uid, const struct fl_spec *spec,
		   const struct fl_cancel *cancel, struct fl_err *err);

/* Takes away what belongs to microVMs that is_known does not know, and calls say with a name for
 * it; dry: only that. */
struct fl_attach_garbage {
	bool dry;
	bool (*is_known)(void *arg, const char *uid);
	int (*say)(const char *name, struct fl_err *err);
	void *arg;
};
int fl_attach_collect(const struct fl_state *state, const struct fl_attach_garbage *garbage,
		      struct fl_err *err);

/* Tells the network's plugins (GC) which of their containers are microVMs of this state folder:
 * they remove all others. 1 done, 0 they know no GC, -1. */
int fl_attach_gc(const struct fl_args *args, const struct fl_state *state, const char *network,
		 struct fl_err *err);
