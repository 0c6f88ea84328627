/* SPDX-License-Identifier: MPL-2.0 */
/*
 * QEMU, machine types "microvm" (docs/system/i386/microvm) and, on arm64, "virt" (docs/system/arm/virt):
 * virtio over MMIO, found through ACPI or the device tree; monitor by QMP. Disks appear to the guest
 * in the order of the command line.
 */
#include "cmd/fl-run/hardware.h"
#include "cmd/fl-run/words.h"
#include "common/accel.h"
#include "common/alloc.h"
#include "common/log.h"

#include <inttypes.h>
#include <string.h>

/* How QEMU shows a machine of each architecture that has guests. */
struct board {
	const char *arch;
	const char *kvm, *tcg; /* -machine */
	const char *processor; /* emulated */
	const char *console;
	unsigned places;       /* of the machine, for devices over MMIO */
	const char *pvpanic; /* a guest with the module for it tells a panic apart from a reboot */
};

/* Without KVM the guest calibrates its clock against PIT and PIC. Pointer authentication as arm
 * defines it takes longer to emulate than all the rest. */
static const struct board boards[] = {
	{ "amd64", "microvm,rtc=on,accel=kvm,pit=off,pic=off", "microvm,rtc=on,accel=tcg", "max", "ttyS0", 24,
	  "pvpanic" },
	{ "arm64", "virt,gic-version=max,accel=kvm", "virt,gic-version=max,accel=tcg",
	  "max,pauth-impdef=on", "ttyAMA0", 32, "pvpanic-pci" },
};

struct compose {
	const struct fl_vmm_request *request;
	const struct board *board;
	const struct fl_hardware *hardware;
	fl_json *argv;
	bool kvm;
};

/* A value inside QEMU's own lists: a comma is written twice. Caller frees. */
static char *escape(const char *text)
{
	struct fl_str out = FL_STR_INIT;

	for (; *text; text++)
		fl_str_add_bytes(&out, *text == ',' ? ",," : text, *text == ',' ? 2 : 1);
	return fl_str_steal(&out);
}

static const struct board *find_board(const struct fl_arch *arch, struct fl_err *err)
{
	for (size_t i = 0; i < FL_COUNT(boards); i++)
		if (strcmp(boards[i].arch, arch->name) == 0)
			return &boards[i];
	fl_err_set(err, FL_ERR_UNSUPPORTED, "the guest is for %s, of which qemu is not driven; use images "
		   "for amd64 or arm64", arch->name);
	return NULL;
}

static int choose_accel(struct compose *compose, struct fl_err *err)
{
	const char *accel = compose->request->accel, *why = "the guest is not for this machine";
	bool is_foreign = compose->request->arch != fl_arch_host();

	if (strcmp(accel, "kvm") == 0 && fl_vmm_need_kvm(compose->request, "--accel kvm", err) < 0)
		return -1;
	compose->kvm = strcmp(accel, "kvm") == 0 ||
		       (strcmp(accel, "auto") == 0 && !is_foreign && fl_accel_kvm_works(&why));
	if (!compose->kvm && strcmp(accel, "auto") == 0 && compose->request->check)
		fl_log(FL_LOG_INFO, "%s: the guest runs emulated (TCG), which is slow", why);
	return 0;
}

static char *default_program(const struct fl_arch *guest)
{
	return fl_asprintf("qemu-system-%s", guest->machine);
}

/* virtiofsd reads and writes the guest's memory, and speaks virtio 1.0, not what was before. */
static void add_shared_memory(struct compose *compose)
{
	fl_words_option(compose->argv, "-object", "memory-backend-memfd,id=memory,size=%uM,share=on",
			compose->request->spec->memory_mb);
	fl_words_option(compose->argv, "-global", "virtio-mmio.force-legacy=false");
}

/* System calls that no guest needs are QEMU's end: no program is started, no right regained. */
static void add_sandbox(struct compose *compose)
{
	const char *asked = getenv("FL_QEMU_SANDBOX");

	if (fl_str_equal(asked, "off"))
		return;
	fl_words_option(compose->argv, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,"
			"resourcecontrol=deny");
}

static int add_machine(struct compose *compose, struct fl_err *err)
{
	const struct fl_spec *spec = compose->request->spec;
	const struct board *board = find_board(compose->request->arch, err);
	fl_cleanup_free char *name = fl_asprintf("%s/%s", spec->name_space, spec->name);

	if (!board || choose_accel(compose, err) < 0)
		return -1;
	compose->board = board;
	fl_words_add(compose->argv, compose->request->program);
	fl_words_option(compose->argv, "-name", "%s", name);
	fl_words_option(compose->argv, "-machine", "%s%s",
		   compose->kvm ? board->kvm : board->tcg,
		   compose->hardware->share_count ? ",memory-backend=memory" : "");
	fl_words_option(compose->argv, "-cpu", "%s", compose->kvm ? "host" : board->processor);
	fl_words_option(compose->argv, "-smp", "%u", spec->vcpu);
	fl_words_option(compose->argv, "-m", "%u", spec->memory_mb);
	if (compose->hardware->share_count)
		add_shared_memory(compose);
	fl_words_add(compose->argv, "-nodefaults");
	fl_words_add(compose->argv, "-no-user-config");
	fl_words_add(compose->argv, "-no-reboot");
	fl_words_option(compose->argv, "-display", "none");
	add_sandbox(compose);
	return 0;
}

static void add_kernel(struct compose *compose)
{
	const struct fl_hardware *hardware = compose->hardware;
	fl_cleanup_str struct fl_str cmdline = FL_STR_INIT;
	bool has_tsc = strcmp(compose->board->arch, "amd64") == 0;
	unsigned khz = compose->kvm || !has_tsc ? 0 : fl_accel_tsc_khz();
	char tsc[16];
	/* Emulated on a busy host, the guest fails to calibrate its clock and hangs: it is
	 * told the frequency. Of several processors it would give the clock up for one that loses time;
	 * all of them read the host's. */
	const struct fl_kernel_argument defaults[] = { { "console", compose->board->console },
						       { khz ? "tsc_early_khz" : NULL, tsc },
						       { khz ? "tsc" : NULL, "reliable" },
						       { NULL, NULL } };
	snprintf(tsc, sizeof(tsc), "%u", khz);
	fl_words_option(compose->argv, "-kernel", "%s", hardware->kernel);
	if (hardware->initrd)
		fl_words_option(compose->argv, "-initrd", "%s", hardware->initrd);
	/* "-no-reboot" turns a reset into an end, which the supervisor judges. */
	fl_hardware_cmdline(compose->request, hardware, defaults, "t", &cmdline);
	fl_words_option(compose->argv, "-append", "%s", cmdline.data);
}

/* A configuration of Ignition: its QEMU provider looks there. */
static void add_ignition(struct compose *compose)
{
	fl_cleanup_free char *file =
		compose->hardware->ignition ? escape(compose->hardware->ignition) : NULL;

	if (file)
		fl_words_option(compose->argv, "-fw_cfg", "name=opt/com.coreos/config,file=%s", file);
}

static void add_disk(struct compose *compose, const struct fl_hardware_disk *disk)
{
	fl_cleanup_free char *file = escape(disk->path);

	const struct fl_labels *asked = &compose->request->spec->asked;
	fl_cleanup_str struct fl_str limits = FL_STR_INIT;

	fl_str_add(&limits, "");
	if (asked->disk_bandwidth)
		fl_str_addf(&limits, ",throttling.bps-total=%" PRIu64, asked->disk_bandwidth);
	if (asked->disk_operations)
		fl_str_addf(&limits, ",throttling.iops-total=%" PRIu64, asked->disk_operations);
	fl_words_option(compose->argv, "-drive",
			"if=none,id=disk-%s,file=%s,format=%s,readonly=%s,discard=unmap%s",
			disk->id, file, disk->format, disk->read_only ? "on" : "off", limits.data);
	fl_words_option(compose->argv, "-device", "virtio-blk-device,drive=disk-%s,serial=%.20s",
			disk->id, disk->id);
}

static void add_link(struct compose *compose, const struct fl_hardware_link *link)
{
	if (link->fd >= 0)
		fl_words_option(compose->argv, "-netdev", "tap,id=net-%s,fd=%d", link->id, link->fd);
	else
		fl_words_option(compose->argv, "-netdev",
				"tap,id=net-%s,ifname=%s,script=no,downscript=no", link->id,
				link->link);
	fl_words_option(compose->argv, "-device", "virtio-net-device,netdev=net-%s,mac=%s",
			link->id, link->mac);
}

static void add_share(struct compose *compose, size_t number,
		      const struct fl_hardware_share *share)
{
	fl_cleanup_free char *socket = escape(share->socket);

	fl_words_option(compose->argv, "-chardev", "socket,id=share-%zu,path=%s", number, socket);
	fl_words_option(compose->argv, "-device", "vhost-user-fs-device,chardev=share-%zu,tag=%s",
			number, share->tag);
}

/* Its vsock is the host kernel's. */
static int need_vhost(const struct compose *compose, struct fl_err *err)
{
	if (!compose->hardware->vsock.socket || !compose->request->check ||
	    access("/dev/vhost-vsock", R_OK | W_OK) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "/dev/vhost-vsock: %s: qemu's guest agent needs it; "
			  "run \"modprobe vhost_vsock\"", strerror(errno));
}

/* QEMU would say that some bus is not found. */
static int check_places(const struct compose *compose, struct fl_err *err)
{
	const struct fl_hardware *hardware = compose->hardware;
	size_t wanted = hardware->disk_count + hardware->link_count + hardware->share_count +
			(hardware->vsock.socket != NULL) + 1;

	if (wanted <= compose->board->places)
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "qemu's machine has room for %u devices, and %zu are asked "
			  "for: disks, the seed and a source of randomness among them, interfaces, folders; "
			  "leave volumes or interfaces out", compose->board->places, wanted);
}

static void add_devices(struct compose *compose)
{
	for (size_t i = 0; i < compose->hardware->disk_count; i++)
		add_disk(compose, &compose->hardware->disks[i]);
	for (size_t i = 0; i < compose->hardware->link_count; i++)
		add_link(compose, &compose->hardware->links[i]);
	for (size_t i = 0; i < compose->hardware->share_count; i++)
		add_share(compose, i, &compose->hardware->shares[i]);
	if (compose->hardware->vsock.socket)
		fl_words_option(compose->argv, "-device", "vhost-vsock-device,guest-cid=%u",
				compose->hardware->vsock.cid);
	fl_words_option(compose->argv, "-device", "virtio-rng-device");
	fl_words_option(compose->argv, "-device", "%s", compose->board->pvpanic);
}

static fl_json *launch_of(const struct compose *compose, const char *monitor)
{
	fl_json *launch = fl_json_new_object();

	fl_json_set(launch, "provider", fl_json_new_text("qemu"));
	fl_json_set(launch, "argv", fl_json_ref(compose->argv));
	fl_json_set(launch, "monitor", fl_json_new_text(monitor));
	fl_json_set(launch, "console", fl_json_new_text("qemu.stdout"));
	fl_json_set(launch, "stderr", fl_json_new_text("qemu.stderr"));
	fl_json_set(launch, "accel", fl_json_new_text(compose->kvm ? "kvm" : "tcg"));
	fl_hardware_launch(compose->hardware, launch);
	if (compose->hardware->vsock.socket)
		fl_json_put(launch, "vsock.cid", fl_json_new_int(compose->hardware->vsock.cid));
	return launch;
}

static int compose_qemu(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err)
{
	fl_cleanup_hardware struct fl_hardware hardware = { 0 };
	fl_cleanup_json fl_json *argv = fl_json_new_array();
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	fl_cleanup_free char *monitor = fl_asprintf("%s/qmp.sock", run);
	fl_cleanup_free char *escaped = escape(monitor);
	struct compose compose = { .request = request, .hardware = &hardware, .argv = argv };

	if (fl_hardware_read(request, &hardware, err) < 0 || need_vhost(&compose, err) < 0 ||
	    add_machine(&compose, err) < 0 || check_places(&compose, err) < 0)
		return -1;
	add_kernel(&compose);
	add_ignition(&compose);
	add_devices(&compose);
	fl_words_option(argv, "-chardev", "stdio,id=console,signal=off");
	fl_words_option(argv, "-serial", "chardev:console");
	fl_words_option(argv, "-qmp", "unix:%s,server=on,wait=off", escaped);
	*launch = launch_of(&compose, monitor);
	return 0;
}

const struct fl_vmm fl_vmm_qemu = { "qemu", "FL_QEMU", default_program, compose_qemu };
