/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The service manager that may have started us: sockets that it opened, and what it is told.
 * Protocols: sd_listen_fds(3), sd_notify(3). Without one, nothing happens.
 *
 *     int fd = fl_manager_socket("grpc");       // -1: we open our own
 *     fl_manager_tell("READY=1");
 */
#pragma once

#include <stdint.h>

/* The listening socket of that name (FileDescriptorName=), or, for "grpc", the only one
 * there is; -1 when there is none. The caller owns it. */
int fl_manager_socket(const char *name);

/* "READY=1", "STOPPING=1", "WATCHDOG=1" … */
void fl_manager_tell(const char *state);

/* How often it wants to hear that we live, in microseconds; 0: not. */
uint64_t fl_manager_watchdog_us(void);
