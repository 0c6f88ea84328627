/* SPDX-License-Identifier: MPL-2.0 */
#include "common/inet.h"

#include "common/num.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int fl_inet_parse_mac(const char *text, struct fl_mac *mac, struct fl_err *err)
{
	static const struct fl_mac none = { { 0 } };
	unsigned b[6];
	int end = 0;

	/* sscanf would take a sign or a space for a digit. */
	if (strlen(text) != 17 || strspn(text, "0123456789abcdefABCDEF:") != 17 ||
	    sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		   &end) != 6 || end != 17)
		return fl_err_set(err, FL_ERR_INVALID,
				  "\"%s\" is not a MAC address such as 02:00:00:00:00:01", text);
	for (int i = 0; i < 6; i++)
		mac->byte[i] = b[i];
	if (mac->byte[0] & 1)
		return fl_err_set(err, FL_ERR_INVALID,
				  "%s is a multicast address; a device needs a unicast one "
				  "(even first byte)", text);
	if (memcmp(mac->byte, none.byte, sizeof(none.byte)) == 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s is no device's address; give one such as "
				  "02:00:00:00:00:01, or leave it out to get one", text);
	return 0;
}

void fl_inet_print_mac(const struct fl_mac *mac, char text[static FL_MAC_TEXT])
{
	const uint8_t *b = mac->byte;

	snprintf(text, FL_MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4],
		 b[5]);
}

static unsigned bits_of(int family)
{
	return family == AF_INET ? 32 : 128;
}

int fl_inet_parse_cidr(const char *text, struct fl_cidr *cidr, struct fl_err *err)
{
	char address[64];
	const char *slash = strchrnul(text, '/');
	uint64_t prefix;

	memset(cidr, 0, sizeof(*cidr));
	if ((size_t)(slash - text) >= sizeof(address))
		return fl_err_set(err, FL_ERR_INVALID, "\"%.60s\" is not an address", text);
	snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
	cidr->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(cidr->family, address, cidr->byte) != 1)
		return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not an address", text);
	cidr->prefix = bits_of(cidr->family);
	if (!*slash)
		return 0;
	if (fl_num_u64(slash + 1, 0, cidr->prefix, &prefix, NULL) < 0)
		return fl_err_set(err, FL_ERR_INVALID,
				  "\"%s\" is not an address with a prefix such as 10.0.0.2/24", text);
	cidr->prefix = prefix;
	return 0;
}

void fl_inet_print_address(const struct fl_cidr *cidr, char text[static FL_CIDR_TEXT])
{
	inet_ntop(cidr->family, cidr->byte, text, FL_CIDR_TEXT);
}

void fl_inet_print_cidr(const struct fl_cidr *cidr, char text[static FL_CIDR_TEXT])
{
	size_t len;

	fl_inet_print_address(cidr, text);
	len = strlen(text);
	snprintf(text + len, FL_CIDR_TEXT - len, "/%u", cidr->prefix);
}

static uint8_t mask_byte(unsigned prefix, unsigned i)
{
	if (prefix >= 8 * (i + 1))
		return 0xff;
	return prefix <= 8 * i ? 0 : (uint8_t)(0xff << (8 - (prefix - 8 * i)));
}

bool fl_inet_contains(const struct fl_cidr *net, const struct fl_cidr *address)
{
	if (net->family != address->family)
		return false;
	for (unsigned i = 0; i < bits_of(net->family) / 8; i++)
		if ((net->byte[i] ^ address->byte[i]) & mask_byte(net->prefix, i))
			return false;
	return true;
}

bool fl_inet_overlap(const struct fl_cidr *a, const struct fl_cidr *b)
{
	return fl_inet_contains(a, b) || fl_inet_contains(b, a);
}

bool fl_inet_nth(const struct fl_cidr *net, uint32_t nth, struct fl_cidr *address)
{
	unsigned size = bits_of(net->family) / 8;
	unsigned carry = 0;

	*address = *net;
	for (unsigned i = 0; i < size; i++)
		address->byte[i] &= mask_byte(net->prefix, i);
	for (unsigned i = 0; i < size; i++) {
		unsigned sum = address->byte[size - 1 - i] + carry +
			       (i < 4 ? (nth >> (8 * i)) & 0xff : 0);
		address->byte[size - 1 - i] = sum;
		carry = sum >> 8;
	}
	return !carry && fl_inet_contains(net, address);
}

bool fl_inet_equal(const struct fl_cidr *a, const struct fl_cidr *b)
{
	return a->family == b->family && memcmp(a->byte, b->byte, bits_of(a->family) / 8) == 0;
}

bool fl_inet_gives(const struct fl_cidr *net, const struct fl_cidr *address)
{
	struct fl_cidr base, next = *address;

	fl_inet_nth(net, 0, &base);
	if (!fl_inet_contains(net, address) || fl_inet_equal(&base, address))
		return false;
	if (address->family == AF_INET6)
		return true;
	/* The last of an IPv4 net, behind which it ends, is for all of it. */
	for (int i = 3; i >= 0 && ++next.byte[i] == 0; i--)
		;
	return fl_inet_contains(net, &next);
}

/* Neither "this host", loopback nor multicast. */
static bool is_unicast(const struct fl_cidr *address)
{
	const uint8_t *b = address->byte;

	if (address->family == AF_INET)
		return b[0] != 0 && b[0] != 127 && b[0] < 224;
	return b[0] != 0 && b[0] != 0xff;
}

static bool is_link_local(const struct fl_cidr *address)
{
	const uint8_t *b = address->byte;

	return address->family == AF_INET6 && b[0] == 0xfe && (b[1] & 0xc0) == 0x80;
}

bool fl_inet_is_host(const struct fl_cidr *address)
{
	/* A net of two has no addresses of its own (RFC 3021, RFC 6164). */
	return is_unicast(address) && (address->prefix + 1 >= bits_of(address->family) ||
				       fl_inet_gives(address, address));
}

int fl_inet_parse_bridge(const char *text, struct fl_cidr *address, struct fl_err *err)
{
	unsigned most;

	if (fl_inet_parse_cidr(text, address, err) < 0)
		return -1;
	most = address->family == AF_INET ? 30 : 126;
	if (address->prefix >= 8 && address->prefix <= most && is_unicast(address) &&
	    !is_link_local(address) && fl_inet_gives(address, address))
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, "%s: give the bridge's own address in a net with "
			  "room for guests, such as 10.77.0.1/24", text);
}

void fl_inet_free_links(struct ifaddrs **list)
{
	if (*list)
		freeifaddrs(*list);
}

bool fl_inet_of_link(const struct sockaddr *address, const struct sockaddr *mask,
		     struct fl_cidr *cidr)
{
	const void *from, *bits = NULL;
	size_t size;

	if (!address || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
		return false;
	*cidr = (struct fl_cidr){ .family = address->sa_family };
	size = cidr->family == AF_INET ? 4 : 16;
	from = cidr->family == AF_INET ? (const void *)&((const struct sockaddr_in *)address)->sin_addr
				       : &((const struct sockaddr_in6 *)address)->sin6_addr;
	memcpy(cidr->byte, from, size);
	if (mask)
		bits = cidr->family == AF_INET
			       ? (const void *)&((const struct sockaddr_in *)mask)->sin_addr
			       : &((const struct sockaddr_in6 *)mask)->sin6_addr;
	for (size_t i = 0; bits && i < size; i++)
		cidr->prefix += (unsigned)__builtin_popcount(((const unsigned char *)bits)[i]);
	return true;
}
