/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Firecracker: its configuration is a file in the format of its API
 * (src/firecracker/swagger/firecracker.yaml of its sources); the API stays for the monitor.
 */
#include "cmd/fl-run/hardware.h"
#include "cmd/fl-run/kernel.h"
#include "cmd/fl-run/version.h"
#include "cmd/fl-run/words.h"
#include "common/alloc.h"

#include <string.h>

#define CONFIG "firecracker.cfg"
#define METRICS "firecracker.metrics"
#define GUEST_CID 3 /* the VMM's own, as flintlock has it */

static char *default_program(void)
{
	return fl_strdup("firecracker");
}

static fl_json *boot_source(const struct fl_vmm_request *request,
			    const struct fl_hardware *hardware)
{
	fl_cleanup_str struct fl_str cmdline = FL_STR_INIT;
	fl_json *source = fl_json_new_object();
	/* A second serial line, and a keyboard's ways to be found, cost time and words. */
	const struct fl_kernel_argument defaults[] = {
		{ "console", "ttyS0" },
		{ hardware->root_read_only ? "ro" : "rw", "" },
		{ "8250.nr_uarts", "1" },
		{ "i8042.noaux", "" },
		{ "i8042.nomux", "" },
		{ "i8042.dumbkbd", "" },
		{ hardware->root ? "root" : NULL, hardware->root },
		{ NULL, NULL },
	};
	/* Only a reset by the keyboard's controller ends it well. */
	static const struct fl_kernel_argument forced[] = { { "reboot", "k" }, { "panic", "1" },
							    { NULL, NULL } };

	fl_kernel_cmdline(request->spec, defaults, forced, &cmdline);
	fl_json_set(source, "kernel_image_path", fl_json_new_text(hardware->kernel));
	if (hardware->initrd)
		fl_json_set(source, "initrd_path", fl_json_new_text(hardware->initrd));
	fl_json_set(source, "boot_args", fl_json_new_text(cmdline.data));
	return source;
}

/* The root is found by what the command line says. "Unsafe", the default, would drop what the
 * guest flushes. */
static fl_json *drives_of(const struct fl_hardware *hardware)
{
	fl_json *drives = fl_json_new_array();

	for (size_t i = 0; i < hardware->disk_count; i++) {
		fl_cleanup_free char *id = fl_asprintf("d%zu", i);
		fl_json *drive = fl_json_new_object();

		fl_json_set(drive, "drive_id", fl_json_new_text(id));
		fl_json_set(drive, "path_on_host", fl_json_new_text(hardware->disks[i].path));
		fl_json_set(drive, "is_root_device", fl_json_new_bool(false));
		fl_json_set(drive, "is_read_only", fl_json_new_bool(hardware->disks[i].read_only));
		fl_json_set(drive, "cache_type", fl_json_new_text("Writeback"));
		fl_json_add(drives, drive);
	}
	return drives;
}

static fl_json *links_of(const struct fl_hardware *hardware)
{
	fl_json *links = fl_json_new_array();

	for (size_t i = 0; i < hardware->link_count; i++) {
		fl_cleanup_free char *id = fl_asprintf("n%zu", i);
		fl_json *link = fl_json_new_object();

		fl_json_set(link, "iface_id", fl_json_new_text(id));
		fl_json_set(link, "host_dev_name", fl_json_new_text(hardware->links[i].link));
		fl_json_set(link, "guest_mac", fl_json_new_text(hardware->links[i].mac));
		fl_json_add(links, link);
	}
	return links;
}

static fl_json *config_of(const struct fl_vmm_request *request, const struct fl_hardware *hardware)
{
	fl_cleanup_free char *metrics = fl_asprintf("%s/" METRICS, request->vm->path);
	fl_json *config = fl_json_new_object();

	fl_json_set(config, "boot-source", boot_source(request, hardware));
	fl_json_set(config, "drives", drives_of(hardware));
	fl_json_set(config, "network-interfaces", links_of(hardware));
	fl_json_put(config, "machine-config.vcpu_count", fl_json_new_int(request->spec->vcpu));
	fl_json_put(config, "machine-config.mem_size_mib",
		    fl_json_new_int(request->spec->memory_mb));
	if (hardware->vsock.socket) {
		fl_json_put(config, "vsock.guest_cid", fl_json_new_int(GUEST_CID));
		fl_json_put(config, "vsock.uds_path", fl_json_new_text(hardware->vsock.socket));
	}
	/* A pipe that a supervisor reads: the file is bounded. */
	fl_json_put(config, "logger.log_path", fl_json_new_text("/dev/stderr"));
	fl_json_put(config, "logger.level", fl_json_new_text("Error"));
	fl_json_put(config, "metrics.metrics_path", fl_json_new_text(metrics));
	return config;
}

static fl_json *argv_of(const struct fl_vmm_request *request, const char *monitor)
{
	fl_json *argv = fl_json_new_array();

	fl_words_add(argv, request->program);
	fl_words_option(argv, "--id", "%s", request->vm->uid);
	fl_words_option(argv, "--api-sock", "%s", monitor);
	fl_words_option(argv, "--config-file", "%s/" CONFIG, request->vm->path);
	return argv;
}

static fl_json *launch_of(const struct fl_vmm_request *request,
			  const struct fl_hardware *hardware)
{
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	fl_cleanup_free char *monitor = fl_asprintf("%s/firecracker.sock", run);
	fl_cleanup_json fl_json *config = config_of(request, hardware);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_json *launch = fl_json_new_object(), *files = fl_json_new_object();

	fl_json_print(config, true, &text);
	fl_str_add(&text, "\n");
	fl_json_set(files, CONFIG, fl_json_new_text(text.data));
	fl_json_set(launch, "provider", fl_json_new_text("firecracker"));
	fl_json_set(launch, "argv", argv_of(request, monitor));
	fl_json_set(launch, "files", files);
	fl_json_set(launch, "monitor", fl_json_new_text(monitor));
	fl_json_set(launch, "console", fl_json_new_text("firecracker.stdout"));
	fl_json_set(launch, "stderr", fl_json_new_text("firecracker.stderr"));
	fl_json_set(launch, "events", fl_json_new_text(METRICS));
	fl_json_set(launch, "disks", fl_hardware_disk_ids(hardware));
	fl_json_set(launch, "accel", fl_json_new_text("kvm"));
	fl_hardware_launch(hardware, launch);
	return launch;
}

/* Earlier releases take an ELF kernel only. */
static int check_kernel(const struct fl_vmm_request *request, const struct fl_version *version,
			const char *kernel, struct fl_err *err)
{
	if (!request->check || fl_version_is(version, 1, 17) || !fl_kernel_is_bzimage(kernel))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: a bzImage, which firecracker %u.%u cannot "
			  "boot; use an image with an ELF kernel (vmlinux), or 1.17 or later", kernel,
			  version->major, version->minor);
}

static int compose(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err)
{
	fl_cleanup_hardware struct fl_hardware hardware = { 0 };
	struct fl_version version;

	if (fl_hardware_read(request, &hardware, err) < 0 ||
	    fl_vmm_need_kvm(request, "firecracker", err) < 0 ||
	    fl_vmm_need_version(request, 1, 10, &version, err) < 0 ||
	    check_kernel(request, &version, hardware.kernel, err) < 0)
		return -1;
	*launch = launch_of(request, &hardware);
	return 0;
}

const struct fl_vmm fl_vmm_firecracker = { "firecracker", "FL_FIRECRACKER", default_program,
					   compose };
