/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The folders of the host that a guest sees: a virtiofsd for each, there before the VMM, which
 * waits for ever for one that is not, and gone after it.
 *
 *     if (fl_shares_start(&shares, launch, &place, err) < 0) return -1;
 *     fl_shares_end(&shares);
 */
#pragma once

#include "common/json.h"
#include "common/proc.h"
#include "common/provider.h"

#define FL_SHARES FL_PROVIDER_SHARES

struct fl_shares {
	struct fl_proc daemons[FL_SHARES];
	size_t count;
};

/* Where they run: the control group (or -1), and what takes their words. */
struct fl_shares_place {
	int cgroup, words;
};

/* Returns when all of them listen. On failure none is left. */
int fl_shares_start(struct fl_shares *shares, const fl_json *launch,
		    const struct fl_shares_place *place, struct fl_err *err);

/* Kills what still runs. */
void fl_shares_end(struct fl_shares *shares);
