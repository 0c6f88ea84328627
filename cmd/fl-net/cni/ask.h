/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What is asked of a CNI network's plugins for an interface.
 * Format: CNI's CONVENTIONS.md ("Dynamic plugin specific fields", "CNI_ARGS").
 *
 *     fl_cleanup_json fl_json *parts = fl_cni_ask_parts(&wish);
 *     fl_cleanup_free char *arguments = fl_cni_ask_arguments(&wish, list);
 */
#pragma once

#include "cmd/fl-net/cni/attach.h"

/* By capability: "mac", "ips", "portMappings". Caller owns it. */
fl_json *fl_cni_ask_parts(const struct fl_attach_wish *wish);

/* CNI_ARGS: what the spec wants and the list's plugins do not take as a capability. Caller
 * frees. */
char *fl_cni_ask_arguments(const struct fl_attach_wish *wish, const fl_json *list);

/* FL_ERR_UNSUPPORTED when the plugins gave another address or MAC than the spec wants. made: of
 * fl_cni_result_read. */
int fl_cni_ask_check(const struct fl_attach_wish *wish, const fl_json *made,
		     const struct fl_mac *mac, struct fl_err *err);
