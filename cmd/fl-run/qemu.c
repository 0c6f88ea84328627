/* SPDX-License-Identifier: MPL-2.0 */
/*
 * QEMU, machine type "microvm" (docs/system/i386/microvm): virtio over MMIO, found through
 * ACPI; monitor by QMP. Disks appear to the guest in the order of the command line.
 */
#include "cmd/fl-run/kernel.h"
#include "cmd/fl-run/vmm.h"
#include "common/accel.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/path.h"

#include <net/if.h>
#include <string.h>
#include <sys/utsname.h>

struct compose {
	const struct fl_vmm_request *request;
	fl_json *argv;
	bool kvm;
};

static void add(struct compose *compose, const char *word)
{
	fl_json_add(compose->argv, fl_json_new_text(word));
}

static FL_PRINTF(3, 4) void add_option(struct compose *compose, const char *option,
				       const char *fmt, ...)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	va_list args;

	va_start(args, fmt);
	fl_str_vaddf(&text, fmt, args);
	va_end(args);
	add(compose, option);
	add(compose, text.data);
}

/* A value inside QEMU's own lists: a comma is written twice. Caller frees. */
static char *escape(const char *text)
{
	struct fl_str out = FL_STR_INIT;

	for (; *text; text++)
		fl_str_add_bytes(&out, *text == ',' ? ",," : text, *text == ',' ? 2 : 1);
	return fl_str_steal(&out);
}

static int choose_accel(struct compose *compose, struct fl_err *err)
{
	const char *accel = compose->request->accel, *why;
	bool works;

	if (strcmp(accel, "tcg") == 0)
		return 0;
	works = fl_accel_kvm_works(&why);
	if (!works && strcmp(accel, "kvm") == 0)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "--accel kvm: %s", why);
	if (!works && compose->request->check)
		fl_log(FL_LOG_INFO, "%s: the guest runs emulated (TCG), which is slow", why);
	compose->kvm = works;
	return 0;
}

static char *default_program(void)
{
	struct utsname host;

	uname(&host);
	return fl_asprintf("qemu-system-%s", host.machine);
}

static char *find_program(void)
{
	fl_cleanup_free char *name = default_program();

	return fl_path_find_program(name);
}

static char *program_of(const struct fl_vmm_request *request)
{
	return request->program ? fl_strdup(request->program) : default_program();
}

static int add_machine(struct compose *compose, struct fl_err *err)
{
	const struct fl_spec *spec = compose->request->spec;
	fl_cleanup_free char *program = program_of(compose->request);
	fl_cleanup_free char *name = fl_asprintf("%s/%s", spec->name_space, spec->name);

	if (choose_accel(compose, err) < 0)
		return -1;
	add(compose, program);
	add_option(compose, "-name", "%s", name);
	/* Without KVM the guest calibrates its clock against PIT and PIC. */
	add_option(compose, "-machine", "microvm,rtc=on,%s",
		   compose->kvm ? "accel=kvm,pit=off,pic=off" : "accel=tcg");
	add_option(compose, "-cpu", "%s", compose->kvm ? "host" : "max");
	add_option(compose, "-smp", "%u", spec->vcpu);
	add_option(compose, "-m", "%u", spec->memory_mb);
	add(compose, "-nodefaults");
	add(compose, "-no-user-config");
	add(compose, "-no-reboot");
	add_option(compose, "-display", "none");
	return 0;
}

static const char *path_in_record(const struct compose *compose, const char *path)
{
	return fl_json_text(fl_json_at(compose->request->record, path));
}

static char *root_argument(const struct compose *compose)
{
	const struct fl_spec *spec = compose->request->spec;
	fl_cleanup_free char *path = NULL;
	const char *uuid;

	if (!spec->volume_count)
		return NULL;
	path = fl_asprintf("host.volumes.%s.uuid", spec->volumes[0].id);
	uuid = path_in_record(compose, path);
	/* Only an initrd finds a file system by its UUID. */
	return uuid && spec->initrd_image ? fl_asprintf("UUID=%s", uuid) : fl_strdup("/dev/vda");
}

static int add_kernel(struct compose *compose, struct fl_err *err)
{
	const struct fl_spec *spec = compose->request->spec;
	const char *kernel = path_in_record(compose, "host.kernel.path");
	const char *initrd = path_in_record(compose, "host.initrd.path");
	fl_cleanup_free char *root = root_argument(compose);
	fl_cleanup_str struct fl_str cmdline = FL_STR_INIT;
	bool read_only = spec->volume_count && spec->volumes[0].read_only;
	unsigned khz = compose->kvm ? 0 : fl_accel_tsc_khz();
	char tsc[16];
	struct fl_kernel_argument defaults[5] = { { "console", "ttyS0" },
						  { read_only ? "ro" : "rw", "" } };
	size_t count = 2;
	/* "-no-reboot" turns a reset into an end, which the supervisor judges. */
	static const struct fl_kernel_argument forced[] = { { "reboot", "t" }, { "panic", "1" },
							    { NULL, NULL } };

	snprintf(tsc, sizeof(tsc), "%u", khz);
	if (root)
		defaults[count++] = (struct fl_kernel_argument){ "root", root };
	/* Emulated on a busy host, the guest fails to calibrate its clock and hangs: it is
	 * told the frequency. */
	if (khz)
		defaults[count++] = (struct fl_kernel_argument){ "tsc_early_khz", tsc };
	if (compose->request->check && !kernel)
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "the kernel's file is not made yet; run \"fl-snap up\" first");
	if (compose->request->check && fl_kernel_check(kernel, err) < 0)
		return -1;
	add_option(compose, "-kernel", "%s", kernel ? kernel : spec->kernel_file);
	if (spec->initrd_image)
		add_option(compose, "-initrd", "%s", initrd ? initrd : spec->initrd_file);
	fl_kernel_cmdline(spec, defaults, forced, &cmdline);
	add_option(compose, "-append", "%s", cmdline.data);
	return 0;
}

static void add_disk(struct compose *compose, const char *id, const char *path, bool read_only)
{
	fl_cleanup_free char *file = escape(path);

	add_option(compose, "-drive", "if=none,id=disk-%s,file=%s,format=raw,readonly=%s,discard=unmap",
		   id, file, read_only ? "on" : "off");
	add_option(compose, "-device", "virtio-blk-device,drive=disk-%s,serial=%.20s", id, id);
}

static int add_volume(struct compose *compose, const struct fl_volume *volume, struct fl_err *err)
{
	fl_cleanup_free char *at = fl_asprintf("host.volumes.%s.path", volume->id);
	fl_cleanup_free char *planned =
		fl_asprintf("%s/volumes/%s.img", compose->request->vm->path, volume->id);
	const char *path = path_in_record(compose, at);

	if (compose->request->check && (!path || access(path, R_OK) < 0))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "volume %s is not made yet; run \"fl-snap up\" first", volume->id);
	add_disk(compose, volume->id, path ? path : planned, volume->read_only);
	return 0;
}

static int add_volumes(struct compose *compose, struct fl_err *err)
{
	const struct fl_spec *spec = compose->request->spec;
	const char *seed = path_in_record(compose, "host.seed.path");
	fl_cleanup_free char *planned = fl_asprintf("%s/cloud-init.img", compose->request->vm->path);

	for (size_t i = 0; i < spec->volume_count; i++)
		if (add_volume(compose, &spec->volumes[i], err) < 0)
			return -1;
	if (seed || !compose->request->check)
		add_disk(compose, "cloud-init", seed ? seed : planned, true);
	return 0;
}

static int add_interface(struct compose *compose, const struct fl_interface *in,
			 struct fl_err *err)
{
	fl_cleanup_free char *link_at = fl_asprintf("host.network.%s.link", in->device_id);
	fl_cleanup_free char *mac_at = fl_asprintf("host.network.%s.mac", in->device_id);
	const char *link = path_in_record(compose, link_at);
	const char *mac = path_in_record(compose, mac_at);

	if (compose->request->check && (!link || if_nametoindex(link) == 0))
		return fl_err_set(err, FL_ERR_PRECONDITION,
				  "interface %s has no tap; run \"fl-net up\" first", in->device_id);
	add_option(compose, "-netdev", "tap,id=net-%s,ifname=%s,script=no,downscript=no",
		   in->device_id, link ? link : "TAP");
	add_option(compose, "-device", "virtio-net-device,netdev=net-%s,mac=%s", in->device_id,
		   mac ? mac : in->mac ? in->mac : "MAC");
	return 0;
}

static int add_devices(struct compose *compose, struct fl_err *err)
{
	const struct fl_spec *spec = compose->request->spec;

	if (add_volumes(compose, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->interface_count; i++)
		if (add_interface(compose, &spec->interfaces[i], err) < 0)
			return -1;
	add_option(compose, "-device", "virtio-rng-device");
	/* A guest with the pvpanic module tells a panic apart from a reboot. */
	add_option(compose, "-device", "pvpanic");
	return 0;
}

static int compose_qemu(const struct fl_vmm_request *request, fl_json **launch, struct fl_err *err)
{
	struct compose compose = { .request = request };
	fl_cleanup_json fl_json *argv = fl_json_new_array();
	fl_cleanup_free char *run = fl_vm_run_path(request->vm);
	fl_cleanup_free char *monitor = fl_asprintf("%s/qmp.sock", run);
	fl_cleanup_free char *escaped = escape(monitor);

	compose.argv = argv;
	if (add_machine(&compose, err) < 0 || add_kernel(&compose, err) < 0 ||
	    add_devices(&compose, err) < 0)
		return -1;
	add_option(&compose, "-chardev", "stdio,id=console,signal=off");
	add_option(&compose, "-serial", "chardev:console");
	add_option(&compose, "-qmp", "unix:%s,server=on,wait=off", escaped);
	*launch = fl_json_new_object();
	fl_json_set(*launch, "argv", fl_json_ref(argv));
	fl_json_set(*launch, "monitor", fl_json_new_text(monitor));
	fl_json_set(*launch, "console", fl_json_new_text("qemu.stdout"));
	fl_json_set(*launch, "stderr", fl_json_new_text("qemu.stderr"));
	fl_json_set(*launch, "accel", fl_json_new_text(compose.kvm ? "kvm" : "tcg"));
	return 0;
}

const struct fl_vmm fl_vmm_qemu = { "qemu", find_program, compose_qemu };
