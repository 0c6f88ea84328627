/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Addresses that are listened on: "HOST:PORT", "[::1]:PORT", "unix:PATH", and "fd:N" for a
 * socket that somebody else opened. Connections are handed on as descriptors.
 *
 *     struct fl_listener *listener = fl_listener_open(base, "localhost:9090", accepted, arg, err);
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>

struct event_base;
struct evhttp;
struct fl_listener;

/* The taker owns fd. peer is the address for people. */
typedef void fl_listener_taker(void *arg, int fd, const char *peer);

/* A name listens on every address that it has. FL_ERR_BUSY when the port is in use. */
struct fl_listener *fl_listener_open(struct event_base *base, const char *address,
				     fl_listener_taker *take, void *arg, struct fl_err *err);

/* Lets evhttp take the connections: those of a listener that was opened with take NULL. */
void fl_listener_hand_over(struct fl_listener *listener, struct evhttp *http);

/* Of one that was handed over: evhttp has taken a connection. Where descriptors run out no more are
 * taken for a while. */
void fl_listener_taken(struct fl_listener *listener);

/* Stops listening; a socket file goes. NULL is fine. */
void fl_listener_close(struct fl_listener *listener);

/* FL_ERR_USAGE when the text is no address. */
int fl_listener_check(const char *address, struct fl_err *err);

/* Whether it is a socket file that a service manager opened: the file says who may. */
bool fl_listener_is_file(const char *address);

/* Whether it can only be reached from this machine. */
bool fl_listener_is_local(const char *address);
