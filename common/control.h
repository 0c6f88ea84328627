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

/* Sends one request, waits for its answer. FL_ERR_UNAVAILABLE when nobody listens,
 * FL_ERR_UNSUPPORTED when no common protocol is spoken. */
int fl_control_ask(const struct fl_vm *vm, const fl_json *request, struct fl_err *err);
