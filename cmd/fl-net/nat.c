/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/nat.h"

#include "common/alloc.h"
#include "common/io.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <nftables/libnftables.h>
#include <string.h>

static int run(const char *bridge, const char *rules, struct fl_err *err)
{
	struct nft_ctx *context = nft_ctx_new(NFT_CTX_DEFAULT);
	int rc;

	if (!context)
		abort();
	nft_ctx_buffer_error(context);
	nft_ctx_buffer_output(context);
	rc = nft_run_cmd_from_buffer(context, rules);
	if (rc != 0) {
		const char *why = nft_ctx_get_error_buffer(context);

		fl_err_set(err, strstr(why, "not permitted") ? FL_ERR_DENIED : FL_ERR_SYSTEM,
			   "%s: nftables refuses: %.*s", bridge, (int)strcspn(why, "\n"), why);
	}
	nft_ctx_free(context);
	return rc == 0 ? 0 : -1;
}

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
	fl_str_addf(&rules,
		    "add table inet %s\ndelete table inet %s\n"
		    "table inet %s {\n"
		    " chain forward { type filter hook forward priority filter; policy accept;\n"
		    "  iifname \"%s\" accept; oifname \"%s\" accept; }\n"
		    " chain postrouting {\n"
		    "  type nat hook postrouting priority srcnat; policy accept;\n"
		    "  %s saddr %s oifname != \"%s\" masquerade; }\n}\n",
		    table.data, table.data, table.data, bridge, bridge, family, text, bridge);
	return run(bridge, rules.data, err);
}

int fl_nat_remove(const char *bridge, struct fl_err *err)
{
	fl_cleanup_str struct fl_str rules = FL_STR_INIT, table = FL_STR_INIT;

	table_name(bridge, &table);
	/* Adding what is there changes nothing: so deleting never misses. */
	fl_str_addf(&rules, "add table inet %s\ndelete table inet %s\n", table.data, table.data);
	return run(bridge, rules.data, err);
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
