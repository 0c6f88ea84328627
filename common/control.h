/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The client's side of a supervisor's control socket. The supervisor may be of an older
 * or newer version: the hello says what it speaks.
 *
 *     fl_cleanup_json fl_json *request = …{"do":"reboot"}…;
 *     if (fl_control_ask(vm, request, err) < 0) return -1;
 */
#pragma once

#include "common/state.h"

#define FL_CONTROL_PROTOCOL 1 /* and the one before, from 2 on */

/* How long a supervisor may take that has nothing to wait for, on a machine under load. */
#define FL_CONTROL_ANSWER_MS 10000

/* Sends one request, waits up to timeout_ms in all for its answer, which the caller owns;
 * NULL like -1 below, or FL_ERR_TIMEOUT. */
fl_json *fl_control_query(const struct fl_vm *vm, const fl_json *request, int timeout_ms,
			  struct fl_err *err);

/* Sends one request, waits for its answer. FL_ERR_UNAVAILABLE when nobody listens,
 * FL_ERR_UNSUPPORTED when no common protocol is spoken. */
int fl_control_ask(const struct fl_vm *vm, const fl_json *request, struct fl_err *err);
