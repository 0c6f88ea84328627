/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Texts of gRPC's header fields: percent-encoding, time-outs, base 64 without padding.
 * Format: gRPC's PROTOCOL-HTTP2.md.
 *
 *     fl_grpc_add_percent(message, &out);
 */
#pragma once

#include "common/str.h"

#include <stdint.h>

/* grpc-message. */
void fl_grpc_add_percent(const char *text, struct fl_str *out);

/* grpc-timeout ("100m", "5S") in milliseconds, rounded up; false when it is malformed. */
bool fl_grpc_parse_timeout(const char *text, int64_t *milliseconds);

/* The value of a "-bin" field. */
void fl_grpc_add_binary(const struct fl_str *bytes, struct fl_str *out);
