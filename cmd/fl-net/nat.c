/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/nat.h"

#include "cmd/fl-net/rules.h"
#include "common/alloc.h"
#include "common/io.h"

#include <arpa/inet.h>
#include <fcntl.h>

#define NAME "published ports"
#define GUARD "ip" /* the family of the table that guards 127.0.0.1; NAT's of the same name is inet */

/* Table names hold letters, digits and "_"; a bridge's may hold more. */
static void table_name(const char *bridge, struct fl_str *out)
{
	fl_str_add(out, "flintlock_");
	for (; *bridge; bridge++)
		if ((*bridge >= '0' && *bridge <= '9') || (*bridge >= 'a' && *bridge <= 'z') ||
		    (*bridge >= 'A' && *bridge <= 'Z'))
			fl_str_add_bytes(out, bridge, 1);
		else
			fl_str_addf(out, "_%02x", (unsigned char)*bridge);
}

int fl_nat_add(const char *bridge, const struct fl_cidr *net, struct fl_err *err)
{
	fl_cleanup_str struct fl_str rules = FL_STR_INIT, table = FL_STR_INIT;
	const char *family = net->family == AF_INET ? "ip" : "ip6";
	struct fl_cidr base;
	char text[FL_CIDR_TEXT];

	table_name(bridge, &table);
	fl_inet_nth(net, 0, &base);
	fl_inet_print_cidr(&base, text);
	fl_rules_add_none(&rules, "inet", table.data);
	fl_str_addf(&rules,
		    "table inet %s {\n"
		    " chain forward { type filter hook forward priority filter; policy accept;\n"
		    "  iifname \"%s\" accept; oifname \"%s\" accept; }\n"
		    " chain postrouting {\n"
		    "  type nat hook postrouting priority srcnat; policy accept;\n"
		    "  %s saddr %s oifname != \"%s\" masquerade; }\n}\n",
		    table.data, bridge, bridge, family, text, bridge);
	return fl_rules_run(bridge, rules.data, err);
}

int fl_nat_is_there(const char *bridge, int family, struct fl_err *err)
{
	fl_cleanup_str struct fl_str table = FL_STR_INIT;
	int forwards = fl_nat_forwarding(family, false, false, err);

	if (forwards <= 0)
		return forwards;
	table_name(bridge, &table);
	/* The last rule: a table that was flushed is there, and empty. */
	return fl_rules_are_there(bridge, "inet", table.data, "masquerade", err);
}

int fl_nat_remove(const char *bridge, struct fl_err *err)
{
	fl_cleanup_str struct fl_str table = FL_STR_INIT;

	table_name(bridge, &table);
	return fl_rules_remove(bridge, "inet", table.data, err);
}

static char *localnet_of(const char *bridge)
{
	return fl_asprintf("/proc/sys/net/ipv4/conf/%s/route_localnet", bridge);
}

/* With route_localnet guests could else speak to what listens on 127.0.0.1 alone. That stays on as
 * long as the bridge is there, and so does the guard, whoever's ports come and go. */
static void add_guard(const char *bridge, struct fl_str *rules)
{
	fl_cleanup_str struct fl_str table = FL_STR_INIT;

	table_name(bridge, &table);
	fl_rules_add_none(rules, GUARD, table.data);
	fl_str_addf(rules,
		    "table " GUARD " %s {\n"
		    " chain guard { type filter hook prerouting priority raw; policy accept;\n"
		    "  iifname \"%s\" ip daddr 127.0.0.0/8 drop; }\n}\n",
		    table.data, bridge);
}

static int is_guarded(const char *bridge, struct fl_err *err)
{
	fl_cleanup_str struct fl_str table = FL_STR_INIT;

	table_name(bridge, &table);
	return fl_rules_are_there(bridge, GUARD, table.data, "drop", err);
}

int fl_nat_mend_guard(const char *bridge, struct fl_err *err)
{
	fl_cleanup_free char *path = localnet_of(bridge);
	fl_cleanup_str struct fl_str text = FL_STR_INIT, rules = FL_STR_INIT;
	int guarded;

	if (fl_io_read_file(AT_FDCWD, path, 64, &text, err) < 0)
		return -1;
	guarded = text.data[0] == '0' ? 1 : is_guarded(bridge, err);
	if (guarded != 0)
		return guarded < 0 ? -1 : 0;
	add_guard(bridge, &rules);
	return fl_rules_run(bridge, rules.data, err);
}

bool fl_nat_may_be_guarded(const char *bridge)
{
	fl_cleanup_free char *path = localnet_of(bridge);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	return fl_io_read_file(AT_FDCWD, path, 64, &text, NULL) < 0 || text.data[0] != '0';
}

int fl_nat_remove_guard(const char *bridge, struct fl_err *err)
{
	fl_cleanup_str struct fl_str table = FL_STR_INIT;
	struct fl_err why = { 0 };
	int guarded = is_guarded(bridge, &why);

	/* Where there are no rules at all there is none either; and who may not look has made none. */
	if (guarded < 0 && why.kind != FL_ERR_UNSUPPORTED && why.kind != FL_ERR_DENIED)
		return fl_err_pass(err, &why);
	if (guarded <= 0)
		return 0;
	table_name(bridge, &table);
	return fl_rules_remove(bridge, GUARD, table.data, err);
}

/* For what comes to the host, and for what the host itself asks of one of its addresses. */
static void add_ports(const char *hook, const char *guest, const struct fl_publish *ports,
		      size_t count, struct fl_str *rules)
{
	fl_str_addf(rules, " chain %s { type nat hook %s priority -100; policy accept;\n", hook, hook);
	for (size_t i = 0; i < count; i++) {
		fl_str_add(rules, "  fib daddr type local ");
		if (*ports[i].address)
			fl_str_addf(rules, "ip daddr %s ", ports[i].address);
		fl_str_addf(rules, "%s dport %u dnat ip to %s:%u\n", fl_publish_protocol(&ports[i]),
			    ports[i].port, guest, ports[i].to);
	}
	fl_str_add(rules, " }\n");
}

/* An answer has to come back through here: whoever is on the guest's own net, or has an address
 * that means the guest there, is called by the host's. */
static void add_returns(const struct fl_nat_guest *guest, const char *address, struct fl_str *rules)
{
	struct fl_cidr base;
	char net[FL_CIDR_TEXT];

	fl_inet_nth(&guest->address, 0, &base);
	fl_inet_print_cidr(&base, net);
	fl_str_addf(rules, " chain postrouting { type nat hook postrouting priority srcnat; policy accept;\n"
		    "  ct status dnat ip daddr %s ip saddr { %s, 127.0.0.0/8 } masquerade\n }\n", address,
		    net);
}

static int route_localnet(const char *bridge, struct fl_err *err)
{
	fl_cleanup_free char *path = localnet_of(bridge);

	return fl_io_write_existing(AT_FDCWD, path, "1", err);
}

int fl_nat_publish(const struct fl_nat_guest *guest, const struct fl_publish *ports, size_t count,
		   struct fl_err *err)
{
	fl_cleanup_str struct fl_str rules = FL_STR_INIT;
	fl_cleanup_free char *table = fl_rules_table_of(guest->uid);
	char address[FL_CIDR_TEXT];

	fl_inet_print_address(&guest->address, address);
	fl_rules_add_none(&rules, "inet", table);
	fl_str_addf(&rules, "table inet %s {\n", table);
	add_ports("prerouting", address, ports, count, &rules);
	add_ports("output", address, ports, count, &rules);
	add_returns(guest, address, &rules);
	fl_str_add(&rules, "}\n");
	if (guest->bridge)
		add_guard(guest->bridge, &rules);
	/* The guard stands before there is something to guard. */
	if (fl_rules_run(NAME, rules.data, err) < 0)
		return -1;
	return guest->bridge ? route_localnet(guest->bridge, err) : 0;
}

int fl_nat_unpublish(const char *uid, struct fl_err *err)
{
	fl_cleanup_free char *table = fl_rules_table_of(uid);

	return fl_rules_remove(NAME, "inet", table, err);
}

int fl_nat_each_published(int (*each)(void *arg, const char *uid, struct fl_err *err), void *arg,
			  struct fl_err *err)
{
	return fl_rules_each_owner(NAME, "inet", each, arg, err);
}

int fl_nat_forwarding(int family, bool set, bool value, struct fl_err *err)
{
	const char *path = family == AF_INET ? "/proc/sys/net/ipv4/ip_forward"
					     : "/proc/sys/net/ipv6/conf/all/forwarding";
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	bool was;

	if (fl_io_read_file(AT_FDCWD, path, 64, &text, err) < 0)
		return -1;
	was = text.data[0] != '0'; /* IPv6 knows 2 as well */
	if (set && was != value && fl_io_write_existing(AT_FDCWD, path, value ? "1" : "0", err) < 0)
		return -1;
	return was;
}
