/* SPDX-License-Identifier: MPL-2.0 */
#include "common/provider.h"

#include "common/arch.h"

#include <string.h>

const struct fl_provider fl_providers[] = {
	{ .name = "qemu", .program = "qemu-system", .max_vcpu = 64, .macvtap = true,
	  .virtiofs = true, .vsock = true, .qcow2 = true, .fw_cfg = true, .emulates = true },
	{ .name = "firecracker", .program = "firecracker", .max_vcpu = 32, .vsock = true,
	  .metadata_service = true, .network_limits = true },
	{ .name = "cloudhypervisor", .program = "cloud-hypervisor", .max_vcpu = 254,
	  .macvtap = true, .virtiofs = true, .vsock = true, .network_limits = true, .qcow2 = true,
	  /* Ten times a second it adds what has accrued since, in whole operations. */
	  .least_operations = 10 },
	{ 0 },
};

const struct fl_provider *fl_provider_find(const char *name)
{
	const struct fl_provider *provider = fl_providers;

	if (!*name)
		return provider;
	while (provider->name && strcmp(provider->name, name) != 0)
		provider++;
	return provider->name ? provider : NULL;
}

static void FL_PRINTF(4, 5) add(fl_json *violations, const char *path, const char *name,
				const char *fmt, ...)
{
	fl_json *one = fl_json_new_object();
	struct fl_str text = FL_STR_INIT;
	va_list args;

	fl_str_addf(&text, "provider %s: ", name);
	va_start(args, fmt);
	fl_str_vaddf(&text, fmt, args);
	va_end(args);
	fl_json_set(one, "capability", fl_json_new_bool(true));
	fl_json_set(one, "path", fl_json_new_text(path));
	fl_json_set(one, "text", fl_json_new_text(text.data));
	fl_json_add(violations, one);
	fl_str_finish(&text);
}

static void add_unknown(fl_json *violations, const char *name)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_str_add(&text, "unknown; known are");
	for (size_t i = 0; fl_providers[i].name; i++)
		fl_str_addf(&text, "%s %s", i ? "," : "", fl_providers[i].name);
	add(violations, "provider", name, "%s", text.data);
}

/* virtio's: the tag of a file system device has 36 bytes (virtio 1.2, 5.11.4). */
#define LONGEST_TAG 36

static void check_tag(const char *provider, size_t number, const char *id, fl_json *violations)
{
	if (number >= FL_PROVIDER_SHARES)
		add(violations, "additional_volumes", provider, "more than %d folders of the host",
		    FL_PROVIDER_SHARES);
	else if (strlen(fl_provider_share_tag(number, id)) > LONGEST_TAG)
		add(violations, "additional_volumes", provider,
		    "the id of a folder's volume has more than %d characters", LONGEST_TAG);
	else if (number && strcmp(id, fl_provider_share_tag(0, id)) == 0)
		add(violations, "additional_volumes", provider,
		    "the id \"%s\" is the first folder's tag; use another", id);
}

static void check_share(const struct fl_provider *provider, const struct fl_volume *volume,
			size_t number, fl_json *violations)
{
	check_tag(provider->name, number, volume->id, violations);
	if (!provider->virtiofs)
		add(violations, "additional_volumes", provider->name,
		    "virtiofs not supported by the microvm provider; use an image");
	else if (volume->read_only)
		add(violations, "additional_volumes", provider->name,
		    "a folder of the host cannot be kept from being written through virtiofs; leave "
		    "is_read_only out, or use an image");
}

static void check_asked(const struct fl_provider *provider, const struct fl_labels *asked,
			fl_json *violations)
{
	if (asked->metadata_service && !provider->metadata_service)
		add(violations, "labels." FL_LABEL_PREFIX "metadata-service", provider->name,
		    "has no metadata service; leave the label out, the seed disk has the same");
	if (asked->platform && fl_arch_of_platform(asked->platform) != fl_arch_host() &&
	    !provider->emulates)
		add(violations, "labels." FL_LABEL_PREFIX "platform", provider->name,
		    "runs guests of this machine's architecture only, %s; set provider to qemu",
		    fl_arch_host()->name);
	if (asked->network_bandwidth && !provider->network_limits)
		add(violations, "labels." FL_LABEL_PREFIX "network-bandwidth", provider->name,
		    "cannot limit a network interface");
	if (asked->disk_operations && asked->disk_operations < provider->least_operations)
		add(violations, "labels." FL_LABEL_PREFIX "disk-operations", provider->name,
		    "cannot let a disk work at fewer than %u operations a second; ask for that many, "
		    "or for disk-bandwidth", provider->least_operations);
}

static void check(const struct fl_provider *provider, const struct fl_spec *spec,
		  fl_json *violations)
{
	size_t shares = 0;

	if (spec->vcpu > provider->max_vcpu)
		add(violations, "vcpu", provider->name, "cannot give that many");
	for (size_t i = 0; i < spec->interface_count; i++)
		if (spec->interfaces[i].type == FL_INTERFACE_MACVTAP && !provider->macvtap)
			add(violations, "interfaces", provider->name,
			    "macvtap network interfaces not supported by the microvm provider; "
			    "set the interface's type to TAP");
	for (size_t i = 0; i < spec->volume_count; i++)
		if (spec->volumes[i].virtiofs)
			check_share(provider, &spec->volumes[i], shares++, violations);
	if (spec->guest_agent && !provider->vsock)
		add(violations, "allow_guest_agent", provider->name,
		    "guest agent (vsock) not supported by the microvm provider");
	check_asked(provider, &spec->asked, violations);
}

static bool is_capable(const struct fl_provider *provider, const struct fl_spec *spec)
{
	fl_cleanup_json fl_json *violations = fl_json_new_array();

	check(provider, spec, violations);
	return fl_json_count(violations) == 0;
}

const struct fl_provider *fl_provider_choose(const struct fl_spec *spec, const char *preferred)
{
	const struct fl_provider *first = fl_provider_find(preferred ? preferred : "");

	if (*spec->provider)
		return fl_provider_find(spec->provider);
	first = first ? first : fl_providers;
	if (is_capable(first, spec))
		return first;
	for (const struct fl_provider *one = fl_providers; one->name; one++)
		if (is_capable(one, spec))
			return one;
	return first;
}

void fl_provider_check_spec(const struct fl_spec *spec, fl_json *violations)
{
	const struct fl_provider *provider = fl_provider_choose(spec, NULL);

	if (provider)
		check(provider, spec, violations);
	else
		add_unknown(violations, spec->provider);
}

const char *fl_provider_share_tag(size_t number, const char *id)
{
	return number ? id : "user";
}
