/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A call's failure as JSON: {"code":…,"message":…,"details":[…]}, as flintlock's gateway
 * has it, and the HTTP status that goes with it.
 * Format: google/rpc/status.proto; google/rpc/code.proto for the mapping.
 *
 *     fl_cleanup_json fl_json *problem = fl_problem(rpc, code, text, details);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"

/* details: a google.rpc.Status in bytes, or NULL. Caller owns it. */
fl_json *fl_problem(const struct fl_rpc *rpc, int code, const char *text,
		    const struct fl_str *details);

int fl_problem_http_status(int code);
