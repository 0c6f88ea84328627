/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/dns/busy.h"

#include "common/cleanup.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define DNS 53
#define DHCP 67
#define DHCP6 547

union at {
	struct sockaddr any;
	struct sockaddr_in ip4;
	struct sockaddr_in6 ip6;
};

static socklen_t fill(const struct fl_cidr *address, bool any, uint16_t port, union at *at)
{
	memset(at, 0, sizeof(*at));
	if (address->family == AF_INET) {
		at->ip4.sin_family = AF_INET;
		at->ip4.sin_port = htons(port);
		memcpy(&at->ip4.sin_addr, address->byte, any ? 0 : 4);
		return sizeof(at->ip4);
	}
	at->ip6.sin6_family = AF_INET6;
	at->ip6.sin6_port = htons(port);
	memcpy(&at->ip6.sin6_addr, address->byte, any ? 0 : 16);
	return sizeof(at->ip6);
}

static int fail(const struct fl_bridge *bridge, int type, uint16_t port, struct fl_err *err)
{
	int why = errno;
	const char *protocol = type == SOCK_STREAM ? "tcp" : "udp";

	if (why != EADDRINUSE)
		return fl_err_errno(err, why, "port %u/%s on %s: cannot be had", port, protocol,
				    bridge->name);
	return fl_err_set(err, FL_ERR_BUSY, "port %u/%s on %s: another program listens there (\"ss -lnp "
			  "sport = :%u\" says which); end it, or keep it off this bridge (dnsmasq: "
			  "bind-dynamic with except-interface=%s)", port, protocol, bridge->name, port,
			  bridge->name);
}

static int check_names(const struct fl_bridge *bridge, int type, struct fl_err *err)
{
	fl_cleanup_close int fd = socket(bridge->address.family, type | SOCK_CLOEXEC, 0);
	bool again = type == SOCK_STREAM; /* what is closing is nobody's */
	union at at;
	socklen_t size = fill(&bridge->address, false, DNS, &at);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ again }, sizeof(int)) == 0 &&
	    bind(fd, &at.any, size) == 0 && (type != SOCK_STREAM || listen(fd, 1) == 0))
		return 0;
	return fail(bridge, type, DNS, err);
}

/* Servers on other bridges have the port as well: only one that shares it with nobody is in the
 * way. */
static int check_addresses(const struct fl_bridge *bridge, struct fl_err *err)
{
	uint16_t port = bridge->address.family == AF_INET ? DHCP : DHCP6;
	fl_cleanup_close int fd = socket(bridge->address.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	union at at;
	socklen_t size = fill(&bridge->address, true, port, &at);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, bridge->name,
		       (socklen_t)strlen(bridge->name) + 1) == 0 &&
	    bind(fd, &at.any, size) == 0)
		return 0;
	return fail(bridge, SOCK_DGRAM, port, err);
}

int fl_dns_check_free(const struct fl_bridge *bridge, bool addresses, struct fl_err *err)
{
	if (check_names(bridge, SOCK_DGRAM, err) < 0 || check_names(bridge, SOCK_STREAM, err) < 0)
		return -1;
	return addresses ? check_addresses(bridge, err) : 0;
}
