/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/hardware.h"

#include "common/alloc.h"
#include "common/sha256.h"
#include "common/share.h"

#include <net/if.h>
#include <string.h>

static const char *in_record(const struct fl_vmm_request *request, const char *path)
{
	return fl_json_text(fl_json_at(request->record, path));
}

static char *root_argument(const struct fl_vmm_request *request)
{
	const struct fl_spec *spec = request->spec;
	fl_cleanup_free char *path = NULL;
	const char *uuid;

	/* Else the first is a volume like any other. */
	if (!spec->has_root)
		return NULL;
	path = fl_asprintf("host.volumes.%s.uuid", spec->volumes[0].id);
	uuid = in_record(request, path);
	/* Only an initrd finds a file system by its UUID. */
	return uuid && spec->initrd_image ? fl_asprintf("UUID=%s", uuid) : fl_strdup("/dev/vda");
}

static int read_kernel(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		       struct fl_err *err)
{
	const struct fl_spec *spec = request->spec;
	const char *kernel = in_record(request, "host.kernel.path");
	const char *initrd = in_record(request, "host.initrd.path");

	if (request->check && !kernel)
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "the kernel's file is not made yet; run \"fl-snap up\" first");
	hardware->kernel = fl_strdup(kernel ? kernel : spec->kernel_file);
	if (spec->initrd_image)
		hardware->initrd = fl_strdup(initrd ? initrd : spec->initrd_file);
	hardware->root = root_argument(request);
	hardware->root_read_only = spec->has_root && spec->volumes[0].read_only;
	return 0;
}

static const char *format_of(const struct fl_vmm_request *request, const struct fl_volume *volume)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s.format", volume->id);

	return fl_str_equal(in_record(request, at), "qcow2") ? "qcow2" : "raw";
}

static int read_volume(const struct fl_vmm_request *request, const struct fl_volume *volume,
		       struct fl_hardware_disk *disk, struct fl_err *err)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s.path", volume->id);
	const char *path = in_record(request, at), *format = format_of(request, volume);

	if (request->check && (!path || access(path, R_OK) < 0))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "volume %s is not made yet; run \"fl-snap up\" first", volume->id);
	if (strcmp(format, "qcow2") == 0 && !request->provider->qcow2)
		return fl_err_set(err, FL_ERR_PRECONDITION, "volume %s is a qcow2 disk, which %s cannot "
				  "read; make the microVM anew (fl down, fl up --backend file)", volume->id,
				  request->provider->name);
	*disk = (struct fl_hardware_disk){
		.id = volume->id,
		.format = format,
		.path = path ? fl_strdup(path)
			     : fl_asprintf("%s/volumes/%s.img", request->vm->path, volume->id),
		.read_only = volume->read_only,
	};
	return 0;
}

/* What fl-meta made, or in a dry run would make. */
static void add_seed(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		     const char *id, const char *path, const char *name)
{
	if (!path && request->check)
		return;
	hardware->disks[hardware->disk_count++] = (struct fl_hardware_disk){
		.id = id,
		.format = "raw",
		.path = path ? fl_strdup(path) : fl_asprintf("%s/%s", request->vm->path, name),
		.read_only = true,
	};
}

static bool wants_ignition(const struct fl_vmm_request *request)
{
	return fl_json_get(request->spec->metadata, "ignition");
}

static void read_ignition(const struct fl_vmm_request *request, struct fl_hardware *hardware)
{
	const char *path = in_record(request, "host.seed.ignition");

	if (!wants_ignition(request))
		return;
	if (!request->provider->fw_cfg)
		add_seed(request, hardware, "ignition", path, "ignition.img");
	else
		hardware->ignition = path ? fl_strdup(path)
					  : fl_asprintf("%s/ignition.json", request->vm->path);
}

static int read_service(const struct fl_vmm_request *request, struct fl_hardware *hardware,
			struct fl_err *err)
{
	const char *path = in_record(request, "host.seed.service");

	if (!request->spec->asked.metadata_service)
		return 0;
	if (request->check && !path)
		return fl_err_set(err, FL_ERR_PRECONDITION, "the metadata service's document is not made "
				  "yet; run \"fl-meta up\" first");
	hardware->service = path ? fl_strdup(path) : fl_asprintf("%s/metadata.json", request->vm->path);
	return 0;
}

static int read_disks(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		      struct fl_err *err)
{
	const struct fl_spec *spec = request->spec;

	hardware->disks = fl_alloc_zero(spec->volume_count + 2, sizeof(*hardware->disks));
	for (size_t i = 0; i < spec->volume_count; i++) {
		if (spec->volumes[i].virtiofs)
			continue;
		if (read_volume(request, &spec->volumes[i],
				&hardware->disks[hardware->disk_count], err) < 0)
			return -1;
		hardware->disk_count++;
	}
	add_seed(request, hardware, "cloud-init", in_record(request, "host.seed.path"),
		 "cloud-init.img");
	read_ignition(request, hardware);
	return read_service(request, hardware, err);
}

static int read_link(const struct fl_vmm_request *request, const struct fl_interface *in,
		     struct fl_hardware_link *link, struct fl_err *err)
{
	fl_cleanup_free char *link_at = fl_asprintf("host.network.%s.link", in->device_id);
	fl_cleanup_free char *mac_at = fl_asprintf("host.network.%s.mac", in->device_id);
	const char *name = in_record(request, link_at), *mac = in_record(request, mac_at);

	/* Some VMMs would silently make a tap of that name. */
	if (request->check && (!name || if_nametoindex(name) == 0))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "interface %s has no tap; run \"fl-net up\" first", in->device_id);
	*link = (struct fl_hardware_link){ .id = in->device_id,
					   .link = fl_strdup(name ? name : "TAP"),
					   .mac = fl_strdup(mac ? mac : in->mac ? in->mac : "MAC"),
					   .fd = -1 };
	return 0;
}

/* Whoever is to be kept in does not start before the rules for that are there. */
static int check_egress(const struct fl_vmm_request *request, struct fl_err *err)
{
	const struct fl_labels *asked = &request->spec->asked;

	if (!request->check || !request->spec->interface_count || !asked->deny_egress ||
	    fl_str_equal(in_record(request, "host.egress"), asked->allow ? asked->allow : ""))
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION,
			  "what the guest may reach is not denied yet; run \"fl-net up\" first");
}

static int read_links(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		      struct fl_err *err)
{
	const struct fl_spec *spec = request->spec;
	int fd = FL_HARDWARE_TAP_FD;

	if (check_egress(request, err) < 0)
		return -1;
	hardware->links = fl_alloc_zero(spec->interface_count, sizeof(*hardware->links));
	for (size_t i = 0; i < spec->interface_count; i++) {
		struct fl_hardware_link *link = &hardware->links[i];

		if (read_link(request, &spec->interfaces[i], link, err) < 0)
			return -1;
		hardware->link_count++;
		if (spec->interfaces[i].type == FL_INTERFACE_MACVTAP)
			link->fd = fd++;
	}
	return 0;
}

static int read_share(const struct fl_vmm_request *request, const struct fl_volume *volume,
		      struct fl_hardware *hardware, struct fl_err *err)
{
	size_t number = hardware->share_count;
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	struct fl_hardware_share *share = &hardware->shares[number];

	share->folder = fl_share_resolve(volume->virtiofs, err);
	if (!share->folder)
		return fl_err_prefix(err, "volume %s", volume->id);
	share->tag = fl_provider_share_tag(number, volume->id);
	share->socket = fl_asprintf("%s/virtiofs-%zu.sock", run, number);
	hardware->share_count++;
	return 0;
}

static int read_shares(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		       struct fl_err *err)
{
	const struct fl_spec *spec = request->spec;

	hardware->shares = fl_alloc_zero(spec->volume_count + 1, sizeof(*hardware->shares));
	for (size_t i = 0; i < spec->volume_count; i++)
		if (spec->volumes[i].virtiofs &&
		    read_share(request, &spec->volumes[i], hardware, err) < 0)
			return -1;
	if (!hardware->share_count)
		return 0;
	hardware->virtiofsd = request->check ? fl_share_daemon(err) : fl_strdup("virtiofsd");
	return hardware->virtiofsd ? 0 : -1;
}

/* 0, 1 and 2 are everybody's; 2^32 - 1 is "any". The uid's hash makes a number of its own. */
static void read_vsock(const struct fl_vmm_request *request, struct fl_hardware *hardware)
{
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	unsigned char sum[FL_SHA256_SIZE];

	if (!request->spec->guest_agent)
		return;
	fl_sha256_sum(request->vm->uid, strlen(request->vm->uid), sum);
	hardware->vsock.socket = fl_asprintf("%s/guest-agent.vsock", run);
	hardware->vsock.cid = 3 + ((uint32_t)(sum[0] & 0x7f) << 24 | (uint32_t)sum[1] << 16 |
				   (uint32_t)sum[2] << 8 | sum[3]);
}

int fl_hardware_read(const struct fl_vmm_request *request, struct fl_hardware *hardware,
		     struct fl_err *err)
{
	if (read_kernel(request, hardware, err) < 0 || read_disks(request, hardware, err) < 0)
		return -1;
	read_vsock(request, hardware);
	if (read_shares(request, hardware, err) < 0)
		return -1;
	return read_links(request, hardware, err);
}

void fl_hardware_finish(struct fl_hardware *hardware)
{
	for (size_t i = 0; i < hardware->disk_count; i++)
		free(hardware->disks[i].path);
	for (size_t i = 0; i < hardware->link_count; i++) {
		free(hardware->links[i].link);
		free(hardware->links[i].mac);
	}
	for (size_t i = 0; i < hardware->share_count; i++) {
		free(hardware->shares[i].folder);
		free(hardware->shares[i].socket);
	}
	free(hardware->shares);
	free(hardware->virtiofsd);
	free(hardware->vsock.socket);
	free(hardware->disks);
	free(hardware->links);
	free(hardware->ignition);
	free(hardware->service);
	free(hardware->kernel);
	free(hardware->initrd);
	free(hardware->root);
}

void fl_hardware_cmdline(const struct fl_vmm_request *request, const struct fl_hardware *hardware,
			 const struct fl_kernel_argument *defaults,
			 const char *reboot, struct fl_str *text)
{
	struct fl_kernel_argument all[10] = { { hardware->root_read_only ? "ro" : "rw", "" } };
	bool is_amd64 = strcmp(request->arch->name, "amd64") == 0;
	const struct fl_kernel_argument forced[] = {
		{ "panic", "1" }, { is_amd64 ? "reboot" : NULL, reboot }, { NULL, NULL }
	};
	size_t count = 1;

	for (; defaults->key && count < FL_COUNT(all) - 3; defaults++)
		all[count++] = *defaults;
	if (hardware->root)
		all[count++] = (struct fl_kernel_argument){ "root", hardware->root };
	if (wants_ignition(request))
		all[count++] = (struct fl_kernel_argument){
			"ignition.platform.id", request->provider->fw_cfg ? "qemu" : "openstack"
		};
	fl_kernel_cmdline(request->spec, all, forced, text);
}

static fl_json *taps_of(const struct fl_hardware *hardware)
{
	fl_json *taps = NULL;

	for (size_t i = 0; i < hardware->link_count; i++) {
		fl_json *tap;

		if (hardware->links[i].fd < 0)
			continue;
		tap = fl_json_new_object();
		fl_json_set(tap, "fd", fl_json_new_int(hardware->links[i].fd));
		fl_json_set(tap, "link", fl_json_new_text(hardware->links[i].link));
		taps = taps ? taps : fl_json_new_array();
		fl_json_add(taps, tap);
	}
	return taps;
}

void fl_hardware_launch_disks(const struct fl_hardware *hardware, fl_json *launch)
{
	fl_json *ids = fl_json_new_array(), *paths = fl_json_new_array();

	for (size_t i = 0; i < hardware->disk_count; i++) {
		fl_json_add(ids, fl_json_new_text(hardware->disks[i].id));
		fl_json_add(paths, fl_json_new_text(hardware->disks[i].path));
	}
	fl_json_set(launch, "disks", ids);
	fl_json_set(launch, "disk_paths", paths);
}

static fl_json *shares_of(const struct fl_hardware *hardware)
{
	fl_json *shares = fl_json_new_array();

	for (size_t i = 0; i < hardware->share_count; i++) {
		fl_json *share = fl_json_new_object();

		fl_json_set(share, "folder", fl_json_new_text(hardware->shares[i].folder));
		fl_json_set(share, "socket", fl_json_new_text(hardware->shares[i].socket));
		fl_json_add(shares, share);
	}
	return shares;
}

void fl_hardware_launch(const struct fl_hardware *hardware, fl_json *launch)
{
	fl_json_set(launch, "taps", taps_of(hardware));
	if (hardware->share_count) {
		fl_json_set(launch, "virtiofsd", fl_json_new_text(hardware->virtiofsd));
		fl_json_set(launch, "shares", shares_of(hardware));
	}
	if (hardware->vsock.socket)
		fl_json_put(launch, "vsock.socket", fl_json_new_text(hardware->vsock.socket));
}
