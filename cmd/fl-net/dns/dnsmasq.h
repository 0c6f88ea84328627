/* SPDX-License-Identifier: MPL-2.0 */
/*
 * dnsmasq(8) as a child: one that answers for names, and another that hands out addresses. What a
 * guest says of itself to the second so never becomes a name of the first; and who is started anew to
 * forget an address is not missed by who asks for a name.
 *
 *     struct fl_dnsmasq names = { .job = FL_DNSMASQ_NAMES };
 *     if (fl_dnsmasq_start(&names, &setting, err) < 0) return -1;
 *     fl_dnsmasq_reload(&names);
 *     fl_dnsmasq_finish(&names);
 */
#pragma once

#include "cmd/fl-net/bridge.h"
#include "cmd/fl-net/dns/place.h"
#include "common/proc.h"

enum fl_dnsmasq_job { FL_DNSMASQ_NAMES, FL_DNSMASQ_ADDRESSES };

struct fl_dnsmasq {
	enum fl_dnsmasq_job job;
	struct fl_proc child; /* zeroed: not started */
};

struct fl_dnsmasq_setting {
	const char *program;
	const struct fl_bridge *bridge;
	const struct fl_dns_place *place; /* its files are there: fl_dnsmasq_file */
	const fl_json *upstream; /* a list of addresses to ask for all other names; NULL: the host's */
};

/* Where the program is: named, or in PATH, or where Debian has it; caller frees. NULL with
 * FL_ERR_UNSUPPORTED. */
char *fl_dnsmasq_find(const char *named, struct fl_err *err);

/* Writes its configuration, starts it, and waits until it takes signals. */
int fl_dnsmasq_start(struct fl_dnsmasq *dnsmasq, const struct fl_dnsmasq_setting *setting,
		     struct fl_err *err);

/* It reads its files again. */
void fl_dnsmasq_reload(struct fl_dnsmasq *dnsmasq);

/* 0 while it runs, or was not started; -1 with how it ended. */
int fl_dnsmasq_check(struct fl_dnsmasq *dnsmasq, struct fl_err *err);

void fl_dnsmasq_finish(struct fl_dnsmasq *dnsmasq);
