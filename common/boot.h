/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Which boot of the host this is. FL_BOOT_ID in the environment overrides it, so that a
 * reboot can be played.
 *
 *     char id[FL_BOOT_ID_TEXT];
 *     fl_boot_id(id);
 */
#pragma once

#define FL_BOOT_ID_TEXT 64

/* The kernel's boot id (a UUID); "unknown" where /proc does not tell. */
void fl_boot_id(char id[static FL_BOOT_ID_TEXT]);
