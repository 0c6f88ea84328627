/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The character device of a macvtap, through which a VMM sends and receives
 * (Documentation/networking: macvtap; drivers/net/macvtap.c).
 *
 *     int fd = fl_tap_open(vm->dirfd, "flvtapabcdefghi", err);
 */
#pragma once

#include "common/err.h"

/*
 * Opens the device of the link. /dev/tapN is named after an interface index, which links of
 * several network namespaces share: the numbers in sysfs decide, and a node of our own is made
 * in the folder dirfd where /dev has none, or another's. FL_ERR_NOT_FOUND: no such macvtap.
 */
int fl_tap_open(int dirfd, const char *link, struct fl_err *err);
