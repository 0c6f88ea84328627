/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is known of bridges of ours: one file each, STATE/net/NAME.json. For bridge.c; others
 * read it through fl_bridge_load and fl_bridge_list.
 *
 *     fl_known_stamp(&bridge);
 *     if (fl_known_save(&state, &bridge, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-net/bridge.h"

/* FL_ERR_INVALID when no bridge can be called that. */
int fl_known_check_name(const char *name, struct fl_err *err);

/* Says that the bridge belongs to this boot and network namespace; and whether it does. */
void fl_known_stamp(struct fl_bridge *bridge);
bool fl_known_is_here(const struct fl_bridge *bridge);

/* On disk when it returns. */
int fl_known_save(const struct fl_state *state, const struct fl_bridge *bridge,
		  struct fl_err *err);

/* Forgotten already is fine. */
int fl_known_forget(const struct fl_state *state, const char *name, struct fl_err *err);

/* Calls each for every bridge of ours; one whose file cannot be read is an error. */
int fl_known_each(const struct fl_state *state,
		  int (*each)(void *arg, const struct fl_bridge *bridge, struct fl_err *err),
		  void *arg, struct fl_err *err);
