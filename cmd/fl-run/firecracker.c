/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Firecracker: its configuration is a file in the format of its API
 * (src/firecracker/swagger/firecracker.yaml of its sources); the API stays for the monitor.
 */
#include "cmd/fl-run/hardware.h"
#include "cmd/fl-run/jail.h"
#include "cmd/fl-run/version.h"
#include "cmd/fl-run/words.h"
#include "common/alloc.h"
#include "common/jail.h"

#include <string.h>
#include <sys/stat.h>

#define CONFIG "firecracker.cfg"
#define METRICS "firecracker.metrics"
#define LOG "firecracker.log"
#define GUEST_CID 3 /* the VMM's own, as flintlock has it */

static char *default_program(const struct fl_arch *guest)
{
	(void)guest;
	return fl_strdup("firecracker");
}

static fl_json *boot_source(const struct fl_vmm_request *request,
			    const struct fl_hardware *hardware, const struct fl_jail *jail)
{
	fl_cleanup_str struct fl_str cmdline = FL_STR_INIT;
	fl_json *source = fl_json_new_object();
	/* A second serial line, and a keyboard's ways to be found, cost time and words. */
	static const struct fl_kernel_argument on_amd64[] = {
		{ "console", "ttyS0" },	  { "8250.nr_uarts", "1" },  { "i8042.noaux", "" },
		{ "i8042.nomux", "" },	  { "i8042.dumbkbd", "" },   { NULL, NULL },
	};
	static const struct fl_kernel_argument elsewhere[] = { { "console", "ttyS0" }, { NULL, NULL } };
	bool is_amd64 = strcmp(request->arch->name, "amd64") == 0;

	/* Only a reset by the keyboard's controller ends it well. */
	fl_hardware_cmdline(request, hardware, is_amd64 ? on_amd64 : elsewhere, "k", &cmdline);
	fl_json_set(source, "kernel_image_path",
		    fl_json_new_text(fl_jail_seen(jail, hardware->kernel)));
	if (hardware->initrd)
		fl_json_set(source, "initrd_path",
			    fl_json_new_text(fl_jail_seen(jail, hardware->initrd)));
	fl_json_set(source, "boot_args", fl_json_new_text(cmdline.data));
	return source;
}

/* A bucket that is filled once a second; "bandwidth" counts bytes, "ops" operations. */
static void put_limit(fl_json *device, const char *limiter, const char *bucket, uint64_t size)
{
	fl_cleanup_free char *path = fl_asprintf("%s.%s", limiter, bucket);
	fl_json *limit;

	if (!size)
		return;
	limit = fl_json_new_object();
	fl_json_set(limit, "size", fl_json_new_int((int64_t)size));
	fl_json_set(limit, "refill_time", fl_json_new_int(1000));
	fl_json_put(device, path, limit);
}

/* The root is found by what the command line says. "Unsafe", the default, would drop what the
 * guest flushes. */
static fl_json *drives_of(const struct fl_labels *asked, const struct fl_hardware *hardware,
			  const struct fl_jail *jail)
{
	fl_json *drives = fl_json_new_array();

	for (size_t i = 0; i < hardware->disk_count; i++) {
		fl_cleanup_free char *id = fl_asprintf("d%zu", i);
		fl_json *drive = fl_json_new_object();

		fl_json_set(drive, "drive_id", fl_json_new_text(id));
		fl_json_set(drive, "path_on_host",
			    fl_json_new_text(fl_jail_seen(jail, hardware->disks[i].path)));
		fl_json_set(drive, "is_root_device", fl_json_new_bool(false));
		fl_json_set(drive, "is_read_only", fl_json_new_bool(hardware->disks[i].read_only));
		fl_json_set(drive, "cache_type", fl_json_new_text("Writeback"));
		put_limit(drive, "rate_limiter", "bandwidth", asked->disk_bandwidth);
		put_limit(drive, "rate_limiter", "ops", asked->disk_operations);
		fl_json_add(drives, drive);
	}
	return drives;
}

static fl_json *links_of(const struct fl_labels *asked, const struct fl_hardware *hardware)
{
	fl_json *links = fl_json_new_array();

	for (size_t i = 0; i < hardware->link_count; i++) {
		fl_cleanup_free char *id = fl_asprintf("n%zu", i);
		fl_json *link = fl_json_new_object();

		fl_json_set(link, "iface_id", fl_json_new_text(id));
		fl_json_set(link, "host_dev_name", fl_json_new_text(hardware->links[i].link));
		fl_json_set(link, "guest_mac", fl_json_new_text(hardware->links[i].mac));
		put_limit(link, "rx_rate_limiter", "bandwidth", asked->network_bandwidth);
		put_limit(link, "tx_rate_limiter", "bandwidth", asked->network_bandwidth);
		fl_json_add(links, link);
	}
	return links;
}

/* The guest reaches it through eth0, which a spec that wants it always has. */
static void put_service(const struct fl_vmm_request *request, fl_json *config)
{
	const struct fl_spec *spec = request->spec;
	fl_json *links = fl_json_new_array();

	for (size_t i = 0; i < spec->interface_count; i++) {
		fl_cleanup_free char *id = fl_asprintf("n%zu", i);

		if (strcmp(spec->interfaces[i].device_id, FL_SPEC_METADATA_DEVICE) == 0)
			fl_json_add(links, fl_json_new_text(id));
	}
	fl_json_put(config, "mmds-config.version",
		    fl_json_new_text(spec->asked.metadata_service == 1 ? "V1" : "V2"));
	fl_json_put(config, "mmds-config.network_interfaces", links);
}

static fl_json *config_of(const struct fl_vmm_request *request,
			  const struct fl_hardware *hardware, const struct fl_jail *jail)
{
	const char *folder = fl_jail_folder(jail, request->vm->path);
	fl_cleanup_free char *metrics = fl_asprintf("%s/" METRICS, folder);
	fl_json *config = fl_json_new_object();

	fl_json_set(config, "boot-source", boot_source(request, hardware, jail));
	fl_json_set(config, "drives", drives_of(&request->spec->asked, hardware, jail));
	fl_json_set(config, "network-interfaces", links_of(&request->spec->asked, hardware));
	fl_json_put(config, "machine-config.vcpu_count", fl_json_new_int(request->spec->vcpu));
	fl_json_put(config, "machine-config.mem_size_mib",
		    fl_json_new_int(request->spec->memory_mb));
	if (hardware->vsock.socket) {
		fl_json_put(config, "vsock.guest_cid", fl_json_new_int(GUEST_CID));
		fl_json_put(config, "vsock.uds_path",
			    fl_json_new_text(fl_jail_seen(jail, hardware->vsock.socket)));
	}
	if (hardware->service)
		put_service(request, config);
	/* A pipe that a supervisor reads: the file is bounded. */
	fl_json_put(config, "logger.log_path",
		    fl_json_new_text(jail->program ? "/" LOG : "/dev/stderr"));
	fl_json_put(config, "logger.level", fl_json_new_text("Error"));
	fl_json_put(config, "metrics.metrics_path", fl_json_new_text(fl_jail_seen(jail, metrics)));
	return config;
}

/* Its own limit is 51,200 bytes, of which a user-data may have more. */
static void add_service(const char *document, const struct fl_jail *jail, fl_json *argv)
{
	struct stat st;

	fl_words_option(argv, "--metadata", "%s", fl_jail_seen(jail, document));
	if (stat(fl_jail_source(jail, document), &st) == 0 && st.st_size > 51200)
		fl_words_option(argv, "--mmds-size-limit", "%lld", (long long)st.st_size);
}

static fl_json *free_argv(const struct fl_vmm_request *request)
{
	fl_json *argv = fl_json_new_array();

	fl_words_add(argv, request->program);
	fl_words_option(argv, "--id", "%s", request->vm->uid);
	return argv;
}

static fl_json *argv_of(const struct fl_vmm_request *request, const struct fl_hardware *hardware,
			const struct fl_jail *jail, const char *monitor)
{
	fl_cleanup_free char *config =
		fl_asprintf("%s/" CONFIG, fl_jail_folder(jail, request->vm->path));
	fl_json *argv = jail->program ? fl_jail_argv(jail, request) : free_argv(request);

	fl_words_option(argv, "--api-sock", "%s", fl_jail_seen(jail, monitor));
	fl_words_option(argv, "--config-file", "%s", fl_jail_seen(jail, config));
	if (hardware->service)
		add_service(hardware->service, jail, argv);
	return argv;
}

static fl_json *launch_of(const struct fl_vmm_request *request,
			  const struct fl_hardware *hardware, const struct fl_jail *jail)
{
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	fl_cleanup_free char *monitor =
		fl_asprintf("%s/firecracker.sock", fl_jail_folder(jail, run));
	fl_cleanup_json fl_json *config = config_of(request, hardware, jail);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_json *launch = fl_json_new_object(), *files = fl_json_new_object();

	fl_json_print(config, true, &text);
	fl_str_add(&text, "\n");
	fl_json_set(files, CONFIG, fl_json_new_text(text.data));
	fl_json_set(launch, "provider", fl_json_new_text("firecracker"));
	fl_json_set(launch, "argv", argv_of(request, hardware, jail, monitor));
	fl_json_set(launch, "files", files);
	fl_json_set(launch, "monitor", fl_json_new_text(monitor));
	fl_json_set(launch, "console", fl_json_new_text("firecracker.stdout"));
	fl_json_set(launch, "stderr", fl_json_new_text("firecracker.stderr"));
	fl_json_set(launch, "events",
		    fl_json_new_text(jail->program ? FL_JAIL_ROOT "/" METRICS : METRICS));
	fl_hardware_launch_disks(hardware, launch);
	fl_json_set(launch, "accel", fl_json_new_text("kvm"));
	fl_hardware_launch(hardware, launch);
	fl_jail_launch(jail, request, LOG, launch);
	return launch;
}

/* Earlier releases take an ELF kernel only. */
static int check_kernel(const struct fl_vmm_request *request, const struct fl_version *version,
			const char *kernel, struct fl_err *err)
{
	struct fl_kernel is = { 0 };

	if (!request->check)
		return 0;
	if (strcmp(request->arch->name, "arm64") == 0)
		return fl_kernel_check_image(kernel, "firecracker", err);
	if (fl_kernel_read(kernel, &is, err) < 0)
		return -1;
	if (fl_version_is(version, 1, 17) || is.format != FL_KERNEL_BZIMAGE)
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: a bzImage, which firecracker %u.%u cannot "
			  "boot; use an image with an ELF kernel (vmlinux), or 1.17 or later", kernel,
			  version->major, version->minor);
}

static int compose(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err)
{
	fl_cleanup_hardware struct fl_hardware hardware = { 0 };
	fl_cleanup_jail struct fl_jail jail = { 0 };
	struct fl_version version;

	if (fl_hardware_read(request, &hardware, err) < 0 ||
	    fl_jail_open(request, &jail, err) < 0 ||
	    fl_vmm_need_kvm(request, "firecracker", err) < 0 ||
	    fl_vmm_need_version(request, 1, 10, &version, err) < 0 ||
	    check_kernel(request, &version, hardware.kernel, err) < 0)
		return -1;
	fl_jail_add(&jail, request, CONFIG);
	fl_jail_move(&jail, request, &hardware);
	*launch = launch_of(request, &hardware, &jail);
	return 0;
}

const struct fl_vmm fl_vmm_firecracker = { "firecracker", "FL_FIRECRACKER", default_program,
					   compose };
