/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The server's own metrics in Prometheus' text: calls under the names of go-grpc-prometheus,
 * the process, what it holds.
 * Format: prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.
 *
 *     fl_server_metrics(server, rpc, &text);
 */
#pragma once

#include "cmd/fl-serve/rpc/call.h"

struct fl_server;

void fl_server_metrics(struct fl_server *server, const struct fl_rpc *rpc, struct fl_str *out);
