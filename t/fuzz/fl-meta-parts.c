/* SPDX-License-Identifier: MPL-2.0 */
/* A spec, a zero byte, and a user's file: what cloud-init is given out of them can be read again,
 * whatever a spec calls its interfaces and mount points, and whatever the file holds. */
#include "cmd/fl-meta/parts.h"
#include "common/yaml.h"
#include "t/fuzz/fuzz.h"

#include <string.h>

#define PART "--==flintlock=part==\n"

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		found++;
	return found;
}

/* Nothing in a file becomes a part of its own. */
static void check_joined(const struct fl_spec *spec, const struct fl_str *user)
{
	fl_cleanup_json fl_json *record = fl_json_new_object();
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	bool mounts = false;

	for (size_t i = 0; i < spec->volume_count; i++)
		mounts |= spec->volumes[i].virtiofs && spec->volumes[i].mount_point &&
			  !(i == 0 && spec->has_root);
	fl_parts_vendor(record, spec, user, &out);
	MUST(strlen(out.data) == out.len);
	/* Mounts are told to cloud-init and, for later ones, done by a script. */
	MUST(count(out.data, PART) == (size_t)1 + (user->len > 0) + 2 * mounts);
}

static void check_network(const struct fl_spec *spec)
{
	fl_cleanup_json fl_json *record = fl_json_new_object(), *read = NULL;
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	const fl_json *links;

	fl_parts_network(record, spec, &out);
	read = fl_yaml_parse(out.data, out.len, "network-config", NULL);
	links = fl_json_get(read, "ethernets");
	MUST(read && fl_json_count(read) == 2 && fl_json_count(links) == spec->interface_count);
	for (size_t i = 0; i < spec->interface_count; i++)
		MUST(fl_json_get(links, spec->interfaces[i].device_id));
}

static void check_meta_data(const struct fl_spec *spec, const struct fl_str *user)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	fl_cleanup_yaml struct fl_yaml yaml = { 0 };

	if (fl_parts_meta_data(spec, user, &out, NULL) < 0)
		return;
	MUST(fl_yaml_look(out.data, out.len, "meta-data", &yaml, NULL) == 0 && yaml.is_mapping);
	MUST(fl_yaml_has(&yaml, "instance-id") && fl_yaml_has(&yaml, "instance_id"));
	MUST(fl_yaml_has(&yaml, "local-hostname") || fl_yaml_has(&yaml, "local_hostname"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *end = size ? memchr(data, 0, size) : NULL;
	size_t used = end ? (size_t)(end - data) : size;
	fl_cleanup_json fl_json *sent = fl_json_parse((const char *)data, used, "spec", NULL);
	fl_cleanup_json fl_json *doc = sent ? fl_spec_read(sent, NULL) : NULL;
	fl_cleanup_str struct fl_str user = FL_STR_INIT;
	fl_cleanup_spec struct fl_spec spec = { 0 };

	if (!doc || fl_spec_check(doc, NULL) < 0)
		return 0;
	if (end)
		fl_str_add_bytes(&user, (const char *)end + 1, size - used - 1);
	spec = fl_spec_view(doc);
	/* A microVM has one by then. */
	spec.uid = spec.uid ? spec.uid : "01ARZ3NDEKTSV4RRFFQ69G5FAV";
	check_network(&spec);
	check_joined(&spec, &user);
	check_meta_data(&spec, &user);
	return 0;
}
