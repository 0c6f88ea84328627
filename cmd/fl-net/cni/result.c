/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/result.h"

#include "cmd/fl-net/cni/plugin.h"
#include "common/inet.h"

#include <string.h>
#include <sys/socket.h>

#define MOST 64 /* addresses, routes, servers */

/* Working through a result: the addresses that it names as gateways, by family. */
struct reader {
	const fl_json *result;
	fl_json *made;
	char gateways[2][FL_CIDR_TEXT]; /* of IPv4 and of IPv6; "": none */
	int family;                     /* of the first address */
};

static int number_of(int family)
{
	return family == AF_INET6;
}

/* The members of a list that may be missing: 0, or -1 when it is something else. */
static int list_of(const fl_json *from, const char *key, const fl_json **list, struct fl_err *err)
{
	*list = fl_json_get(from, key);
	if (!*list || fl_json_is_null(*list)) {
		*list = NULL;
		return 0;
	}
	if (!fl_json_is_array(*list) || fl_json_count(*list) > MOST)
		return fl_err_set(err, FL_ERR_INVALID, "%s is not a list of at most %d", key, MOST);
	return 0;
}

/* Text that is an address, without a prefix unless wants_prefix; as the kernel prints it. */
static int read_address(const fl_json *value, const char *what, bool wants_prefix,
			struct fl_cidr *address, char text[static FL_CIDR_TEXT], struct fl_err *err)
{
	const char *said = fl_json_text(value);

	if (!said || !strchr(said, '/') == wants_prefix || fl_inet_parse_cidr(said, address, NULL) < 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s \"%.60s\" is not an address%s", what,
				  said ? said : "", wants_prefix ? " with a prefix length" : "");
	if (wants_prefix)
		fl_inet_print_cidr(address, text);
	else
		fl_inet_print_address(address, text);
	return 0;
}

/* Whether an address belongs to the guest's interface: the index may be missing. */
static bool is_guests(const struct reader *reader, const fl_json *ip)
{
	const fl_json *interfaces = fl_json_get(reader->result, "interfaces");
	const fl_json *index = fl_json_get(ip, "interface"), *one;
	int64_t at = fl_json_int(index);

	if (!fl_json_is_int(index))
		return true;
	one = at >= 0 && (uint64_t)at < fl_json_count(interfaces) ? fl_json_item(interfaces, (size_t)at)
								  : NULL;
	return fl_str_equal(fl_json_text(fl_json_get(one, "name")), FL_CNI_INTERFACE) &&
	       fl_json_text(fl_json_get(one, "sandbox"));
}

static void add_to(fl_json *made, const char *key, fl_json *value)
{
	if (!fl_json_get(made, key))
		fl_json_set(made, key, fl_json_new_array());
	fl_json_add(fl_json_get(made, key), value);
}

static int read_ip(struct reader *reader, const fl_json *ip, struct fl_err *err)
{
	const fl_json *gateway = fl_json_get(ip, "gateway");
	struct fl_cidr address = { 0 }, via = { 0 };
	char text[FL_CIDR_TEXT], via_text[FL_CIDR_TEXT] = "";
	char *known;

	if (read_address(fl_json_get(ip, "address"), "ips: address", true, &address, text, err) < 0 ||
	    (fl_json_text(gateway) && *fl_json_text(gateway) &&
	     read_address(gateway, "ips: gateway", false, &via, via_text, err) < 0))
		return -1;
	if (!is_guests(reader, ip))
		return 0;
	if (fl_json_get(reader->made, "address")) {
		add_to(reader->made, "addresses", fl_json_new_text(text));
	} else {
		fl_json_set(reader->made, "address", fl_json_new_text(text));
		reader->family = address.family;
	}
	known = reader->gateways[number_of(address.family)];
	if (!*known && *via_text && via.family == address.family)
		memcpy(known, via_text, FL_CIDR_TEXT);
	return 0;
}

static void put_route(struct reader *reader, const struct fl_cidr *net, const char *to,
		      const char *via)
{
	static const struct fl_cidr none = { 0 };
	bool is_default = net->prefix == 0 && memcmp(net->byte, none.byte, sizeof(none.byte)) == 0;
	fl_json *route;

	if (is_default && net->family == reader->family && !fl_json_get(reader->made, "gateway")) {
		fl_json_set(reader->made, "gateway", fl_json_new_text(via));
		return;
	}
	route = fl_json_new_object();
	fl_json_set(route, "to", fl_json_new_text(to));
	fl_json_set(route, "via", fl_json_new_text(via));
	add_to(reader->made, "routes", route);
}

static int read_route(struct reader *reader, const fl_json *route, struct fl_err *err)
{
	const fl_json *gateway = fl_json_get(route, "gw");
	struct fl_cidr net = { 0 }, via = { 0 };
	char to[FL_CIDR_TEXT], text[FL_CIDR_TEXT] = "";

	if (read_address(fl_json_get(route, "dst"), "routes: dst", true, &net, to, err) < 0 ||
	    (fl_json_text(gateway) && *fl_json_text(gateway) &&
	     read_address(gateway, "routes: gw", false, &via, text, err) < 0))
		return -1;
	if (*text && via.family != net.family)
		return fl_err_set(err, FL_ERR_INVALID, "routes: gw %s is of another family than %s", text,
				  to);
	if (!*text)
		memcpy(text, reader->gateways[number_of(net.family)], sizeof(text));
	/* What is on the link itself, the guest knows by its address. */
	if (*text)
		put_route(reader, &net, to, text);
	return 0;
}

static int read_servers(struct reader *reader, const fl_json *dns, struct fl_err *err)
{
	const fl_json *servers;
	struct fl_cidr address = { 0 };
	char text[FL_CIDR_TEXT];

	if (list_of(dns, "nameservers", &servers, err) < 0)
		return -1;
	for (size_t i = 0; i < fl_json_count(servers); i++) {
		if (read_address(fl_json_item(servers, i), "dns: nameserver", false, &address, text,
				 err) < 0)
			return -1;
		add_to(reader->made, "nameservers", fl_json_new_text(text));
	}
	return 0;
}

/* A name of DNS, as far as it matters to those who write it into a file. */
static bool is_domain(const char *text)
{
	size_t len = text ? strlen(text) : 0;

	return len && len < 254 &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_") == len;
}

static int read_search(struct reader *reader, const fl_json *dns, struct fl_err *err)
{
	const char *domain = fl_json_text(fl_json_get(dns, "domain"));
	const fl_json *search;

	if (list_of(dns, "search", &search, err) < 0)
		return -1;
	for (size_t i = 0; i < fl_json_count(search); i++) {
		const char *one = fl_json_text(fl_json_item(search, i));

		if (!is_domain(one))
			return fl_err_set(err, FL_ERR_INVALID, "dns: search \"%.60s\" is not a domain",
					  one ? one : "");
		add_to(reader->made, "search", fl_json_new_text(one));
	}
	if (!fl_json_count(search) && is_domain(domain))
		add_to(reader->made, "search", fl_json_new_text(domain));
	return 0;
}

static int read_all(struct reader *reader, struct fl_err *err)
{
	const fl_json *dns = fl_json_get(reader->result, "dns"), *ips, *routes;

	if (!fl_json_is_object(reader->result))
		return fl_err_set(err, FL_ERR_INVALID, "it is not an object");
	if (list_of(reader->result, "ips", &ips, err) < 0 ||
	    list_of(reader->result, "routes", &routes, err) < 0)
		return -1;
	for (size_t i = 0; i < fl_json_count(ips); i++)
		if (read_ip(reader, fl_json_item(ips, i), err) < 0)
			return -1;
	for (size_t i = 0; i < fl_json_count(routes); i++)
		if (read_route(reader, fl_json_item(routes, i), err) < 0)
			return -1;
	return read_servers(reader, dns, err) < 0 ? -1 : read_search(reader, dns, err);
}

fl_json *fl_cni_result_read(const fl_json *result, struct fl_err *err)
{
	struct reader reader = { .result = result, .made = fl_json_new_object() };

	if (read_all(&reader, err) == 0)
		return reader.made;
	fl_err_prefix(err, "the plugins' answer");
	fl_json_unref(reader.made);
	return NULL;
}
