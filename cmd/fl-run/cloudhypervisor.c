/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Cloud Hypervisor: all of its configuration is on the command line (docs of its sources);
 * the API stays for the monitor. Its values are lists with commas, which quotes protect.
 */
#include "cmd/fl-run/hardware.h"
#include "cmd/fl-run/version.h"
#include "cmd/fl-run/words.h"
#include "common/alloc.h"

#include <inttypes.h>
#include <string.h>

#define EVENTS "cloudhypervisor.events"
#define TYPED 52 /* since then it takes the type of a disk's image */
#define GUEST_CID 3 /* the VMM's own, as flintlock has it */

struct compose {
	const struct fl_vmm_request *request;
	const struct fl_hardware *hardware;
	fl_json *argv;
	struct fl_version version;
	char *monitor, *console; /* sockets */
};

static char *default_program(const struct fl_arch *guest)
{
	(void)guest;
	return fl_strdup("cloud-hypervisor");
}

/* The console that the guest's command line names: a serial line, or one of virtio. */
static bool is_virtio_console(const struct fl_spec *spec)
{
	const char *console = fl_json_text(fl_json_get(spec->cmdline, "console"));

	return console && fl_str_starts(console, "hvc");
}

static void add_kernel(struct compose *compose)
{
	const struct fl_hardware *hardware = compose->hardware;
	fl_cleanup_str struct fl_str cmdline = FL_STR_INIT;
	const struct fl_arch *arch = compose->request->arch;
	const struct fl_kernel_argument defaults[] = {
		{ "console", strcmp(arch->name, "arm64") == 0 ? "ttyAMA0" : "ttyS0" }, { NULL, NULL }
	};

	fl_hardware_cmdline(compose->request, hardware, defaults, "k", &cmdline);
	fl_words_option(compose->argv, "--kernel", "%s", hardware->kernel);
	if (hardware->initrd)
		fl_words_option(compose->argv, "--initramfs", "%s", hardware->initrd);
	fl_words_option(compose->argv, "--cmdline", "%s", cmdline.data);
}

#define A_SECOND 1000 /* milliseconds: how often a limit's bucket is filled */

static void add_limits(struct fl_str *value, uint64_t bandwidth, uint64_t operations)
{
	if (bandwidth)
		fl_str_addf(value, ",bw_size=%" PRIu64 ",bw_refill_time=%d", bandwidth, A_SECOND);
	if (operations)
		fl_str_addf(value, ",ops_size=%" PRIu64 ",ops_refill_time=%d", operations, A_SECOND);
}

static bool is_qcow2(const struct fl_hardware_disk *disk)
{
	return strcmp(disk->format, "qcow2") == 0;
}

/* Guessing the type of an image is its deprecated way, and keeps the guest from writing the
 * first sector. */
static void add_disks(struct compose *compose)
{
	const struct fl_labels *asked = &compose->request->spec->asked;
	bool typed = fl_version_is(&compose->version, TYPED, 0);

	if (compose->hardware->disk_count)
		fl_words_add(compose->argv, "--disk");
	for (size_t i = 0; i < compose->hardware->disk_count; i++) {
		const struct fl_hardware_disk *disk = &compose->hardware->disks[i];
		fl_cleanup_str struct fl_str value = FL_STR_INIT;

		fl_str_addf(&value, "path=\"%s\",readonly=%s,id=d%zu", disk->path,
			    disk->read_only ? "on" : "off", i);
		if (typed)
			fl_str_addf(&value, ",image_type=%s%s", disk->format,
				    is_qcow2(disk) ? ",backing_files=on" : "");
		add_limits(&value, asked->disk_bandwidth, asked->disk_operations);
		fl_words_add(compose->argv, value.data);
	}
}

static void add_links(struct compose *compose)
{
	if (compose->hardware->link_count)
		fl_words_add(compose->argv, "--net");
	for (size_t i = 0; i < compose->hardware->link_count; i++) {
		const struct fl_hardware_link *link = &compose->hardware->links[i];
		fl_cleanup_str struct fl_str value = FL_STR_INIT;

		if (link->fd >= 0)
			fl_str_addf(&value, "fd=%d", link->fd);
		else
			fl_str_addf(&value, "tap=%s", link->link);
		fl_str_addf(&value, ",mac=%s,id=n%zu", link->mac, i);
		add_limits(&value, compose->request->spec->asked.network_bandwidth, 0);
		fl_words_add(compose->argv, value.data);
	}
}

static void add_shares(struct compose *compose)
{
	if (compose->hardware->share_count)
		fl_words_add(compose->argv, "--fs");
	for (size_t i = 0; i < compose->hardware->share_count; i++) {
		const struct fl_hardware_share *share = &compose->hardware->shares[i];
		fl_cleanup_free char *value = fl_asprintf("tag=%s,socket=%s,num_queues=1,queue_size=512",
							  share->tag, share->socket);

		fl_words_add(compose->argv, value);
	}
}

static void add_machine(struct compose *compose)
{
	const struct fl_spec *spec = compose->request->spec;
	const char *path = compose->request->vm->path;

	fl_words_add(compose->argv, compose->request->program);
	fl_words_option(compose->argv, "--api-socket", "path=%s", compose->monitor);
	fl_words_option(compose->argv, "--event-monitor", "path=\"%s/" EVENTS "\"", path);
	fl_words_option(compose->argv, "--cpus", "boot=%u", spec->vcpu);
	/* virtiofsd reads and writes the guest's memory. */
	fl_words_option(compose->argv, "--memory", "size=%uM%s", spec->memory_mb,
			compose->hardware->share_count ? ",shared=on" : "");
	if (is_virtio_console(spec)) {
		fl_words_option(compose->argv, "--serial", "null");
		fl_words_option(compose->argv, "--console", "tty");
	} else {
		fl_words_option(compose->argv, "--serial", "socket=%s", compose->console);
		fl_words_option(compose->argv, "--console", "off");
	}
	/* A guest with the pvpanic module tells a panic apart from a reboot. */
	fl_words_add(compose->argv, "--pvpanic");
}

static fl_json *launch_of(struct compose *compose)
{
	fl_json *launch = fl_json_new_object();

	fl_json_set(launch, "provider", fl_json_new_text("cloudhypervisor"));
	fl_json_set(launch, "argv", fl_json_ref(compose->argv));
	fl_json_set(launch, "monitor", fl_json_new_text(compose->monitor));
	fl_json_set(launch, "console", fl_json_new_text("cloudhypervisor.stdout"));
	if (!is_virtio_console(compose->request->spec))
		fl_json_set(launch, "console_socket", fl_json_new_text(compose->console));
	fl_json_set(launch, "stderr", fl_json_new_text("cloudhypervisor.stderr"));
	fl_json_set(launch, "events", fl_json_new_text(EVENTS));
	fl_hardware_launch_disks(compose->hardware, launch);
	fl_hardware_launch(compose->hardware, launch);
	fl_json_set(launch, "accel", fl_json_new_text("kvm"));
	return launch;
}

/* Inside quotes, only a quote means something. */
static int check_disks(const struct compose *compose, struct fl_err *err)
{
	for (size_t i = 0; i < compose->hardware->disk_count; i++) {
		const struct fl_hardware_disk *disk = &compose->hardware->disks[i];

		if (strchr(disk->path, '"'))
			return fl_err_set(err, FL_ERR_INVALID, "%s: cloudhypervisor takes no path "
					  "with a quotation mark; use another state folder", disk->path);
		if (is_qcow2(disk) && !fl_version_is(&compose->version, TYPED, 0))
			return fl_err_set(err, FL_ERR_PRECONDITION, "%s: cloudhypervisor reads qcow2 disks "
					  "that lead to a base since release %d; install that, or make the "
					  "microVM anew with --backend file", disk->path, TYPED);
	}
	return 0;
}

static int check_kernel(const struct compose *compose, struct fl_err *err)
{
	if (!compose->request->check || strcmp(compose->request->arch->name, "arm64") != 0)
		return 0;
	return fl_kernel_check_image(compose->hardware->kernel, "cloudhypervisor", err);
}

static int compose_all(struct compose *compose, fl_json **launch, struct fl_err *err)
{
	if (fl_vmm_need_kvm(compose->request, "cloudhypervisor", err) < 0 ||
	    fl_vmm_need_version(compose->request, 41, 0, &compose->version, err) < 0 ||
	    check_kernel(compose, err) < 0 || check_disks(compose, err) < 0)
		return -1;
	add_machine(compose);
	add_kernel(compose);
	add_disks(compose);
	add_links(compose);
	add_shares(compose);
	if (compose->hardware->vsock.socket)
		fl_words_option(compose->argv, "--vsock", "cid=%u,socket=%s", GUEST_CID,
				compose->hardware->vsock.socket);
	*launch = launch_of(compose);
	return 0;
}

static int compose(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err)
{
	fl_cleanup_hardware struct fl_hardware hardware = { 0 };
	fl_cleanup_json fl_json *argv = fl_json_new_array();
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	fl_cleanup_free char *monitor = fl_asprintf("%s/cloudhypervisor.sock", run);
	fl_cleanup_free char *console = fl_asprintf("%s/console-vmm.sock", run);
	struct compose compose = { .request = request, .hardware = &hardware, .argv = argv,
				   .monitor = monitor, .console = console };

	if (fl_hardware_read(request, &hardware, err) < 0)
		return -1;
	return compose_all(&compose, launch, err);
}

const struct fl_vmm fl_vmm_cloudhypervisor = { "cloudhypervisor", "FL_CLOUDHYPERVISOR",
					       default_program, compose };
