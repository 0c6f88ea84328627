/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/route.h"

#include "common/alloc.h"
#include "common/io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct route {
	char link[IF_NAMESIZE];
	unsigned metric;
};

/* A line of /proc/net/route (proc(5)): a default route has no destination and no mask. */
static bool is_default_v4(const char *line, struct route *route)
{
	unsigned destination, flags, mask;

	return sscanf(line, "%15s %x %*x %x %*d %*d %u %x", route->link, &destination, &flags,
		      &route->metric, &mask) == 5 &&
	       !destination && !mask && (flags & RTF_UP);
}

/* A line of /proc/net/ipv6_route: destination and its bits, source and bits, gateway, metric,
 * two counts, flags, link. The kernel's own one for what has no route is on lo. */
static bool is_default_v6(const char *line, struct route *route)
{
	unsigned bits, flags;

	return sscanf(line, "%*32[0] %x %*s %*x %*s %x %*x %*x %x %15s", &bits, &route->metric, &flags,
		      route->link) == 4 &&
	       !bits && (flags & RTF_UP) && strcmp(route->link, "lo") != 0;
}

static char *find_default(const char *path, bool (*is_default)(const char *, struct route *))
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct route best = { "", UINT32_MAX }, route;

	if (fl_io_read_file(AT_FDCWD, path, 1 << 20, &text, NULL) < 0 || !text.len)
		return NULL;
	for (const char *line = text.data; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (is_default(line, &route) && route.metric < best.metric)
			best = route;
	}
	return *best.link ? fl_strdup(best.link) : NULL;
}

char *fl_route_interface(void)
{
	char *link = find_default("/proc/net/route", is_default_v4);

	return link ? link : find_default("/proc/net/ipv6_route", is_default_v6);
}

/* By its driver: /sys may be another namespace's. */
bool fl_route_is_bridge(const char *link)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq request = { .ifr_data = (char *)&info };
	fl_cleanup_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", link);
	return fd >= 0 && ioctl(fd, SIOCETHTOOL, &request) == 0 &&
	       strcmp(info.driver, "bridge") == 0;
}

/* Neither loopback nor of one link only. */
static bool is_ordinary(const struct fl_cidr *cidr)
{
	if (cidr->family == AF_INET)
		return cidr->byte[0] != 127 && !(cidr->byte[0] == 169 && cidr->byte[1] == 254);
	return cidr->byte[0] && !(cidr->byte[0] == 0xfe && (cidr->byte[1] & 0xc0) == 0x80);
}

char *fl_route_address(const char *link)
{
	fl_cleanup_links struct ifaddrs *list = NULL;
	char text[FL_CIDR_TEXT], found[FL_CIDR_TEXT] = "";
	struct fl_cidr cidr;

	if (getifaddrs(&list) < 0)
		return NULL;
	for (struct ifaddrs *one = list; one; one = one->ifa_next) {
		if (strcmp(one->ifa_name, link) != 0 || !fl_inet_of_link(one->ifa_addr, NULL, &cidr) ||
		    !is_ordinary(&cidr) || (*found && cidr.family != AF_INET))
			continue;
		fl_inet_print_address(&cidr, text);
		memcpy(found, text, sizeof(found));
		if (cidr.family == AF_INET)
			break;
	}
	return *found ? fl_strdup(found) : NULL;
}

bool fl_route_may_listen(const char *address)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	bool is_v6 = inet_pton(AF_INET6, address, &v6.sin6_addr) == 1;
	fl_cleanup_close int fd = -1;

	if (!is_v6 && inet_pton(AF_INET, address, &v4.sin_addr) != 1)
		return true;
	fd = socket(is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return fd < 0 || bind(fd, is_v6 ? (struct sockaddr *)&v6 : (struct sockaddr *)&v4,
			      is_v6 ? sizeof(v6) : sizeof(v4)) == 0 || errno != EADDRNOTAVAIL;
}

void fl_route_addresses(struct fl_str *list)
{
	fl_cleanup_links struct ifaddrs *addresses = NULL;
	char text[FL_CIDR_TEXT];
	struct fl_cidr cidr;

	if (getifaddrs(&addresses) < 0)
		return;
	for (struct ifaddrs *one = addresses; one; one = one->ifa_next) {
		if (!fl_inet_of_link(one->ifa_addr, NULL, &cidr) || !is_ordinary(&cidr))
			continue;
		fl_inet_print_address(&cidr, text);
		fl_str_addf(list, "%s%s", list->len ? "," : "", text);
	}
}

char *fl_route_overlap(const struct fl_cidr *net, const char *but)
{
	fl_cleanup_links struct ifaddrs *list = NULL;
	struct fl_cidr cidr;

	if (getifaddrs(&list) < 0)
		return NULL;
	for (struct ifaddrs *one = list; one; one = one->ifa_next)
		if (strcmp(one->ifa_name, but) != 0 &&
		    fl_inet_of_link(one->ifa_addr, one->ifa_netmask, &cidr) && is_ordinary(&cidr) &&
		    fl_inet_overlap(net, &cidr))
			return fl_strdup(one->ifa_name);
	return NULL;
}
