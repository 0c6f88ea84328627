/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-meta/parts.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/inet.h"
#include "common/provider.h"
#include "common/shell.h"
#include "common/yaml.h"

#include <ctype.h>
#include <string.h>

#define BOUNDARY "==flintlock=part=="

int fl_parts_meta_data(const struct fl_spec *spec, const struct fl_str *user, struct fl_str *out,
		       struct fl_err *err)
{
	const struct fl_yaml_addition additions[] = {
		{ { "instance_id", "instance_id" }, "instance_id", spec->uid },
		{ { "instance-id", "instance-id" }, "instance-id", spec->uid },
		{ { "local-hostname", "local_hostname" }, "local-hostname", spec->name },
	};

	return fl_yaml_complete(user->data ? user->data : "", user->len, "metadata.meta-data",
				additions, FL_COUNT(additions), out, err);
}

static void add_quoted(struct fl_str *out, const char *text)
{
	fl_cleanup_json fl_json *value = fl_json_new_text(text);

	/* JSON's text is YAML's double-quoted style. */
	fl_json_print(value, false, out);
}

static void add_servers(const struct fl_interface *in, const fl_json *made, struct fl_str *out)
{
	const fl_json *servers = fl_json_count(in->nameservers) ? in->nameservers
								: fl_json_get(made, "nameservers");
	const fl_json *search = fl_json_get(made, "search");

	if (!fl_json_count(servers) && !fl_json_count(search))
		return;
	fl_str_add(out, "    nameservers:\n");
	if (fl_json_count(servers)) {
		fl_str_add(out, "      addresses: ");
		fl_json_print(servers, false, out);
		fl_str_add(out, "\n");
	}
	if (fl_json_count(search)) {
		fl_str_add(out, "      search: ");
		fl_json_print(search, false, out);
		fl_str_add(out, "\n");
	}
}

/* A gateway that is not on the interface's net, as beside an address with /32. */
static bool is_beside(const char *bare, const char *address)
{
	struct fl_cidr net, gateway;

	return fl_inet_parse_cidr(address, &net, NULL) == 0 &&
	       fl_inet_parse_cidr(bare, &gateway, NULL) == 0 && net.family == gateway.family &&
	       !fl_inet_contains(&net, &gateway);
}

static void add_route(const char *address, const char *to, const char *via, struct fl_str *out)
{
	fl_cleanup_free char *bare = fl_strndup(via, strcspn(via, "/"));

	fl_str_addf(out, "      - to: \"%s\"\n        via: \"%s\"\n%s",
		    to ? to : strchr(bare, ':') ? "::/0" : "0.0.0.0/0", bare,
		    is_beside(bare, address) ? "        on-link: true\n" : "");
}

/* The way out first, then those to nets that a CNI network has besides. */
static void add_routes(const char *address, const char *gateway, const fl_json *made,
		       struct fl_str *out)
{
	const fl_json *routes = fl_json_get(made, "routes");

	if (gateway || fl_json_count(routes))
		fl_str_add(out, "    routes:\n");
	if (gateway)
		add_route(address, NULL, gateway, out);
	for (size_t i = 0; i < fl_json_count(routes); i++) {
		const fl_json *route = fl_json_item(routes, i);
		const char *to = fl_json_text(fl_json_get(route, "to"));
		const char *via = fl_json_text(fl_json_get(route, "via"));

		if (to && via)
			add_route(address, to, via, out);
	}
}

static void add_address(const char *address, const char **between, struct fl_str *out)
{
	if (!address)
		return;
	fl_str_add(out, *between);
	add_quoted(out, address);
	*between = ", ";
}

/* On the way to a metadata service, an interface has another address beside its own. */
static void add_addresses(const char *address, const fl_json *made, bool reaches_service,
			  struct fl_str *out)
{
	const fl_json *more = fl_json_get(made, "addresses");
	const char *between = "    addresses: [";

	add_address(address, &between, out);
	for (size_t i = 0; i < fl_json_count(more); i++)
		add_address(fl_json_text(fl_json_item(more, i)), &between, out);
	if (reaches_service && !fl_str_equal(address, FL_SPEC_METADATA_ADDRESS))
		add_address(FL_SPEC_METADATA_ADDRESS, &between, out);
	if (address || reaches_service)
		fl_str_add(out, "]\n");
}

static void add_interface(const fl_json *record, const struct fl_interface *in,
			  bool reaches_service, struct fl_str *out)
{
	fl_cleanup_free char *path = fl_asprintf("host.network.%s", in->device_id);
	const fl_json *made = fl_json_at(record, path);
	const char *mac = fl_json_text(fl_json_get(made, "mac"));
	const char *address = fl_json_text(fl_json_get(made, "address"));
	const char *gateway = fl_json_text(fl_json_get(made, "gateway"));
	int64_t mtu = fl_json_int(fl_json_get(made, "mtu"));

	mac = mac ? mac : in->mac;
	address = address ? address : in->address;
	gateway = gateway ? gateway : in->gateway;
	/* Quoted: "on" is a name, too. */
	fl_str_addf(out, "  \"%s\":\n", in->device_id);
	if (mac)
		/* Not every renderer matches by MAC alone: the name is set as well. */
		fl_str_addf(out, "    match:\n      macaddress: \"%s\"\n    set-name: \"%s\"\n", mac,
			    in->device_id);
	if (mtu > 0)
		fl_str_addf(out, "    mtu: %lld\n", (long long)mtu);
	fl_str_add(out, address ? "    dhcp4: false\n"
				: "    dhcp4: true\n    dhcp-identifier: mac\n");
	add_addresses(address, made, reaches_service, out);
	if (!address)
		return;
	add_routes(address, gateway, made, out);
	add_servers(in, made, out);
}

void fl_parts_network(const fl_json *record, const struct fl_spec *spec, struct fl_str *out)
{
	fl_str_add(out, "version: 2\nethernets:");
	fl_str_add(out, spec->interface_count ? "\n" : " {}\n");
	for (size_t i = 0; i < spec->interface_count; i++)
		add_interface(record, &spec->interfaces[i],
			      spec->asked.metadata_service &&
				      strcmp(spec->interfaces[i].device_id, FL_SPEC_METADATA_DEVICE) == 0,
			      out);
}

static void open_part(struct fl_str *out, const char *type, const char *name)
{
	fl_str_addf(out, "--" BOUNDARY "\nContent-Type: %s; charset=\"utf-8\"\n"
		    "Content-Transfer-Encoding: base64\n"
		    "Content-Disposition: attachment; filename=\"%s\"\nMIME-Version: 1.0\n",
		    type, name);
}

static void close_part(struct fl_str *out, const char *text, size_t size)
{
	fl_cleanup_str struct fl_str encoded = FL_STR_INIT;

	fl_base64_encode(text, size, &encoded);
	fl_str_add(out, "\n");
	for (size_t i = 0; i < encoded.len; i += 76)
		fl_str_addf(out, "%.*s\n", encoded.len - i < 76 ? (int)(encoded.len - i) : 76,
			    encoded.data + i);
}

void fl_parts_begin(struct fl_str *out)
{
	fl_str_add(out, "Content-Type: multipart/mixed; boundary=\"" BOUNDARY "\"\n"
			"MIME-Version: 1.0\n\n");
}

/* cloud-init finds the type of such a part by its first line, as without MIME. */
void fl_parts_add(struct fl_str *out, const char *name, const struct fl_str *text)
{
	fl_cleanup_free char *plain = fl_strdup(name);

	for (char *at = plain; *at; at++)
		if (!isalnum((unsigned char)*at) && !strchr("._-", *at))
			*at = '_';
	open_part(out, "text/plain", plain);
	close_part(out, text->data ? text->data : "", text->len);
}

void fl_parts_end(struct fl_str *out)
{
	fl_str_add(out, "--" BOUNDARY "--\n");
}

/* A volume that the guest mounts. */
struct mount {
	const struct fl_volume *volume;
	const char *what; /* "UUID=" and uuid, or a virtiofs tag */
	bool is_share;
};

static void add_mount(const struct mount *mount, struct fl_str *config, struct fl_str *script)
{
	const char *type = mount->is_share ? "virtiofs" : "auto";
	const char *options = mount->volume->read_only ? "ro" : "defaults";

	fl_str_add(config, config->len ? "" : "#cloud-config\nmounts:\n");
	fl_str_addf(config, "  - [\"%s\", ", mount->what);
	add_quoted(config, mount->volume->mount_point);
	fl_str_addf(config, ", %s, \"%s,nofail\", \"0\", \"%d\"]\n", type, options, mount->is_share ? 0 : 2);
	fl_str_addf(script, "add %s %s %s ", mount->what, type, options);
	fl_shell_word(script, mount->volume->mount_point);
	fl_str_add(script, "\n");
}

/* cloud-init mounts on a guest's first boot alone, and writes fstab then: what comes later is mounted
 * on each boot. */
static const char mount_one[] =
	"#!/bin/sh\n"
	"add() {\n"
	"\tgrep -qs \"^$1[[:space:]]\" /etc/fstab && return\n"
	"\tmkdir -p \"$4\" && mount -t \"$2\" -o \"$3\" \"$1\" \"$4\"\n"
	"}\n";

static void add_mounts(const fl_json *record, const struct fl_spec *spec, struct fl_str *out)
{
	fl_cleanup_str struct fl_str config = FL_STR_INIT, script = FL_STR_INIT;
	size_t shares = 0;

	fl_str_add(&script, mount_one);
	for (size_t i = 0; i < spec->volume_count; i++) {
		const struct fl_volume *volume = &spec->volumes[i];
		fl_cleanup_free char *path = fl_asprintf("host.volumes.%s.uuid", volume->id);
		const char *uuid = fl_json_text(fl_json_at(record, path));
		const char *tag = volume->virtiofs ? fl_provider_share_tag(shares++, volume->id) : NULL;
		fl_cleanup_free char *what = fl_asprintf("%s%s", tag ? "" : "UUID=", tag ? tag : uuid ? uuid : "");

		/* The root is mounted by whoever boots. */
		if ((i == 0 && spec->has_root) || !volume->mount_point || (!uuid && !tag))
			continue;
		add_mount(&(struct mount){ volume, what, tag }, &config, &script);
	}
	if (!config.len)
		return;
	open_part(out, "text/cloud-config", "flintlock-mounts.cfg");
	fl_str_add(out, "X-Merge-Type: list(append)+dict(no_replace,recurse_list)+str()\n");
	close_part(out, config.data, config.len);
	fl_str_add(&script, "exit 0\n");
	open_part(out, "text/cloud-boothook", "flintlock-mounts.sh");
	close_part(out, script.data, script.len);
}

/* A boothook runs on every boot, early; it waits in the background and says one line at
 * the end, which the supervisor looks for. */
static const char report[] =
	"#!/bin/sh\n"
	"(\n"
	"\texec </dev/null >/dev/null 2>&1\n"
	"\t# Out of cloud-init.service: systemd kills what is left in it when a module fails.\n"
	"\tfor group in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/systemd/cgroup.procs; do\n"
	"\t\t[ -w \"$group\" ] && echo 0 >\"$group\"\n"
	"\tdone\n"
	"\twhile [ ! -e /run/cloud-init/result.json ]; do sleep 0.5; done\n"
	"\tlist() {\n"
	"\t\ttr -d '\\n' </run/cloud-init/result.json |\n"
	"\t\t\tsed -n \"s/.*\\\"$1\\\": *[[{] *\\([^]}]*\\).*/\\1/p\" | cut -c 1-300\n"
	"\t}\n"
	"\terrors=$(list errors) warnings=$(list recoverable_errors)\n"
	"\t# Older ones have them in their log alone, where those of earlier boots are, too.\n"
	"\t[ \"$warnings\" ] || warnings=$(awk '\n"
	"\t\t/ running .init-local. / { first = \"\" }\n"
	"\t\t/\\[WARNING\\]: / && first == \"\" { sub(/^.*\\[WARNING\\]: /, \"\"); first = $0 }\n"
	"\t\tEND { print first }' /var/log/cloud-init.log | cut -c 1-300)\n"
	"\tif [ \"$errors\" ]; then\n"
	"\t\tword=\"error: $errors\"\n"
	"\telif [ \"$warnings\" ]; then\n"
	"\t\tword=\"degraded: $warnings\"\n"
	"\telse\n"
	"\t\tword=done\n"
	"\tfi\n"
	"\tprintf '\\nflintlock-cloud-init: %s\\n' \"$word\" >/dev/console\n"
	") &\n"
	"exit 0\n";

void fl_parts_vendor(const fl_json *record, const struct fl_spec *spec, const struct fl_str *user,
		     struct fl_str *out)
{
	fl_parts_begin(out);
	if (user->len)
		fl_parts_add(out, "vendor-data", user);
	add_mounts(record, spec, out);
	open_part(out, "text/cloud-boothook", "flintlock-report.sh");
	close_part(out, report, sizeof(report) - 1);
	fl_parts_end(out);
}
