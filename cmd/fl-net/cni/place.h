/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The network namespace of an interface on a CNI network, and the pair of links that leads there.
 * Their names derive from the container's, UID-DEVICE.
 *
 *     fl_cleanup_free char *netns = fl_place_netns(container);
 *     if (fl_place_join(container, tap, mtu, err) < 0) return -1;
 *     if (fl_place_remove(container, err) < 0) return -1;
 */
#pragma once

#include "common/err.h"

/* RUN/netns/UID-DEVICE; caller frees. */
char *fl_place_netns(const char *container);

/* Makes the pair, where it is not there, and redirects all four ends. */
int fl_place_join(const char *container, const char *tap, unsigned mtu, struct fl_err *err);

/* Both; gone already is fine. */
int fl_place_remove(const char *container, struct fl_err *err);
