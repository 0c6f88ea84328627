/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/egress.h"

#include "cmd/fl-net/bridge.h"
#include "cmd/fl-net/rules.h"
#include "common/alloc.h"
#include "common/egress.h"

#include <string.h>
#include <sys/socket.h>

#define NAME "denied egress"
#define FAMILY "netdev"

/* What differs between the two: a header's name, its addresses' type, ping. */
struct family {
	int number;
	const char *name, *type, *ping, *fragment, *further, *more;
};

static const struct family families[] = {
	{ AF_INET, "ip", "ipv4_addr", "icmp", "ip id",
	  "ip frag-off & 0x1fff != 0", "ip frag-off & 0x2000 != 0" },
	{ AF_INET6, "ip6", "ipv6_addr", "icmpv6", "frag id",
	  "frag frag-off != 0", "frag more-fragments 1" },
};

/* One tap of the guest. */
struct tap {
	const char *link, *mac;
	struct fl_cidr address; /* family 0: it asks by DHCP, or has none */
	bool may_ask;           /* by DHCP, for that address: "fl-net dns" may answer there */
};

/* Whose packets came: answers to them may go out. A TCP connection that either side ends is in
 * "closing" too, and soon forgotten; a large set is what a flood of connections cannot fill fast. */
static void add_sets(const struct family *f, struct fl_str *rules)
{
	static const struct {
		const char *name, *timeout;
	} flows[] = { { "peers", "3m" }, { "closing", "2m" } };

	for (size_t i = 0; i < FL_COUNT(flows); i++)
		fl_str_addf(rules, " set %s_%s { type %s . inet_proto . inet_service . inet_service; flags "
			    "dynamic,timeout; timeout %s; size 65536; }\n", flows[i].name, f->name, f->type,
			    flows[i].timeout);
	fl_str_addf(rules, " set pings_%s { typeof %s saddr . %s id; flags dynamic,timeout; timeout 1m; "
		    "size 4096; }\n", f->name, f->name, f->ping);
	/* Only a packet's first fragment says its ports. */
	fl_str_addf(rules, " set parts_%s { typeof %s daddr . %s; flags dynamic,timeout; timeout 30s; "
		    "size 4096; }\n", f->name, f->name, f->fragment);
}

static void add_pass(struct fl_str *rules)
{
	fl_str_add(rules, " chain pass {\n");
	for (size_t i = 0; i < FL_COUNT(families); i++)
		fl_str_addf(rules, "  %s update @parts_%s { %s daddr . %s }\n", families[i].more,
			    families[i].name, families[i].name, families[i].fragment);
	fl_str_add(rules, "  accept\n }\n");
}

/* Towards the guest. Only what is for it alone: floods and broadcasts ask it nothing. */
static void add_inbound(const struct family *f, struct fl_str *rules)
{
	fl_cleanup_free char *flow =
		fl_asprintf("%s saddr . meta l4proto . th sport . th dport", f->name);
	const char *n = f->name;

	fl_str_addf(rules, "  %s type echo-request update @pings_%s { %s saddr . %s id }\n", f->ping, n, n,
		    f->ping);
	fl_str_addf(rules, "  meta l4proto udp update @peers_%s { %s }\n", n, flow);
	fl_str_addf(rules, "  tcp flags & (fin | rst) != 0 update @closing_%s { %s }\n", n, flow);
	fl_str_addf(rules, "  tcp flags & (syn | ack) == syn delete @closing_%s { %s }\n", n, flow);
	fl_str_addf(rules, "  meta l4proto tcp %s @closing_%s update @closing_%s { %s } "
		    "update @peers_%s { %s timeout 2m } accept\n", flow, n, n, flow, n, flow);
	fl_str_addf(rules, "  tcp flags & (syn | ack) == syn update @peers_%s { %s timeout 2m } accept\n", n,
		    flow);
	fl_str_addf(rules, "  meta l4proto tcp update @peers_%s { %s timeout 1d }\n", n, flow);
}

/* From the guest: answers, and the further fragments of what was let out. */
static void add_answers(const struct family *f, struct fl_str *rules)
{
	const char *n = f->name;
	fl_cleanup_free char *flow = fl_asprintf("%s daddr . meta l4proto . th dport . th sport", n);

	fl_str_addf(rules, "  %s %s daddr . %s @parts_%s accept\n", f->further, n, f->fragment, n);
	fl_str_addf(rules, "  tcp flags & (fin | rst) != 0 %s @peers_%s update @closing_%s { %s } "
		    "update @peers_%s { %s timeout 2m } goto pass\n", flow, n, n, flow, n, flow);
	fl_str_addf(rules, "  %s @peers_%s goto pass\n", flow, n);
	fl_str_addf(rules, "  %s type echo-reply %s daddr . %s id @pings_%s goto pass\n", f->ping, n, f->ping,
		    n);
}

/* The target of an advertisement begins at byte 8 (RFC 4861, 4.4); 0x3fa: fe80::/10. */
static void add_itself_ip6(const struct tap *tap, const char *address, struct fl_str *rules)
{
	fl_str_addf(rules, "  ip6 saddr != { %s, fe80::/10, :: } drop\n"
		    "  icmpv6 type nd-neighbor-advert @th,64,10 != 0x3fa @th,64,128 != 0x", address);
	for (size_t i = 0; i < sizeof(tap->address.byte); i++)
		fl_str_addf(rules, "%02x", tap->address.byte[i]);
	fl_str_add(rules, " drop\n");
}

/* For itself: the address that the request is about begins at byte 28 of it (RFC 2131, 2), and an
 * address that is declined in another's name is one that the other does not get. */
static void add_dhcp(const struct tap *tap, const char *from, struct fl_str *rules)
{
	struct fl_mac mac = { { 0 } };

	fl_inet_parse_mac(tap->mac, &mac, NULL);
	fl_str_addf(rules, " %s ip daddr 255.255.255.255 udp sport 68 udp dport 67 @th,288,48 0x", from);
	for (size_t i = 0; i < sizeof(mac.byte); i++)
		fl_str_addf(rules, "%02x", mac.byte[i]);
	fl_str_add(rules, " accept\n");
}

/* It speaks as itself: or it would draw to it what is for others, and answer that; or be answered
 * to where it may not go. */
static void add_itself(const struct tap *tap, struct fl_str *rules)
{
	char address[FL_CIDR_TEXT] = "";

	fl_str_addf(rules, "  ether saddr != %s drop\n  ether type { 8021q, 8021ad } drop\n", tap->mac);
	if (tap->address.family)
		fl_inet_print_address(&tap->address, address);
	if (tap->may_ask && tap->address.family == AF_INET)
		add_dhcp(tap, "ip saddr 0.0.0.0", rules);
	if (tap->address.family == AF_INET)
		fl_str_addf(rules, "  ip saddr != %s drop\n", address);
	if (tap->address.family == AF_INET6)
		add_itself_ip6(tap, address, rules);
	fl_str_addf(rules, "  arp saddr ether %s", tap->mac);
	if (tap->address.family == AF_INET)
		fl_str_addf(rules, " arp saddr ip { %s, 0.0.0.0 }", address);
	fl_str_add(rules, " accept\n");
}

/* What a guest cannot be asked anything without (RFC 4861); and DHCP where it lives by that, to
 * everybody on the net alone. */
static void add_neighbours(const struct tap *tap, struct fl_str *rules)
{
	struct fl_cidr net;
	char text[FL_CIDR_TEXT];

	fl_str_add(rules, "  icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, "
		   "mld2-listener-report } ip6 daddr { ff02::/16, fe80::/10 } accept\n"
		   "  icmpv6 type nd-neighbor-advert ip6 daddr @askers accept\n");
	if (tap->address.family == AF_INET6) {
		fl_inet_nth(&tap->address, 0, &net);
		fl_inet_print_cidr(&net, text);
		fl_str_addf(rules, "  icmpv6 type nd-neighbor-solicit ip6 daddr %s accept\n", text);
	}
	if (!tap->may_ask)
		return;
	add_dhcp(tap, "", rules);
	fl_str_add(rules, "  ip6 daddr ff02::1:2 udp sport 546 udp dport 547 accept\n");
}

static void add_allowed(const char *list, struct fl_str *rules)
{
	struct fl_egress one;
	char to[FL_CIDR_TEXT];

	while (list && fl_egress_next(&list, &one, NULL) > 0) {
		fl_inet_print_cidr(&one.to, to);
		fl_str_addf(rules, "  %s daddr %s", one.to.family == AF_INET ? "ip" : "ip6", to);
		if (one.port)
			fl_str_addf(rules, " meta l4proto { %s } th dport %u",
				    one.tcp && one.udp ? "tcp, udp" : one.tcp ? "tcp" : "udp", one.port);
		fl_str_add(rules, " goto pass\n");
	}
}

static void add_tap(const struct tap *tap, const char *allow, struct fl_str *rules)
{
	fl_str_addf(rules, " chain from_%s { type filter hook ingress device \"%s\" priority 0; policy drop;\n",
		    tap->link, tap->link);
	add_itself(tap, rules);
	for (size_t i = 0; i < FL_COUNT(families); i++)
		add_answers(&families[i], rules);
	add_neighbours(tap, rules);
	add_allowed(allow, rules);
	fl_str_addf(rules, " }\n chain to_%s { type filter hook egress device \"%s\" priority 0; policy accept;\n"
		    "  icmpv6 type nd-neighbor-solicit update @askers { ip6 saddr }\n"
		    "  ether daddr != %s accept\n", tap->link, tap->link, tap->mac);
	for (size_t i = 0; i < FL_COUNT(families); i++)
		add_inbound(&families[i], rules);
	fl_str_add(rules, " }\n");
}

static void empty_tap(const struct tap *tap, const char *table, struct fl_str *rules)
{
	static const struct {
		const char *name, *hook, *policy;
	} chains[] = { { "from", "ingress", "drop" }, { "to", "egress", "accept" } };

	for (size_t i = 0; i < FL_COUNT(chains); i++)
		fl_str_addf(rules, "add chain " FAMILY " %s %s_%s { type filter hook %s device \"%s\" "
			    "priority 0; policy %s; }\nflush chain " FAMILY " %s %s_%s\n", table,
			    chains[i].name, tap->link, chains[i].hook, tap->link, chains[i].policy, table,
			    chains[i].name, tap->link);
}

/* Done again, the rules are as they should be, and the sets keep whose answers may go out. */
static void empty_all(const fl_json *network, const char *table, struct fl_str *rules)
{
	fl_str_addf(rules, "add table " FAMILY " %s\nadd chain " FAMILY " %s pass\n"
		    "flush chain " FAMILY " %s pass\n", table, table, table);
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		struct tap tap = { .link = fl_json_text(fl_json_get(fl_json_value(i), "link")) };

		empty_tap(&tap, table, rules);
	}
}

static int may_ask(const struct fl_step_call *call, const fl_json *made, struct fl_err *err)
{
	const char *name = fl_json_text(fl_json_get(made, "bridge"));
	struct fl_bridge bridge;
	int ours;

	if (!fl_json_get(made, "address"))
		return true;
	ours = name ? fl_bridge_load(call->vm->state, name, &bridge, err) : 0;
	return ours > 0 ? *bridge.domain != 0 : ours;
}

static int add_taps(const struct fl_step_call *call, const fl_json *network, const char *allow,
		    struct fl_str *rules, struct fl_err *err)
{
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const fl_json *made = fl_json_value(i);
		const char *address = fl_json_text(fl_json_get(made, "address"));
		struct tap tap = { .link = fl_json_text(fl_json_get(made, "link")),
				   .mac = fl_json_text(fl_json_get(made, "mac")) };
		int asks = may_ask(call, made, err);

		if (asks < 0)
			return -1;
		if (address && fl_inet_parse_cidr(address, &tap.address, NULL) < 0)
			tap.address.family = 0;
		tap.may_ask = asks;
		add_tap(&tap, allow, rules);
	}
	return 0;
}

static int add_rules(const struct fl_step_call *call, const char *table, const fl_json *network,
		     const char *allow, struct fl_str *rules, struct fl_err *err)
{
	fl_str_addf(rules, "table " FAMILY " %s {\n", table);
	for (size_t i = 0; i < FL_COUNT(families); i++)
		add_sets(&families[i], rules);
	fl_str_add(rules, " set askers { type ipv6_addr; flags dynamic,timeout; timeout 1m; size 4096; }\n");
	add_pass(rules);
	if (add_taps(call, network, allow, rules, err) < 0)
		return -1;
	fl_str_add(rules, "}\n");
	return 0;
}

static const char *recorded(const struct fl_step_call *call)
{
	return fl_json_text(fl_json_at(call->record, "host.egress"));
}

static int deny(const struct fl_step_call *call, const fl_json *network, const char *allow,
		struct fl_err *err)
{
	fl_cleanup_str struct fl_str rules = FL_STR_INIT;
	fl_cleanup_free char *table = fl_rules_table_of(call->vm->uid);

	if (fl_str_equal(recorded(call), allow))
		empty_all(network, table, &rules);
	else
		fl_rules_add_none(&rules, FAMILY, table);
	if (add_rules(call, table, network, allow, &rules, err) < 0)
		return -1;
	if (fl_rules_run(NAME, rules.data, err) == 0)
		return 0;
	if (err && err->kind == FL_ERR_UNSUPPORTED)
		fl_err_prefix(err, "this kernel has no hooks for a tap's traffic (Linux 5.16 with "
			      "CONFIG_NETFILTER_INGRESS and CONFIG_NETFILTER_EGRESS has)");
	return -1;
}

int fl_egress_up(const struct fl_step_call *call, const fl_json *network, fl_json **egress,
		 struct fl_err *err)
{
	const struct fl_labels *asked = &call->spec.asked;
	const char *allow = asked->allow ? asked->allow : "";

	*egress = NULL;
	if (!asked->deny_egress)
		return recorded(call) ? fl_egress_remove(call->vm->uid, err) : 0;
	if (deny(call, network, allow, err) < 0)
		return -1;
	*egress = fl_json_new_text(allow);
	return 0;
}

int fl_egress_down(const struct fl_step_call *call, struct fl_err *err)
{
	if (!call->spec.asked.deny_egress && !recorded(call))
		return 0;
	return fl_egress_remove(call->vm->uid, err);
}

int fl_egress_remove(const char *uid, struct fl_err *err)
{
	fl_cleanup_free char *table = fl_rules_table_of(uid);

	return fl_rules_remove(NAME, FAMILY, table, err);
}

int fl_egress_each(int (*each)(void *arg, const char *uid, struct fl_err *err), void *arg,
		   struct fl_err *err)
{
	return fl_rules_each_owner(NAME, FAMILY, each, arg, err);
}
