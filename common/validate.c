/* SPDX-License-Identifier: MPL-2.0 */
/* The rules of a spec, one function per part of it. */
#include "common/spec.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/inet.h"
#include "common/path.h"
#include "common/provider.h"
#include "common/publish.h"
#include "common/reference.h"

#include <string.h>

static FL_PRINTF(3, 4) void add(fl_json *violations, const char *path, const char *fmt, ...)
{
	fl_json *one = fl_json_new_object();
	struct fl_str text = FL_STR_INIT;
	va_list args;

	va_start(args, fmt);
	fl_str_vaddf(&text, fmt, args);
	va_end(args);
	fl_json_set(one, "path", fl_json_new_text(path));
	fl_json_set(one, "text", fl_json_new_text(text.data));
	fl_json_add(violations, one);
	fl_str_finish(&text);
}

static void check_name(fl_json *violations, const char *path, const char *name)
{
	if (!*name)
		add(violations, path, "a name is required");
	else if (!fl_path_is_name(name))
		add(violations, path,
		    "\"%s\" is not a name: 1 to 63 of the characters A-Z a-z 0-9 . _ -, "
		    "and neither \".\" nor \"..\"", name);
}

static void check_range(fl_json *violations, const char *path, int64_t value, int64_t min,
			int64_t max)
{
	if (value < min || value > max)
		add(violations, path, "%lld is not between %lld and %lld", (long long)value,
		    (long long)min, (long long)max);
}

static void check_image(fl_json *violations, const char *path, const char *image)
{
	struct fl_reference reference;
	struct fl_err err;

	if (!image || !*image)
		add(violations, path, "an image is required");
	else if (fl_str_starts(image, FL_SPEC_FILE))
		add(violations, path, "a file of the host can be a volume only; fl-pack makes an image of "
		    "it");
	else if (fl_reference_parse(image, &reference, &err) < 0)
		add(violations, path, "%s", err.text);
	else
		fl_reference_finish(&reference);
}

/* A file named inside an image: resolved in the image's own tree, so ".." is only a
 * mistake there, but one worth telling. */
static void check_file(fl_json *violations, const char *path, const char *file)
{
	const char *at = file;

	for (; *at; at += strcspn(at, "/"), at += strspn(at, "/"))
		if (strncmp(at, "..", 2) == 0 && (at[2] == '/' || !at[2])) {
			add(violations, path, "\"%s\" leaves the image with \"..\"", file);
			return;
		}
}

static void check_volume(fl_json *violations, const char *path, const struct fl_volume *volume)
{
	fl_cleanup_free char *id = fl_asprintf("%s.id", path);
	fl_cleanup_free char *source = fl_asprintf("%s.source", path);
	fl_cleanup_free char *mount = fl_asprintf("%s.mount_point", path);
	fl_cleanup_free char *size = fl_asprintf("%s.size_in_mb", path);

	check_name(violations, id, volume->id);
	if ((volume->image || volume->file) && volume->virtiofs)
		add(violations, source, "both an image and a folder are given; one is enough");
	else if (volume->file && *volume->file != '/')
		add(violations, source, "\"%s\" is not an absolute path", volume->file);
	else if (!volume->virtiofs && !volume->file)
		check_image(violations, source, volume->image);
	if (volume->size_mb > INT32_MAX) /* it was negative */
		add(violations, size, "a size is not less than 0");
	if (volume->mount_point && *volume->mount_point != '/')
		add(violations, mount, "\"%s\" is not an absolute path", volume->mount_point);
}

static void check_volumes(fl_json *violations, const struct fl_spec *spec)
{
	if (!spec->has_root && !spec->initrd_image)
		add(violations, "root_volume", "a root volume or an initrd is required");
	for (size_t i = 0; i < spec->volume_count; i++) {
		fl_cleanup_free char *path = fl_spec_volume_path(spec, i);

		check_volume(violations, path, &spec->volumes[i]);
		if (i == 0 && spec->has_root && spec->volumes[i].virtiofs)
			add(violations, path, "a root on virtiofs is not possible");
		for (size_t k = 0; k < i; k++)
			if (strcmp(spec->volumes[i].id, spec->volumes[k].id) == 0)
				add(violations, path, "the id \"%s\" is used twice",
				    spec->volumes[i].id);
	}
}

static void check_address(fl_json *violations, const char *path, const char *text)
{
	struct fl_cidr cidr;
	struct fl_err err;

	if (text && fl_inet_parse_cidr(text, &cidr, &err) < 0)
		add(violations, path, "%s", err.text);
}

/* The guest's own, with the prefix of its net. */
static void check_own_address(fl_json *violations, const char *path, const char *text)
{
	struct fl_cidr cidr;
	struct fl_err err;

	if (!text)
		return;
	if (fl_inet_parse_cidr(text, &cidr, &err) < 0)
		add(violations, path, "%s", err.text);
	else if (!strchr(text, '/'))
		add(violations, path, "\"%s\" has no prefix length such as /24", text);
	else if (!fl_inet_is_host(&cidr))
		add(violations, path, "%s is no address that a guest can have in that net", text);
}

static bool is_device_id(const char *id)
{
	return *id >= 'a' && *id <= 'z' && strlen(id) <= 15 &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(id);
}

/* ":" is in no link's name, so that no bridge is mistaken for a network of CNI. */
static void check_bridge(fl_json *violations, const char *path, const struct fl_interface *in)
{
	const char *network = fl_spec_cni(in->bridge);

	if (!in->bridge)
		return;
	if (!network && (strlen(in->bridge) > 15 || strpbrk(in->bridge, "/:")))
		add(violations, path, "\"%s\" is not the name of a bridge", in->bridge);
	if (network && (!fl_path_is_name(network) || strchr("._-", *network)))
		add(violations, path, "\"%s\" is not the name of a CNI network", network);
	if (network && in->type != FL_INTERFACE_TAP)
		add(violations, path, "a CNI network is reached by a tap; set the type to TAP");
}

static void check_interface(fl_json *violations, const char *path, const struct fl_interface *in)
{
	fl_cleanup_free char *id = fl_asprintf("%s.device_id", path);
	fl_cleanup_free char *mac = fl_asprintf("%s.guest_mac", path);
	fl_cleanup_free char *address = fl_asprintf("%s.address.address", path);
	fl_cleanup_free char *gateway = fl_asprintf("%s.address.gateway", path);
	fl_cleanup_free char *servers = fl_asprintf("%s.address.nameservers", path);
	struct fl_mac parsed;
	struct fl_err err;

	if (!is_device_id(in->device_id))
		add(violations, id, "\"%s\" is not a device name: a-z, then a-z 0-9 _, at most 15",
		    in->device_id);
	if (in->mac && fl_inet_parse_mac(in->mac, &parsed, &err) < 0)
		add(violations, mac, "%s", err.text);
	check_own_address(violations, address, in->address);
	check_address(violations, gateway, in->gateway);
	for (size_t i = 0; i < fl_json_count(in->nameservers); i++)
		check_address(violations, servers, fl_json_text(fl_json_item(in->nameservers, i)));
	check_bridge(violations, path, in);
}

static bool has_mac_of(const struct fl_interface *in, const struct fl_interface *other)
{
	struct fl_mac a, b;

	return in->mac && other->mac && fl_inet_parse_mac(in->mac, &a, NULL) == 0 &&
	       fl_inet_parse_mac(other->mac, &b, NULL) == 0 && memcmp(&a, &b, sizeof(a)) == 0;
}

/* A guest tells its interfaces apart by their MACs: cloud-init gives up where two have one. */
static void check_pair(fl_json *violations, const char *path, const struct fl_interface *in,
		       const struct fl_interface *other)
{
	if (strcmp(in->device_id, other->device_id) == 0)
		add(violations, path, "the device_id \"%s\" is used twice", in->device_id);
	if (has_mac_of(in, other))
		add(violations, path, "the guest_mac %s is used twice", in->mac);
}

static void check_interfaces(fl_json *violations, const struct fl_spec *spec)
{
	for (size_t i = 0; i < spec->interface_count; i++) {
		fl_cleanup_free char *path = fl_asprintf("interfaces[%zu]", i);

		check_interface(violations, path, &spec->interfaces[i]);
		for (size_t k = 0; k < i; k++)
			check_pair(violations, path, &spec->interfaces[i], &spec->interfaces[k]);
	}
}

/* What a macvtap sends goes past the hooks that look at a tap, and so does what is handed on
 * from the tap to a network of CNI. */
static void check_egress(fl_json *violations, const struct fl_spec *spec)
{
	static const char label[] = "labels." FL_LABEL_PREFIX "egress";

	for (size_t i = 0; spec->asked.deny_egress && i < spec->interface_count; i++) {
		const struct fl_interface *in = &spec->interfaces[i];

		if (in->type == FL_INTERFACE_MACVTAP)
			add(violations, label, "what a macvtap sends cannot be denied; set the type of "
			    "interface %s to TAP", in->device_id);
		else if (fl_spec_cni(in->bridge))
			add(violations, label, "what goes to a CNI network (interface %s) is for that "
			    "network's plugins to deny", in->device_id);
	}
}

/* What a port can lead to is behind a tap: a macvtap's packets go past the host. */
static bool has_target(const struct fl_spec *spec)
{
	for (size_t i = 0; i < spec->interface_count; i++)
		if (spec->interfaces[i].type == FL_INTERFACE_TAP && !spec->interfaces[i].is_metadata)
			return true;
	return false;
}

static void check_publish(fl_json *violations, const struct fl_spec *spec)
{
	static const char label[] = "labels." FL_LABEL_PREFIX "publish";
	const char *at = spec->asked.publish, *rest;
	struct fl_publish one, other;

	if (at && !has_target(spec))
		add(violations, label, "no interface can take it; give one of type TAP, on a bridge");
	while (fl_publish_next(&at, &one, NULL) > 0) {
		rest = at;
		while (fl_publish_next(&rest, &other, NULL) > 0)
			if (fl_publish_overlap(&one, &other))
				add(violations, label, "port %u/%s of the host is published twice", one.port,
				    fl_publish_protocol(&one));
	}
}

static void check_metadata(fl_json *violations, const fl_json *metadata)
{
	for (void *i = fl_json_first(metadata); i; i = fl_json_next(metadata, i)) {
		fl_cleanup_free char *path = fl_asprintf("metadata.%s", fl_json_key(i));
		fl_cleanup_str struct fl_str bytes = FL_STR_INIT;

		if (!fl_base64_decode(fl_json_text(fl_json_value(i)), &bytes))
			add(violations, path, "is not base 64; encode it with \"base64 -w0 FILE\"");
		if (strchr(fl_json_key(i), '/') || strlen(fl_json_key(i)) > 200)
			add(violations, path, "is not a file name");
	}
}

/* A value may be quoted to hold white space, as the kernel reads it; else it would add
 * arguments of its own. */
static bool is_one_argument(const char *text)
{
	bool quoted = false;

	for (; *text; text++) {
		unsigned char c = *text;

		if (c == '"')
			quoted = !quoted;
		if (c < 0x20 || c == 0x7f || (c == ' ' && !quoted))
			return false;
	}
	return !quoted;
}

static void check_cmdline(fl_json *violations, const fl_json *cmdline)
{
	for (void *i = fl_json_first(cmdline); i; i = fl_json_next(cmdline, i)) {
		const char *key = fl_json_key(i), *value = fl_json_text(fl_json_value(i));

		if (!*key || strpbrk(key, " \t\n\"=") || !is_one_argument(key) ||
		    !is_one_argument(value))
			add(violations, "kernel.cmdline",
			    "\"%s=%s\" is not one argument; quote white space with \"", key, value);
	}
}

static void add_label(void *violations, const char *label, const char *what)
{
	fl_cleanup_free char *path = fl_asprintf("labels.%s", label);

	add(violations, path, "%s", what);
}

/* As it stands in the record, whose other half is for what the steps add: one that grew beyond what
 * is read could not even be deleted. */
static void check_size(fl_json *violations, const fl_json *doc)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_print(doc, true, &text);
	if (text.len > FL_RECORD_LIMIT / 2)
		add(violations, "spec", "is of %zu bytes in the record; at most %d are kept", text.len,
		    FL_RECORD_LIMIT / 2);
}

fl_json *fl_spec_violations(const fl_json *doc)
{
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(doc);
	fl_json *violations = fl_json_new_array();

	check_name(violations, "id", spec.name);
	check_name(violations, "namespace", spec.name_space);
	check_range(violations, "vcpu", fl_json_int(fl_json_get(doc, "vcpu")), 1, 64);
	check_range(violations, "memory_in_mb", fl_json_int(fl_json_get(doc, "memory_in_mb")), 64,
		    1 << 20);
	check_image(violations, "kernel.image", spec.kernel_image);
	check_file(violations, "kernel.filename", spec.kernel_file);
	if (fl_json_get(doc, "initrd")) {
		check_image(violations, "initrd.image", spec.initrd_image);
		check_file(violations, "initrd.filename", spec.initrd_file);
	}
	check_volumes(violations, &spec);
	check_interfaces(violations, &spec);
	check_egress(violations, &spec);
	check_publish(violations, &spec);
	check_metadata(violations, spec.metadata);
	check_cmdline(violations, spec.cmdline);
	fl_labels_read(spec.labels, &(struct fl_labels){ 0 }, add_label, violations);
	fl_provider_check_spec(&spec, violations);
	check_size(violations, doc);
	return violations;
}

int fl_spec_check(const fl_json *spec, struct fl_err *err)
{
	fl_cleanup_json fl_json *violations = fl_spec_violations(spec);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	for (size_t i = 0; i < fl_json_count(violations); i++) {
		const fl_json *one = fl_json_item(violations, i);

		fl_str_addf(&text, "%s%s: %s", i ? "; " : "", fl_json_text(fl_json_get(one, "path")),
			    fl_json_text(fl_json_get(one, "text")));
	}
	return text.len ? fl_err_set(err, FL_ERR_INVALID, "%s", text.data) : 0;
}
