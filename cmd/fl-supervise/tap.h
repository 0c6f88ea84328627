/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The character device of a macvtap, through which a VMM sends and receives
 * (Documentation/networking: macvtap; drivers/net/macvtap.c), and the user that a tap is of
 * (Documentation/networking/tuntap.rst).
 *
 *     int fd = fl_tap_open(vm->dirfd, "flvtapabcdefghi", err);
 *     fl_tap_give("fltapabcdefghij", owner, err);
 */
#pragma once

#include "common/err.h"

#include <sys/types.h>

/*
 * Opens the device of the link. /dev/tapN is named after an interface index, which links of
 * several network namespaces share: the numbers in sysfs decide, and a node of our own is made
 * in the folder dirfd where /dev has none, or another's. FL_ERR_NOT_FOUND: no such macvtap.
 */
int fl_tap_open(int dirfd, const char *link, struct fl_err *err);

/* Only that user, of a group of the same number, and root can open the tap from now on.
 * FL_ERR_BUSY: another has it open. */
int fl_tap_give(const char *link, uid_t owner, struct fl_err *err);
