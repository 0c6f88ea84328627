/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/link.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/io.h"

#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_tun.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/act/mirred.h>
#include <netlink/route/addr.h>
#include <netlink/route/classifier.h>
#include <netlink/route/cls/u32.h>
#include <netlink/route/link.h>
#include <netlink/route/link/macvtap.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/qdisc.h>
#include <string.h>
#include <sys/ioctl.h>

#define INGRESS UINT32_C(0xffff0000) /* the handle of a link's ingress qdisc, "ffff:" */

struct fl_links {
	struct nl_sock *socket;
};

static int fail(int code, const char *name, const char *what, struct fl_err *err)
{
	enum fl_err_kind kind = code == -NLE_PERM        ? FL_ERR_DENIED
				: code == -NLE_EXIST     ? FL_ERR_EXISTS
				: code == -NLE_OBJ_NOTFOUND || code == -NLE_NODEV ? FL_ERR_NOT_FOUND
				: code == -NLE_BUSY      ? FL_ERR_BUSY
							 : FL_ERR_SYSTEM;

	return fl_err_set(err, kind, "%s: %s: %s%s", name, what, nl_geterror(code),
			  kind == FL_ERR_DENIED ? "; it takes CAP_NET_ADMIN, as root has it" : "");
}

struct fl_links *fl_links_open(struct fl_err *err)
{
	struct fl_links *links = fl_alloc_zero(1, sizeof(*links));
	int rc;

	links->socket = nl_socket_alloc();
	if (!links->socket)
		abort();
	rc = nl_connect(links->socket, NETLINK_ROUTE);
	if (rc == 0)
		return links;
	fail(rc, "netlink", "no connection", err);
	fl_links_close(links);
	return NULL;
}

void fl_links_close(struct fl_links *links)
{
	if (!links)
		return;
	nl_socket_free(links->socket);
	free(links);
}

/* The kernel calls taps and tuns "tun": only a tap carries Ethernet frames. */
static const char *kind_of(struct rtnl_link *link)
{
	const char *kind = rtnl_link_get_type(link);

	if (kind && strcmp(kind, "tun") == 0 && rtnl_link_get_arptype(link) == ARPHRD_ETHER)
		return "tap";
	return kind ? kind : "";
}

static void copy(struct rtnl_link *from, struct fl_link *to)
{
	const char *alias = rtnl_link_get_ifalias(from);
	struct nl_addr *mac = rtnl_link_get_addr(from);

	memset(to, 0, sizeof(*to));
	snprintf(to->name, sizeof(to->name), "%s", rtnl_link_get_name(from));
	snprintf(to->alias, sizeof(to->alias), "%s", alias ? alias : "");
	snprintf(to->kind, sizeof(to->kind), "%s", kind_of(from));
	to->index = rtnl_link_get_ifindex(from);
	to->master = rtnl_link_get_master(from);
	to->mtu = rtnl_link_get_mtu(from);
	to->in_use = rtnl_link_get_flags(from) & IFF_LOWER_UP;
	if (mac && nl_addr_get_len(mac) == sizeof(to->mac.byte))
		memcpy(to->mac.byte, nl_addr_get_binary_addr(mac), sizeof(to->mac.byte));
}

/* 1 and *found, 0, or -1. */
static int find(struct fl_links *links, const char *name, struct rtnl_link **found,
		struct fl_err *err)
{
	int rc = rtnl_link_get_kernel(links->socket, 0, name, found);

	if (rc == 0)
		return 1;
	if (rc == -NLE_OBJ_NOTFOUND || rc == -NLE_NODEV)
		return 0;
	return fail(rc, name, "cannot be looked up", err);
}

int fl_links_get(struct fl_links *links, const char *name, struct fl_link *link,
		 struct fl_err *err)
{
	struct rtnl_link *found;
	int rc = find(links, name, &found, err);

	if (rc != 1)
		return rc;
	copy(found, link);
	rtnl_link_put(found);
	return 1;
}

int fl_links_each(struct fl_links *links, int (*each)(void *arg, const struct fl_link *link),
		  void *arg, struct fl_err *err)
{
	struct nl_cache *cache;
	int rc = rtnl_link_alloc_cache(links->socket, AF_UNSPEC, &cache), stop = 0;

	if (rc < 0)
		return fail(rc, "links", "cannot be listed", err);
	for (struct nl_object *one = nl_cache_get_first(cache); one && !stop;
	     one = nl_cache_get_next(one)) {
		struct fl_link link;

		copy((struct rtnl_link *)one, &link);
		stop = each(arg, &link);
	}
	nl_cache_free(cache);
	return 0;
}

/* libnl has no word for a bridge's own settings; they must be there from the start. */
static int put_bridge(struct nl_msg *msg, const char *name, const struct fl_mac *mac)
{
	struct ifinfomsg head = { .ifi_family = AF_UNSPEC };
	struct nlattr *info, *data;

	if (nlmsg_append(msg, &head, sizeof(head), NLMSG_ALIGNTO) < 0 ||
	    nla_put_string(msg, IFLA_IFNAME, name) < 0 ||
	    nla_put(msg, IFLA_ADDRESS, sizeof(mac->byte), mac->byte) < 0)
		return -1;
	info = nla_nest_start(msg, IFLA_LINKINFO);
	if (!info || nla_put_string(msg, IFLA_INFO_KIND, "bridge") < 0)
		return -1;
	data = nla_nest_start(msg, IFLA_INFO_DATA);
	if (!data || nla_put_u32(msg, IFLA_BR_STP_STATE, 0) < 0 ||
	    nla_put_u32(msg, IFLA_BR_FORWARD_DELAY, 0) < 0)
		return -1;
	nla_nest_end(msg, data);
	nla_nest_end(msg, info);
	return 0;
}

int fl_links_make_bridge(struct fl_links *links, const char *name, const struct fl_mac *mac,
			 struct fl_err *err)
{
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	int rc;

	if (!msg || put_bridge(msg, name, mac) < 0)
		abort();
	rc = nl_send_sync(links->socket, msg); /* frees msg */
	return rc < 0 ? fail(rc, name, "the bridge cannot be made", err) : 0;
}

static const char *tun_advice(int why)
{
	if (why == ENOENT || why == ENODEV)
		return "; load the module with \"modprobe tun\"";
	if (why == EACCES || why == EPERM)
		return "; be root, or let root say \"chmod 0666 /dev/net/tun\", as udev does";
	return "";
}

int fl_links_make_tap(const char *name, struct fl_err *err)
{
	fl_cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (fd < 0)
		return fl_err_errno(err, errno, "/dev/net/tun: cannot be opened%s",
				    tun_advice(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) < 0)
		return fl_err_errno(err, errno, "%s: the tap cannot be made", name);
	if (ioctl(fd, TUNSETPERSIST, 1) < 0)
		return fl_err_errno(err, errno, "%s: the tap cannot be kept", name);
	return 0;
}

static int check_parent(struct rtnl_link *parent, const char *name, struct fl_err *err)
{
	if (!(rtnl_link_get_flags(parent) & IFF_UP))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: the parent of a macvtap is down; "
				  "\"ip link set %s up\" sets it up", name, name);
	if (rtnl_link_get_master(parent))
		return fl_err_set(err, FL_ERR_BUSY, "%s: is a port of a bridge or bond, and cannot "
				  "be the parent of a macvtap; name the bridge, or use taps on it",
				  name);
	return 0;
}

static struct rtnl_link *macvtap_on(struct rtnl_link *parent, const char *name, const char *mode,
				    const struct fl_mac *mac)
{
	struct rtnl_link *link = rtnl_link_macvtap_alloc();
	struct nl_addr *address = nl_addr_build(AF_LLC, mac->byte, sizeof(mac->byte));

	if (!link || !address)
		abort();
	rtnl_link_set_name(link, name);
	rtnl_link_set_link(link, rtnl_link_get_ifindex(parent));
	rtnl_link_set_addr(link, address);
	rtnl_link_set_mtu(link, rtnl_link_get_mtu(parent));
	rtnl_link_set_txqlen(link, rtnl_link_get_txqlen(parent));
	rtnl_link_macvtap_set_mode(link, (uint32_t)rtnl_link_macvtap_str2mode(mode));
	nl_addr_put(address);
	return link;
}

int fl_links_make_macvtap(struct fl_links *links, const char *name, const char *parent,
			  const char *mode, const struct fl_mac *mac, struct fl_err *err)
{
	struct rtnl_link *found, *wanted;
	int rc = find(links, parent, &found, err);

	if (rc != 1)
		return rc < 0 ? -1 : fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no such link to "
						"be the parent of a macvtap; see \"ip link\"", parent);
	rc = check_parent(found, parent, err);
	if (rc == 0) {
		wanted = macvtap_on(found, name, mode, mac);
		rc = rtnl_link_add(links->socket, wanted, NLM_F_CREATE | NLM_F_EXCL);
		rtnl_link_put(wanted);
		rc = rc < 0 ? fail(rc, name, "the macvtap cannot be made", err) : 0;
	}
	rtnl_link_put(found);
	return rc;
}

int fl_links_make_veth(struct fl_links *links, const char *name, const char *peer, int netns,
		       struct fl_err *err)
{
	struct rtnl_link *wanted = rtnl_link_veth_alloc(), *other;
	int rc;

	if (!wanted)
		abort();
	other = rtnl_link_veth_get_peer(wanted);
	rtnl_link_set_name(wanted, name);
	rtnl_link_set_name(other, peer);
	rtnl_link_set_ns_fd(other, netns);
	rc = rtnl_link_add(links->socket, wanted, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_link_put(other);
	rtnl_link_put(wanted);
	return rc < 0 ? fail(rc, name, "the pair of links cannot be made", err) : 0;
}

static struct rtnl_qdisc *ingress_of(int index)
{
	struct rtnl_qdisc *qdisc = rtnl_qdisc_alloc();

	if (!qdisc)
		abort();
	rtnl_tc_set_ifindex(TC_CAST(qdisc), index);
	rtnl_tc_set_parent(TC_CAST(qdisc), TC_H_INGRESS);
	rtnl_tc_set_handle(TC_CAST(qdisc), INGRESS);
	rtnl_tc_set_kind(TC_CAST(qdisc), "ingress");
	return qdisc;
}

/* A fresh one, without filters. */
static int add_ingress(struct fl_links *links, int index)
{
	struct rtnl_qdisc *qdisc = ingress_of(index);
	int rc;

	rtnl_qdisc_delete(links->socket, qdisc);
	rc = rtnl_qdisc_add(links->socket, qdisc, NLM_F_CREATE | NLM_F_EXCL);
	rtnl_qdisc_put(qdisc);
	return rc;
}

/* A key of no bits is any frame's; not every kernel has matchall. */
static int add_filter(struct fl_links *links, int from, int to)
{
	struct rtnl_cls *filter = rtnl_cls_alloc();
	struct rtnl_act *action = rtnl_act_alloc();
	int rc;

	if (!filter || !action)
		abort();
	rtnl_tc_set_kind(TC_CAST(action), "mirred");
	rtnl_mirred_set_action(action, TCA_EGRESS_REDIR);
	rtnl_mirred_set_policy(action, TC_ACT_STOLEN);
	rtnl_mirred_set_ifindex(action, (uint32_t)to);
	rtnl_tc_set_ifindex(TC_CAST(filter), from);
	rtnl_tc_set_parent(TC_CAST(filter), INGRESS);
	rtnl_tc_set_kind(TC_CAST(filter), "u32");
	rtnl_cls_set_prio(filter, 1);
	rtnl_cls_set_protocol(filter, ETH_P_ALL);
	rtnl_u32_add_key_uint32(filter, 0, 0, 0, 0);
	rtnl_u32_set_cls_terminal(filter);
	rtnl_u32_add_action(filter, action);
	rc = rtnl_cls_add(links->socket, filter, NLM_F_CREATE);
	rtnl_act_put(action);
	rtnl_cls_put(filter);
	return rc;
}

static bool leads_to(struct rtnl_cls *filter, int to)
{
	struct rtnl_act *action = NULL;

	if (fl_str_equal(rtnl_tc_get_kind(TC_CAST(filter)), "u32"))
		action = rtnl_u32_get_action(filter);
	return action && fl_str_equal(rtnl_tc_get_kind(TC_CAST(action)), "mirred") &&
	       rtnl_mirred_get_ifindex(action) == (uint32_t)to &&
	       rtnl_mirred_get_action(action) == TCA_EGRESS_REDIR;
}

static bool is_redirected(struct fl_links *links, int from, int to)
{
	struct nl_cache *cache;
	bool found = false;

	if (rtnl_cls_alloc_cache(links->socket, from, INGRESS, &cache) < 0)
		return false;
	for (struct nl_object *one = nl_cache_get_first(cache); one && !found;
	     one = nl_cache_get_next(one))
		found = leads_to((struct rtnl_cls *)one, to);
	nl_cache_free(cache);
	return found;
}

int fl_links_redirect(struct fl_links *links, const char *from, const char *to, struct fl_err *err)
{
	struct fl_link ends[2] = { { .index = 0 }, { .index = 0 } };
	int found = fl_links_get(links, from, &ends[0], err);
	int rc;

	if (found > 0)
		found = fl_links_get(links, to, &ends[1], err);
	if (found <= 0)
		return found < 0 ? -1 : fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no such link",
						   ends[0].index ? to : from);
	/* A guest at work would lose what comes between. */
	if (is_redirected(links, ends[0].index, ends[1].index))
		return 0;
	rc = add_ingress(links, ends[0].index);
	if (rc == 0)
		rc = add_filter(links, ends[0].index, ends[1].index);
	return rc < 0 ? fail(rc, from, "cannot be redirected; it takes the kernel's sch_ingress, "
			     "cls_u32 and act_mirred", err)
		      : 0;
}

int fl_links_let_go(struct fl_links *links, const char *from, struct fl_err *err)
{
	struct rtnl_qdisc *qdisc;
	struct fl_link link;
	int rc = fl_links_get(links, from, &link, err);

	if (rc != 1)
		return rc;
	qdisc = ingress_of(link.index);
	rc = rtnl_qdisc_delete(links->socket, qdisc);
	rtnl_qdisc_put(qdisc);
	/* Where there is none the kernel finds the handle wrong, or nothing at all. */
	if (rc < 0 && rc != -NLE_OBJ_NOTFOUND && rc != -NLE_INVAL)
		return fail(rc, from, "is redirected, and cannot be let go", err);
	return 0;
}

int fl_links_refuse_ip6(const char *name, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_asprintf("/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);

	if (access(path, F_OK) < 0 && errno == ENOENT)
		return 0;
	return fl_io_write_existing(AT_FDCWD, path, "1", err);
}

int fl_links_change(struct fl_links *links, const char *name, const struct fl_link_change *change,
		    struct fl_err *err)
{
	struct rtnl_link *found, *wanted = rtnl_link_alloc();
	int rc = find(links, name, &found, err);

	if (rc != 1) {
		rtnl_link_put(wanted);
		return rc < 0 ? -1 : fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no such link",
						name);
	}
	if (change->alias)
		rtnl_link_set_ifalias(wanted, change->alias);
	if (change->master >= 0)
		rtnl_link_set_master(wanted, change->master);
	if (change->mtu)
		rtnl_link_set_mtu(wanted, change->mtu);
	if (change->up)
		rtnl_link_set_flags(wanted, IFF_UP);
	rc = rtnl_link_change(links->socket, found, wanted, 0);
	rtnl_link_put(wanted);
	rtnl_link_put(found);
	return rc < 0 ? fail(rc, name, "cannot be set up", err) : 0;
}

int fl_links_add_address(struct fl_links *links, const char *name, const struct fl_cidr *address,
			 struct fl_err *err)
{
	struct rtnl_addr *wanted = rtnl_addr_alloc();
	struct nl_addr *local = nl_addr_build(address->family, address->byte,
					      address->family == AF_INET ? 4 : 16);
	struct fl_link link;
	int rc = fl_links_get(links, name, &link, err);

	if (rc == 1) {
		nl_addr_set_prefixlen(local, (int)address->prefix);
		rtnl_addr_set_ifindex(wanted, link.index);
		rtnl_addr_set_local(wanted, local);
		/* Nobody else has it: no waiting for duplicates. */
		rtnl_addr_set_flags(wanted, address->family == AF_INET6 ? IFA_F_NODAD : 0);
		rc = rtnl_addr_add(links->socket, wanted, 0);
		rc = rc < 0 && rc != -NLE_EXIST ? fail(rc, name, "the address cannot be set", err)
						: 0;
	} else if (rc == 0) {
		rc = fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no such link", name);
	}
	nl_addr_put(local);
	rtnl_addr_put(wanted);
	return rc;
}

int fl_links_remove(struct fl_links *links, const char *name, struct fl_err *err)
{
	struct rtnl_link *found;
	int rc = find(links, name, &found, err);

	if (rc != 1)
		return rc;
	rc = rtnl_link_delete(links->socket, found);
	rtnl_link_put(found);
	if (rc < 0 && rc != -NLE_OBJ_NOTFOUND && rc != -NLE_NODEV)
		return fail(rc, name, "cannot be removed", err);
	return 0;
}
