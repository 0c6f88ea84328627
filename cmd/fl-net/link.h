/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Network links of this network namespace: taps, macvtaps and bridges. The owner of libnl-3.
 *
 *     struct fl_links *links = fl_links_open(err);
 *     struct fl_link link;
 *     if (fl_links_get(links, "fltapabc", &link, err) == 1) ...     // 0: there is none
 *     fl_links_close(links);
 */
#pragma once

#include "common/inet.h"

#define FL_LINK_NAME 16
#define FL_LINK_ALIAS 128

struct fl_links;

struct fl_link {
	char name[FL_LINK_NAME];
	char alias[FL_LINK_ALIAS]; /* "" without */
	char kind[16];             /* "tap", "macvtap", "bridge" …; "" unknown */
	int index, master;         /* master 0: none */
	bool in_use;               /* a program has it open, or a cable is in */
	unsigned mtu;
	struct fl_mac mac;
};

struct fl_links *fl_links_open(struct fl_err *err);
void fl_links_close(struct fl_links *links); /* NULL is fine */

/* 1: found; 0: there is none of that name; -1: error. */
int fl_links_get(struct fl_links *links, const char *name, struct fl_link *link,
		 struct fl_err *err);

/* Calls each for every link; stops at the first that returns not 0. */
int fl_links_each(struct fl_links *links, int (*each)(void *arg, const struct fl_link *link),
		  void *arg, struct fl_err *err);

/* Without waiting before ports forward, without spanning tree. A bridge of that name is
 * FL_ERR_EXISTS. */
int fl_links_make_bridge(struct fl_links *links, const char *name, const struct fl_mac *mac,
			 struct fl_err *err);

/* A persistent tap, which the kernel makes through /dev/net/tun. */
int fl_links_make_tap(const char *name, struct fl_err *err);

/* A macvtap on the link of that name (drivers/net/macvlan.c), with its MTU and queue length;
 * mode: "bridge", "private", "vepa" or "passthru". FL_ERR_NOT_FOUND, FL_ERR_PRECONDITION (it is
 * down) or FL_ERR_BUSY (a port of a bridge) tell what is wrong with the parent. */
int fl_links_make_macvtap(struct fl_links *links, const char *name, const char *parent,
			  const char *mode, const struct fl_mac *mac, struct fl_err *err);

/* A pair of links, the other end of which is in another network namespace. */
int fl_links_make_veth(struct fl_links *links, const char *name, const char *peer, int netns,
		       struct fl_err *err);

/* All that comes in from one link leaves by the other, and nothing of it is seen by this network
 * namespace (tc-mirred(8)). When the other goes, it is lost. Done again it is left as it is. */
int fl_links_redirect(struct fl_links *links, const char *from, const char *to, struct fl_err *err);

/* Ends that; nothing is fine. */
int fl_links_let_go(struct fl_links *links, const char *from, struct fl_err *err);

/* The kernel here speaks no IPv6 on the link, and listens to none. A kernel without any is fine. */
int fl_links_refuse_ip6(const char *name, struct fl_err *err);

/* What is to be so afterwards: NULL, 0 or -1 leave a thing alone. */
struct fl_link_change {
	const char *alias;
	int master; /* index; -1: as it is */
	unsigned mtu;
	bool up;
};

int fl_links_change(struct fl_links *links, const char *name, const struct fl_link_change *change,
		    struct fl_err *err);
int fl_links_add_address(struct fl_links *links, const char *name, const struct fl_cidr *address,
			 struct fl_err *err);

/* Gone already is fine. */
int fl_links_remove(struct fl_links *links, const char *name, struct fl_err *err);
