/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The removal of a microVM's taps and macvtaps, found by their aliases and names.
 *
 *     if (fl_sweep_links(call, links, true, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-net/link.h"
#include "common/step.h"

/* all: also those that the spec wants. */
int fl_sweep_links(const struct fl_step_call *call, struct fl_links *links, bool all,
		   struct fl_err *err);
