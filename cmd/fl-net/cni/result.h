/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What the plugins of a CNI network answered to ADD, as a record has it.
 * Format: CNI specification 1.1, section 5 (https://www.cni.dev/docs/spec/).
 *
 *     fl_cleanup_json fl_json *made = fl_cni_result_read(result, err);
 *     const char *address = fl_json_text(fl_json_get(made, "address"));
 */
#pragma once

#include "common/json.h"

/* Of the interface FL_CNI_INTERFACE: "address" (CIDR) and "addresses" (those after it);
 * "gateway", and "routes" besides ("to" a net, "via" an address); "nameservers", "search".
 * What there is none of is left out. Caller owns it; NULL with FL_ERR_INVALID. */
fl_json *fl_cni_result_read(const fl_json *result, struct fl_err *err);
