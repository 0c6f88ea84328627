/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Unix sockets and fifos that are read as far as they go, without waiting.
 *
 *     int fd = fl_stream_connect("/run/flintlock/UID/qmp.sock");
 *     if (!fl_stream_read(fd, &in)) close(fd);            // the other end is gone
 *     fl_stream_drop(&in, used);
 */
#pragma once

#include "common/str.h"

#include <stdbool.h>

/* A non-blocking connection, or -1: nobody listens. */
int fl_stream_connect(const char *path);

/* Adds what is there, some kilobytes at most; false at the end, or when it broke. */
bool fl_stream_read(int fd, struct fl_str *in);

/* Sends all of it or nothing is true any more: false. */
bool fl_stream_send(int fd, const char *data, size_t size);

/* Forgets the first bytes. */
void fl_stream_drop(struct fl_str *in, size_t used);
