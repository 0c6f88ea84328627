/* SPDX-License-Identifier: MPL-2.0 */
/*
 * How the thin pools are that hold volumes, as fl-snap tells it.
 *
 *     fl_pools_metrics(state, &text);      // in a thread that may wait
 */
#pragma once

#include "common/state.h"

/* Whether any was ever used by this state folder. */
bool fl_pools_are_used(const struct fl_state *state);

/* Where no pool was ever used, the families alone. Else waits for fl-snap, some seconds at most. */
void fl_pools_metrics(const struct fl_state *state, struct fl_str *out);
