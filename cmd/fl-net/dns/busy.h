/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Whether somebody else serves names or addresses on a bridge already.
 *
 *     if (fl_dns_check_free(&bridge, true, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-net/bridge.h"

/* FL_ERR_BUSY when its port 53, or with addresses the one of DHCP, is another's; FL_ERR_DENIED
 * without the right to have it. */
int fl_dns_check_free(const struct fl_bridge *bridge, bool addresses, struct fl_err *err);
