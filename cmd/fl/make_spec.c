/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/make_spec.h"

#include "common/base64.h"
#include "common/io.h"
#include "common/provider.h"
#include "common/reference.h"
#include "common/spec.h"
#include "common/ssh_key.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

const struct fl_option fl_make_spec_options[] = {
	{ "name", 'n', "NAME", "the microVM's name" },
	{ "namespace", 0, "NAME", "its namespace (default)" },
	{ "kernel", 'k', "REF", "image that holds the kernel" },
	{ "kernel-file", 0, "PATH", "the kernel in it (boot/vmlinux)" },
	{ "cmdline", 0, "KEY[=VALUE]", "an argument for the kernel; may be repeated" },
	{ "initrd", 0, "REF", "image that holds the initrd" },
	{ "initrd-file", 0, "PATH", "the initrd in it (boot/initrd.img)" },
	{ "root", 'r', "REF", "image of the root volume" },
	{ "root-size", 0, "SIZE", "of the root's file system (10G)" },
	{ "read-only", 0, NULL, "the root is read-only and shared" },
	{ "volume", 0, "ID=REF[:PATH]", "a further volume, mounted at PATH; REF may be a /FOLDER or file:/DISK of the host" },
	{ "cpus", 'c', "N", "virtual processors (2)" },
	{ "memory", 'm', "MIB", "memory, also such as 2G (1024)" },
	{ "bridge", 'b', "NAME", "a tap on this bridge, or on cni:NETWORK; may be repeated" },
	{ "ip", 0, "CIDR", "static address of the interface before it" },
	{ "gateway", 0, "ADDRESS", "its gateway" },
	{ "nameserver", 0, "ADDRESS", "its nameserver" },
	{ "mac", 0, "MAC", "its MAC" },
	{ "publish", 'p', "[ADDRESS:]PORT:TO[/udp]", "a port of the host leads to the guest's; may be repeated" },
	{ "egress", 0, "deny|allow", "deny: the guest reaches nothing by itself, but what --allow names" },
	{ "allow", 0, "ADDRESS[/PREFIX][:PORT]", "with --egress deny: a destination; may be repeated" },
	{ "ssh-key", 0, "FILE", "public key that may log in; may be repeated" },
	{ "user-data", 0, "FILE", "cloud-init's user-data, as it is" },
	{ "meta-data", 0, "FILE", "cloud-init's meta-data" },
	{ "vendor-data", 0, "FILE", "cloud-init's vendor-data" },
	{ "ignition", 0, "FILE", "Ignition's configuration" },
	{ "metadata-service", 0, "v1|v2", "Firecracker's, at 169.254.169.254" },
	{ "disk-bandwidth", 0, "SIZE", "at most so many bytes a second, of each disk" },
	{ "disk-operations", 0, "N", "at most so many reads and writes a second, of each disk" },
	{ "network-bandwidth", 0, "SIZE", "bytes a second, of each interface and direction" },
	{ "label", 'l', "KEY=VALUE", "a label; may be repeated" },
	{ "guest-agent", 0, NULL, "a vsock, to speak to an agent in the guest" },
	{ "platform", 0, "OS/ARCH[/VARIANT]", "whose images and guest, such as linux/arm64 (this machine's)" },
	{ "provider", 0, FL_PROVIDERS_WORDS, "the VMM (the host's default)" },
	{ 0 },
};

static int put_text(const struct fl_args *args, const char *option, fl_json *spec,
		    const char *path)
{
	const char *value = fl_args_text(args, option, NULL);

	if (value)
		fl_json_put(spec, path, fl_json_new_text(value));
	return 0;
}

/* A layout's folder and an archive's file by their whole path: who reads the spec may have another
 * working folder. Other names stay as they are written. */
static void put_image(fl_json *json, const char *path, const char *text)
{
	fl_cleanup_reference struct fl_reference reference = { 0 };
	bool is_file = fl_reference_parse(text, &reference, NULL) == 0 && !reference.host;

	fl_json_put(json, path, fl_json_new_text(is_file ? reference.text : text));
}

static void put_image_option(const struct fl_args *args, const char *option, fl_json *spec,
			     const char *path)
{
	const char *value = fl_args_text(args, option, NULL);

	if (value)
		put_image(spec, path, value);
}

static int put_number(const struct fl_args *args, const char *option, fl_json *spec,
		      const char *path, struct fl_err *err)
{
	uint64_t value;

	if (!fl_args_flag(args, option))
		return 0;
	if (fl_args_number(args, option, 1, INT32_MAX, 0, &value, err) < 0)
		return -1;
	fl_json_put(spec, path, fl_json_new_int((int64_t)value));
	return 0;
}

/* MiB, or a size with its unit. */
static int put_memory(const struct fl_args *args, fl_json *spec, struct fl_err *err)
{
	const char *text = fl_args_text(args, "memory", "");
	uint64_t bytes;

	if (!*text || !text[strspn(text, "0123456789")])
		return put_number(args, "memory", spec, "memory_in_mb", err);
	if (fl_args_size(args, "memory", 0, &bytes, err) < 0)
		return -1;
	fl_json_set(spec, "memory_in_mb", fl_json_new_int((int64_t)(bytes >> 20)));
	return 0;
}

/* KEY=VALUE into an object; without "=" the value is "". */
static void put_pairs(const struct fl_args *args, const char *option, fl_json *spec,
		      const char *path)
{
	fl_json *map = fl_json_new_object();
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, option, i)); i++) {
		size_t len = strcspn(text, "=");
		fl_cleanup_free char *key = fl_strndup(text, len);

		fl_json_set(map, key, fl_json_new_text(text[len] ? text + len + 1 : ""));
	}
	if (fl_json_count(map))
		fl_json_put(spec, path, map);
	else
		fl_json_unref(map);
}

static void put_label(fl_json *spec, const char *name, const char *value)
{
	fl_cleanup_free char *label = fl_asprintf(FL_LABEL_PREFIX "%s", name);

	if (!fl_json_get(spec, "labels"))
		fl_json_set(spec, "labels", fl_json_new_object());
	fl_json_set(fl_json_get(spec, "labels"), label, fl_json_new_text(value));
}

/* A repeated option, as a list. */
static void put_list(const struct fl_args *args, const char *option, fl_json *spec)
{
	fl_cleanup_str struct fl_str list = FL_STR_INIT;
	const char *one;

	for (size_t i = 0; (one = fl_args_each(args, option, i)); i++)
		fl_str_addf(&list, "%s%s", i ? "," : "", one);
	if (list.len)
		put_label(spec, option, list.data);
}

/* Wishes that are labels. */
static void put_labels(const struct fl_args *args, fl_json *spec)
{
	static const char *const names[] = { "metadata-service", "disk-bandwidth", "disk-operations",
					     "network-bandwidth", "egress", "platform" };

	put_pairs(args, "label", spec, "labels");
	for (size_t i = 0; i < FL_COUNT(names); i++) {
		const char *value = fl_args_text(args, names[i], NULL);

		if (value)
			put_label(spec, names[i], value);
	}
	put_list(args, "publish", spec);
	put_list(args, "allow", spec);
}

static int put_root(const struct fl_args *args, fl_json *spec, struct fl_err *err)
{
	uint64_t size;

	if (!fl_args_flag(args, "root"))
		return 0;
	fl_json_put(spec, "root_volume.id", fl_json_new_text("root"));
	if (fl_args_flag(args, "read-only"))
		fl_json_put(spec, "root_volume.is_read_only", fl_json_new_bool(true));
	put_image_option(args, "root", spec, "root_volume.source.container_source");
	if (fl_args_size(args, "root-size", 0, &size, err) < 0)
		return -1;
	if (size && size < 1 << 20)
		return fl_err_set(err, FL_ERR_USAGE, "option --root-size: %" PRIu64 " bytes are less than "
				  "a MiB; write such as 10G", size);
	if (size)
		fl_json_put(spec, "root_volume.size_in_mb",
			    fl_json_new_int((int64_t)((size + (1 << 20) - 1) >> 20)));
	return 0;
}

/* Where the last ":/" is, which a mount point stands behind; the one of "oci:/folder" is none. */
static const char *find_mount(const char *ref)
{
	static const char *const kinds[] = { "oci", "oci-archive", "docker-archive", "file" };
	const char *last = NULL, *at = ref;

	while ((at = strstr(at, ":/")))
		last = at++;
	for (size_t i = 0; last && i < FL_COUNT(kinds); i++)
		if ((size_t)(last - ref) == strlen(kinds[i]) && fl_str_starts(ref, kinds[i]))
			return NULL;
	return last;
}

/* ID=REF or ID=REF:/PATH; of a folder of the host ID=/FOLDER or ID=/FOLDER:/PATH. */
static int put_volume(const char *text, fl_json *list, struct fl_err *err)
{
	const char *ref = strchr(text, '='), *path;
	fl_cleanup_free char *source = NULL;
	fl_json *volume;

	if (!ref)
		return fl_err_set(err, FL_ERR_USAGE, "option --volume: \"%s\" is not ID=REF[:PATH]",
				  text);
	path = find_mount(++ref);
	volume = fl_json_new_object();
	fl_json_set(volume, "id", fl_json_new_text_bytes(text, (size_t)(ref - text) - 1));
	source = fl_strndup(ref, path ? (size_t)(path - ref) : strlen(ref));
	if (*ref == '/')
		fl_json_put(volume, "source.virtiofs_source", fl_json_new_text(source));
	else
		put_image(volume, "source.container_source", source);
	if (path)
		fl_json_set(volume, "mount_point", fl_json_new_text(path + 1));
	fl_json_add(list, volume);
	return 0;
}

static int put_volumes(const struct fl_args *args, fl_json *spec, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();
	const char *text;

	for (size_t i = 0; (text = fl_args_each(args, "volume", i)); i++)
		if (put_volume(text, list, err) < 0)
			return -1;
	if (fl_json_count(list))
		fl_json_set(spec, "additional_volumes", fl_json_ref(list));
	return 0;
}

/* Options belong to the bridge before them, so they are taken in the order given. */
static int put_interface_option(fl_json *interface, const char *name, const char *value,
				struct fl_err *err)
{
	static const struct {
		const char *option, *path;
	} places[] = { { "ip", "address.address" }, { "gateway", "address.gateway" },
		       { "mac", "guest_mac" } };

	for (size_t i = 0; i < FL_COUNT(places); i++) {
		if (strcmp(places[i].option, name) != 0)
			continue;
		if (!interface)
			return fl_err_set(err, FL_ERR_USAGE, "option --%s: give --bridge before it",
					  name);
		fl_json_put(interface, places[i].path, fl_json_new_text(value));
	}
	if (strcmp(name, "nameserver") == 0 && interface) {
		fl_json *servers = fl_json_at(interface, "address.nameservers");

		if (!servers) {
			servers = fl_json_new_array();
			fl_json_put(interface, "address.nameservers", servers);
		}
		fl_json_add(servers, fl_json_new_text(value));
	}
	return 0;
}

static int put_interfaces(const struct fl_args *args, fl_json *spec, struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_json_new_array();
	fl_json *last = NULL;
	char name[16];

	for (size_t i = 0; i < args->values.count; i++) {
		const struct fl_arg_value *one = &args->values.items[i];

		if (strcmp(one->option->name, "bridge") == 0) {
			snprintf(name, sizeof(name), "eth%zu", fl_json_count(list));
			last = fl_json_new_object();
			fl_json_set(last, "device_id", fl_json_new_text(name));
			fl_json_set(last, "type", fl_json_new_text("TAP"));
			fl_json_put(last, "overrides.bridge_name", fl_json_new_text(one->value));
			fl_json_add(list, last);
		} else if (put_interface_option(last, one->option->name, one->value, err) < 0) {
			return -1;
		}
	}
	if (fl_json_count(list))
		fl_json_set(spec, "interfaces", fl_json_ref(list));
	return 0;
}

static void put_metadata(fl_json *spec, const char *key, const struct fl_str *bytes)
{
	fl_cleanup_str struct fl_str encoded = FL_STR_INIT;
	fl_json *metadata = fl_json_get(spec, "metadata");

	if (!metadata) {
		metadata = fl_json_new_object();
		fl_json_set(spec, "metadata", metadata);
	}
	fl_base64_encode(bytes->data, bytes->len, &encoded);
	fl_json_set(metadata, key, fl_json_new_text(encoded.data));
}

static int put_files(const struct fl_args *args, fl_json *spec, struct fl_err *err)
{
	static const char *const keys[] = { "user-data", "meta-data", "vendor-data", "ignition" };

	for (size_t i = 0; i < FL_COUNT(keys); i++) {
		const char *file = fl_args_text(args, keys[i], NULL);
		fl_cleanup_str struct fl_str text = FL_STR_INIT;

		if (!file)
			continue;
		if (fl_io_read_file(AT_FDCWD, file, 16 << 20, &text, err) < 0)
			return -1;
		put_metadata(spec, keys[i], &text);
	}
	return 0;
}

/* A key as one line of a cloud-config list; JSON's text is YAML's too. */
static int add_key(const char *file, struct fl_str *out, struct fl_err *err)
{
	fl_cleanup_json fl_json *key = fl_ssh_key_read(file, err);

	if (!key)
		return -1;
	fl_str_add(out, "  - ");
	fl_json_print(key, false, out);
	fl_str_add(out, "\n");
	return 0;
}

static int put_keys(const struct fl_args *args, fl_json *spec, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const char *file;

	if (!fl_args_flag(args, "ssh-key"))
		return 0;
	if (fl_args_flag(args, "user-data"))
		return fl_err_set(err, FL_ERR_USAGE, "--ssh-key and --user-data exclude each other: "
				  "put the keys into the user-data (ssh_authorized_keys)");
	fl_str_add(&text, "#cloud-config\ndisable_root: false\nssh_authorized_keys:\n");
	for (size_t i = 0; (file = fl_args_each(args, "ssh-key", i)); i++)
		if (add_key(file, &text, err) < 0)
			return -1;
	put_metadata(spec, "user-data", &text);
	return 0;
}

static void put_kernel(const struct fl_args *args, fl_json *spec)
{
	put_image_option(args, "kernel", spec, "kernel.image");
	put_text(args, "kernel-file", spec, "kernel.filename");
	put_pairs(args, "cmdline", spec, "kernel.cmdline");
	fl_json_put(spec, "kernel.add_network_config", fl_json_new_bool(true));
	if (!fl_args_flag(args, "initrd"))
		return;
	put_image_option(args, "initrd", spec, "initrd.image");
	fl_json_put(spec, "initrd.filename",
		    fl_json_new_text(fl_args_text(args, "initrd-file", "boot/initrd.img")));
}

int fl_make_spec(struct fl_args *args, struct fl_err *err)
{
	fl_cleanup_json fl_json *spec = fl_json_new_object();
	fl_cleanup_json fl_json *canonical = NULL;
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	if (!fl_args_flag(args, "name"))
		return fl_err_set(err, FL_ERR_USAGE, "option --name is missing: the microVM's name");
	put_text(args, "name", spec, "id");
	put_text(args, "namespace", spec, "namespace");
	put_text(args, "provider", spec, "provider");
	put_labels(args, spec);
	put_kernel(args, spec);
	if (fl_args_flag(args, "guest-agent"))
		fl_json_set(spec, "allow_guest_agent", fl_json_new_bool(true));
	if (put_number(args, "cpus", spec, "vcpu", err) < 0 ||
	    put_memory(args, spec, err) < 0 ||
	    put_root(args, spec, err) < 0 || put_volumes(args, spec, err) < 0 ||
	    put_interfaces(args, spec, err) < 0 || put_files(args, spec, err) < 0 ||
	    put_keys(args, spec, err) < 0)
		return -1;
	canonical = fl_spec_read(spec, err);
	if (!canonical || fl_spec_check(canonical, err) < 0)
		return -1;
	fl_json_print(canonical, fl_cli_is_terminal(), &out);
	fl_str_add(&out, "\n");
	return fl_cli_print(out.data, out.len, err);
}
