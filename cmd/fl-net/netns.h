/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Network namespaces that live as long as a file that they are bound to (ip-netns(8)).
 * For a program of one thread.
 *
 *     if (fl_netns_make(path, err) < 0) return -1;
 *     fl_cleanup_close int netns = fl_netns_open(path, err);
 *     struct fl_links *links = fl_netns_links(netns, err);
 *     fl_netns_remove(path, err);
 */
#pragma once

#include "cmd/fl-net/link.h"

/* Its folder is made as well; what is there already is fine. FL_ERR_DENIED without the right
 * to it (CAP_SYS_ADMIN). */
int fl_netns_make(const char *path, struct fl_err *err);

/* FL_ERR_NOT_FOUND when there is none, as after a reboot of the host. */
int fl_netns_open(const char *path, struct fl_err *err);
bool fl_netns_exists(const char *path);

/* The links in it. As fl_links_open. */
struct fl_links *fl_netns_links(int netns, struct fl_err *err);

/* Gone already is fine. */
int fl_netns_remove(const char *path, struct fl_err *err);
