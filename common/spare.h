/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Room on the state folder's file system that is kept for taking things away: guests fill a disk, and
 * what stops and deletes them has to be written down as well.
 *
 *     fl_spare_keep(state->dirfd);              // while there is room
 *     if (is_full && fl_spare_give(state->dirfd)) try_again();
 */
#pragma once

#include <stdbool.h>

/* Best effort: a disk that is full already has none. */
void fl_spare_keep(int dirfd);

/* Whether there was some, which is free now. */
bool fl_spare_give(int dirfd);
