/* SPDX-License-Identifier: MPL-2.0 */
#include "common/spec.h"

#include "common/alloc.h"
#include "common/base64.h"
#include "common/log.h"
#include "common/schema.h"
#include "common/userdata.h"

#include <string.h>

#define MOST_TOLD 10 /* unknown members */

static const char *text_or(const fl_json *object, const char *key, const char *otherwise)
{
	const char *text = fl_json_text(fl_json_get(object, key));

	return text && *text ? text : otherwise;
}

const fl_json *fl_spec_of(const fl_json *document)
{
	const fl_json *inner = fl_json_get(document, "microvm");

	if (inner)
		document = inner;
	inner = fl_json_get(document, "spec");
	return inner ? inner : document;
}

static void default_text(fl_json *object, const char *key, const char *text)
{
	if (!text_or(object, key, NULL))
		fl_json_set(object, key, fl_json_new_text(text));
}

static void default_int(fl_json *object, const char *key, int64_t value)
{
	if (!fl_json_get(object, key))
		fl_json_set(object, key, fl_json_new_int(value));
}

/* As flintlock has it: an interface for nothing else, on no bridge. */
#define METADATA_MAC "AA:FF:00:00:00:01"

static bool has_interface(const fl_json *interfaces, const char *device)
{
	for (size_t i = 0; i < fl_json_count(interfaces); i++)
		if (strcmp(text_or(fl_json_item(interfaces, i), "device_id", ""), device) == 0)
			return true;
	return false;
}

static void default_metadata_interface(fl_json *spec)
{
	const fl_json *interfaces = fl_json_get(spec, "interfaces");
	struct fl_labels asked;
	fl_json *all, *eth0;

	fl_labels_read(fl_json_get(spec, "labels"), &asked, NULL, NULL);
	if (!asked.metadata_service || has_interface(interfaces, FL_SPEC_METADATA_DEVICE))
		return;
	all = fl_json_new_array();
	eth0 = fl_json_new_object();
	fl_json_set(eth0, "device_id", fl_json_new_text(FL_SPEC_METADATA_DEVICE));
	fl_json_set(eth0, "type", fl_json_new_text("TAP"));
	fl_json_set(eth0, "guest_mac", fl_json_new_text(METADATA_MAC));
	fl_json_put(eth0, "address.address", fl_json_new_text(FL_SPEC_METADATA_ADDRESS));
	fl_json_add(all, eth0);
	for (size_t i = 0; i < fl_json_count(interfaces); i++)
		fl_json_add(all, fl_json_ref(fl_json_item(interfaces, i)));
	fl_json_set(spec, "interfaces", all);
}

fl_json *fl_spec_read(const fl_json *input, struct fl_err *err)
{
	fl_json *spec = fl_schema_canonical(FL_SCHEMA_SPEC, input, err);

	if (!spec)
		return NULL;
	default_text(spec, "namespace", "default");
	default_int(spec, "vcpu", 2);
	default_int(spec, "memory_in_mb", 1024);
	if (fl_json_get(spec, "kernel"))
		default_text(fl_json_get(spec, "kernel"), "filename", "boot/vmlinux");
	if (fl_json_get(spec, "initrd"))
		default_text(fl_json_get(spec, "initrd"), "filename", "initrd");
	if (fl_json_get(spec, "root_volume"))
		default_text(fl_json_get(spec, "root_volume"), "id", "root");
	default_metadata_interface(spec);
	return spec;
}

static void tell_stranger(void *arg, const char *path, const char *meant)
{
	unsigned *count = arg;

	if ((*count)++ >= MOST_TOLD)
		return;
	fl_log(FL_LOG_WARN, "spec: \"%.200s\" is unknown, and does nothing; %s%s%s", path,
	       meant ? "did you mean " : "fl-record(5) has the names", meant ? meant : "",
	       meant ? "?" : "");
}

static void warn_of_user_data(const fl_json *spec)
{
	const char *value = fl_json_text(fl_json_get(fl_json_get(spec, "metadata"), "user-data"));
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct fl_err why = { 0 };

	if (value && fl_base64_decode(value, &text) && text.len &&
	    fl_userdata_check(text.data, text.len, &why) < 0)
		fl_log(FL_LOG_WARN, "spec: metadata.user-data: cloud-init will not do what stands there: %s",
		       why.text);
}

void fl_spec_warn(const fl_json *spec)
{
	unsigned count = 0;

	warn_of_user_data(spec);
	fl_schema_strangers(FL_SCHEMA_SPEC, spec, tell_stranger, &count);
	if (count > MOST_TOLD)
		fl_log(FL_LOG_WARN, "spec: %u more members are unknown", count - MOST_TOLD);
}

static struct fl_volume view_volume(const fl_json *in)
{
	const fl_json *source = fl_json_get(in, "source");
	const char *from = text_or(source, "container_source", NULL);
	bool is_file = from && fl_str_starts(from, FL_SPEC_FILE);

	return (struct fl_volume){
		.id = text_or(in, "id", ""),
		.read_only = fl_json_bool(fl_json_get(in, "is_read_only")),
		.mount_point = text_or(in, "mount_point", NULL),
		.image = is_file ? NULL : from,
		.file = is_file ? from + strlen(FL_SPEC_FILE) : NULL,
		.virtiofs = text_or(source, "virtiofs_source", NULL),
		.size_mb = fl_json_int(fl_json_get(in, "size_in_mb")),
	};
}

const char *fl_spec_cni(const char *bridge)
{
	return bridge && fl_str_starts(bridge, FL_SPEC_CNI) ? bridge + strlen(FL_SPEC_CNI) : NULL;
}

static struct fl_interface view_interface(const fl_json *in)
{
	const fl_json *address = fl_json_get(in, "address");

	return (struct fl_interface){
		.device_id = text_or(in, "device_id", ""),
		.type = strcmp(text_or(in, "type", "MACVTAP"), "TAP") == 0 ? FL_INTERFACE_TAP
									   : FL_INTERFACE_MACVTAP,
		.mac = text_or(in, "guest_mac", NULL),
		.address = text_or(address, "address", NULL),
		.gateway = text_or(address, "gateway", NULL),
		.nameservers = fl_json_get(address, "nameservers"),
		.bridge = text_or(fl_json_get(in, "overrides"), "bridge_name", NULL),
	};
}

static void view_lists(struct fl_spec *view, const fl_json *spec)
{
	const fl_json *root = fl_json_get(spec, "root_volume");
	const fl_json *more = fl_json_get(spec, "additional_volumes");
	const fl_json *interfaces = fl_json_get(spec, "interfaces");

	view->volumes = fl_alloc_zero(fl_json_count(more) + 1, sizeof(*view->volumes));
	if (root)
		view->volumes[view->volume_count++] = view_volume(root);
	for (size_t i = 0; i < fl_json_count(more); i++)
		view->volumes[view->volume_count++] = view_volume(fl_json_item(more, i));
	view->has_root = root;
	view->interfaces = fl_alloc_zero(fl_json_count(interfaces), sizeof(*view->interfaces));
	for (size_t i = 0; i < fl_json_count(interfaces); i++)
		view->interfaces[view->interface_count++] =
			view_interface(fl_json_item(interfaces, i));
}

size_t fl_spec_images(const struct fl_spec *spec, const char **images)
{
	size_t count = 0;

	images[count++] = spec->kernel_image;
	if (spec->initrd_image)
		images[count++] = spec->initrd_image;
	for (size_t i = 0; i < spec->volume_count; i++)
		if (spec->volumes[i].image)
			images[count++] = spec->volumes[i].image;
	for (size_t i = 0, kept = 0, all = count; i < all; i++) {
		size_t k = 0;

		while (k < kept && strcmp(images[k], images[i]) != 0)
			k++;
		if (k == kept)
			images[kept++] = images[i];
		count = kept;
	}
	return count;
}

char *fl_spec_volume_path(const struct fl_spec *spec, size_t number)
{
	if (number == 0 && spec->has_root)
		return fl_strdup("root_volume");
	return fl_asprintf("additional_volumes[%zu]", number - spec->has_root);
}

static bool is_metadata(const struct fl_interface *in)
{
	return strcmp(in->device_id, FL_SPEC_METADATA_DEVICE) == 0 && in->mac &&
	       strcmp(in->mac, METADATA_MAC) == 0;
}

struct fl_spec fl_spec_view(const fl_json *spec)
{
	const fl_json *kernel = fl_json_get(spec, "kernel");
	const fl_json *initrd = fl_json_get(spec, "initrd");
	struct fl_spec view = {
		.name = text_or(spec, "id", ""),
		.name_space = text_or(spec, "namespace", ""),
		.uid = text_or(spec, "uid", NULL),
		.provider = text_or(spec, "provider", ""),
		.vcpu = fl_json_int(fl_json_get(spec, "vcpu")),
		.memory_mb = fl_json_int(fl_json_get(spec, "memory_in_mb")),
		.kernel_image = text_or(kernel, "image", ""),
		.kernel_file = text_or(kernel, "filename", "boot/vmlinux"),
		.cmdline = fl_json_get(kernel, "cmdline"),
		.add_network_config = fl_json_bool(fl_json_get(kernel, "add_network_config")),
		.guest_agent = fl_json_bool(fl_json_get(spec, "allow_guest_agent")),
		.initrd_image = text_or(initrd, "image", NULL),
		.initrd_file = text_or(initrd, "filename", NULL),
		.metadata = fl_json_get(spec, "metadata"),
		.labels = fl_json_get(spec, "labels"),
	};

	view_lists(&view, spec);
	fl_labels_read(view.labels, &view.asked, NULL, NULL);
	for (size_t i = 0; i < view.interface_count; i++)
		view.interfaces[i].is_metadata =
			view.asked.metadata_service && is_metadata(&view.interfaces[i]);
	return view;
}

void fl_spec_finish(struct fl_spec *spec)
{
	free(spec->volumes);
	free(spec->interfaces);
	spec->volumes = NULL;
	spec->interfaces = NULL;
}

/* Members that say who and when, not what. */
static const char *const aside[] = { "uid", "created_at", "updated_at", "deleted_at" };

static bool is_aside(const char *key)
{
	for (size_t i = 0; i < FL_COUNT(aside); i++)
		if (strcmp(aside[i], key) == 0)
			return true;
	return false;
}

static void missing_or_different(const fl_json *a, const fl_json *b, bool only_missing,
				 struct fl_str *names)
{
	for (void *i = fl_json_first(a); i; i = fl_json_next(a, i)) {
		fl_json *other = fl_json_get(b, fl_json_key(i));

		if (is_aside(fl_json_key(i)) ||
		    (other && (only_missing || fl_json_equal(fl_json_value(i), other))))
			continue;
		fl_str_addf(names, "%s%s", names->len ? ", " : "", fl_json_key(i));
	}
}

void fl_spec_difference(const fl_json *a, const fl_json *b, struct fl_str *names)
{
	fl_cleanup_json fl_json *of_a = fl_schema_known(FL_SCHEMA_SPEC, a);
	fl_cleanup_json fl_json *of_b = fl_schema_known(FL_SCHEMA_SPEC, b);

	missing_or_different(of_a, of_b, false, names);
	missing_or_different(of_b, of_a, true, names);
}

bool fl_spec_equal(const fl_json *a, const fl_json *b)
{
	fl_cleanup_str struct fl_str names = FL_STR_INIT;

	fl_spec_difference(a, b, &names);
	return names.len == 0;
}
