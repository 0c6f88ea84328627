/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Following the journal from its end on: which microVMs are to be looked at again.
 *
 *     struct fl_follow *follow = fl_follow_open(&state, err);
 *     fl_follow_read(follow, look_again, look_at_all, arg);   // whenever it may have grown
 */
#pragma once

#include "common/state.h"

struct fl_follow;

struct fl_follow *fl_follow_open(const struct fl_state *state, struct fl_err *err);
void fl_follow_close(struct fl_follow *follow); /* NULL is fine */

/* Readable when there may be something to read. */
int fl_follow_fd(const struct fl_follow *follow);

/* Calls changed for every line that is new, and lost when lines were missed. True when there were
 * any. */
bool fl_follow_read(struct fl_follow *follow,
		    void (*changed)(void *arg, const struct fl_vm_name *name),
		    void (*lost)(void *arg), void *arg);
