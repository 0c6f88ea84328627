/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Descriptors are what clients can use up: connections leave some for the work behind them,
 * and those of HTTP, which anybody may open, leave half for gRPC.
 *
 *     fl_descriptors_raise();                                   // once, at the start
 *     if (!fl_descriptors_are_left(FL_DESCRIPTORS_HTTP)) ...    // let new clients wait
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

enum fl_descriptors_for { FL_DESCRIPTORS_GRPC, FL_DESCRIPTORS_HTTP };

/* As many as the host lets this process have; shells give a process few. */
void fl_descriptors_raise(void);

/* For a program that was started: it may be one that goes through all that it could have open. */
void fl_descriptors_put_back(pid_t pid);

/* Whether one more connection may be taken. */
bool fl_descriptors_are_left(enum fl_descriptors_for what);

/* How many the process may have. */
unsigned fl_descriptors_limit(void);
