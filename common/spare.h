/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Room on the state folder's file system that is kept for taking things away: guests fill a disk, and
 * what stops and deletes them has to be written down as well.
 *
 *     fl_spare_keep(state->dirfd);              // while there is room
 *     if (is_full) fl_spare_give(state->dirfd);   // and once more
 */
#pragma once

/* Best effort: a disk that is full already has none. */
void fl_spare_keep(int dirfd);

/* Where the disk is full. What could not be written is tried once more then. */
void fl_spare_give(int dirfd);
