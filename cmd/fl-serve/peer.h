/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Who is at the other end of a connection, for people.
 *
 *     char text[FL_PEER_TEXT];
 *     fl_peer_print(address, size, text);      // "10.0.0.7"
 */
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#define FL_PEER_TEXT NI_MAXHOST

/* The address without its port; "local" for a unix socket. */
void fl_peer_print(const struct sockaddr *address, socklen_t size, char text[static FL_PEER_TEXT]);
