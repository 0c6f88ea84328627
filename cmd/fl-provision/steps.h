/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The steps that make a host ready, each a list of acts, in the order in which they are done.
 *
 *     fl_acts acts = { 0 };
 *     if (fl_steps_add(&site, NULL, &acts, err) < 0) return -1;       // all that the host wants
 *     if (fl_steps_add(&site, "bridge", &acts, err) < 0) return -1;   // this one
 */
#pragma once

#include "cmd/fl-provision/act.h"

/* step: the one that is asked for by name, which then is done or is an error; NULL: those that
 * the host's settings ask for, less --skip or only --only. */
int fl_steps_add(const struct fl_site *site, const char *step, fl_acts *acts, struct fl_err *err);

/* The steps themselves. wanted: asked for by name. */
typedef int fl_step_adder(const struct fl_site *site, bool wanted, fl_acts *acts,
			  struct fl_err *err);

/* The unit that brings back what a reboot takes; nothing when the acts have none of that. */
void fl_boot_add(const struct fl_site *site, fl_acts *acts);
