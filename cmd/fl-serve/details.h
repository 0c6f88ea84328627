/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What went wrong with a call, for programs: google.rpc.Status with its details.
 * Format: google/rpc/status.proto, error_details.proto.
 *
 *     fl_cleanup_str struct fl_str details = FL_STR_INIT;
 *     fl_details_bad_request(code, text, violations, &details);
 *     fl_call_fail(call, code, text, &details);
 */
#pragma once

#include "common/json.h"

/* BadRequest with every violation (a list of {"path":…,"text":…}) as a field of "microvm". */
void fl_details_bad_request(int code, const char *text, const fl_json *violations,
			    struct fl_str *out);

/* ErrorInfo: a reason such as "CAPABILITY" in the domain "flintlock". */
void fl_details_reason(int code, const char *text, const char *reason, struct fl_str *out);
