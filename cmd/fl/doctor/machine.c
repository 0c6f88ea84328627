/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a VMM runs here, how fast, and held together by what. */
#include "cmd/fl/doctor/finding.h"

#include "common/accel.h"
#include "common/alloc.h"
#include "common/arch.h"
#include "common/cgroup.h"
#include "common/io.h"
#include "common/json.h"
#include "common/path.h"
#include "common/proc.h"

#include <fcntl.h>
#include <string.h>

void fl_check_kvm(const char *state_dir, struct fl_finding *finding)
{
	const char *why, *mend = "use a host, or a kind of nested virtualisation, with real KVM";

	(void)state_dir;
	if (fl_accel_kvm_works(&why)) {
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s", why);
		return;
	}
	if (access("/dev/kvm", F_OK) < 0)
		mend = "switch virtualisation on in the firmware, or nested virtualisation in the "
		       "hypervisor above; then modprobe kvm_intel or kvm_amd";
	else if (access("/dev/kvm", R_OK | W_OK) < 0)
		mend = "usermod -aG kvm USER, and log in again";
	fl_finding_set(finding, FL_FINDING_POOR, mend, "%s: guests run emulated, which is slow", why);
}

static bool is_in_path(const char *program)
{
	fl_cleanup_free char *found = fl_path_find_program(program);

	return found;
}

void fl_check_qemu(const char *state_dir, struct fl_finding *finding)
{
	const struct fl_arch *host = fl_arch_host();
	fl_cleanup_free char *program = fl_asprintf("qemu-system-%s", host->machine);
	bool is_arm = strcmp(host->name, "arm64") == 0;

	(void)state_dir;
	if (is_in_path(program))
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s is in PATH", program);
	else
		fl_finding_set(finding, FL_FINDING_BAD,
			       is_arm ? "apt install --no-install-recommends qemu-system-arm, or give --qemu"
				      : "apt install --no-install-recommends qemu-system-x86, or give --qemu",
			       "%s is not in PATH", program);
}

void fl_check_supervisor(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *program =
		fl_path_beside_program("libexec/flintlock", "fl-supervise");

	(void)state_dir;
	if (access(program, X_OK) == 0)
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s", program);
	else
		fl_finding_set(finding, FL_FINDING_BAD, "install the toolkit again (make install)",
			       "%s cannot be executed", program);
}

static void add_abilities(const fl_json *provider, struct fl_str *text)
{
	static const char *const names[][2] = {
		{ "macvtap", "macvtap" }, { "virtiofs", "virtiofs" }, { "vsock", "vsock" },
		{ "metadata_service", "metadata service" }, { "network_limits", "network limits" },
	};

	fl_str_add(text, " (taps");
	for (size_t i = 0; i < FL_COUNT(names); i++)
		if (fl_json_bool(fl_json_get(provider, names[i][0])))
			fl_str_addf(text, ", %s", names[i][1]);
	fl_str_add(text, ")");
}

/* Whether it is there; qemu alone emulates. */
static bool add_provider(const fl_json *provider, struct fl_str *text)
{
	const char *name = fl_json_text(fl_json_get(provider, "name"));
	bool has_kvm = fl_json_bool(fl_json_get(provider, "kvm"));

	bool is_there = fl_json_is_text(fl_json_get(provider, "program"));

	fl_str_addf(text, "%s%s", text->len ? "; " : "", name ? name : "");
	if (!is_there)
		fl_str_add(text, " is not installed");
	else if (!has_kvm && !fl_str_equal(name, "qemu"))
		fl_str_add(text, " needs KVM, which does not work here");
	else
		add_abilities(provider, text);
	return is_there;
}

/* What each VMM can do here, as fl-run knows it. */
void fl_check_providers(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-run");
	const char *argv[] = { program, "providers", "--json", NULL };
	fl_cleanup_str struct fl_str lines = FL_STR_INIT, text = FL_STR_INIT;
	struct fl_err err = { 0 };
	size_t at = 0, there = 0;

	(void)state_dir;
	if (fl_proc_ask(argv, 10000, &lines, &err) < 0) {
		fl_finding_set(finding, FL_FINDING_BAD, "install the toolkit again (make install)",
			       "%s", err.text);
		return;
	}
	for (;;) {
		fl_cleanup_json fl_json *one =
			fl_json_parse_next(lines.data, lines.len, &at, "fl-run providers", NULL);

		if (!one)
			break;
		there += add_provider(one, &text);
	}
	if (there)
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s", text.data);
	else
		fl_finding_set(finding, FL_FINDING_BAD, "fl-provision all, or install one of them",
			       "no VMM: %s", text.data ? text.data : "none is known");
}

/* A controller is handed down by the mount's own group, where it has it. */
static void tell_uncounted(struct fl_finding *finding)
{
	fl_cleanup_free char *mount = fl_cgroup_mount();
	fl_cleanup_free char *file = fl_asprintf("%s/cgroup.controllers", mount ? mount : "");
	fl_cleanup_str struct fl_str has = FL_STR_INIT;
	fl_cleanup_free char *mend = NULL;

	fl_str_add(&has, "");
	fl_io_read_file(AT_FDCWD, file, 4096, &has, NULL);
	if (strstr(has.data, "memory"))
		mend = fl_asprintf("echo +memory +cpu > %s/cgroup.subtree_control", mount);
	else
		mend = fl_asprintf("have the host give the memory controller to %s (cgroup v2 alone, without "
				   "cgroup_disable=memory; of a container: its manager)", mount);
	fl_finding_set(finding, FL_FINDING_POOR, mend,
		       "control groups (v2) work, without the memory controller");
}

/* No microVM has that uid. */
#define TRIAL "doctor"

void fl_check_cgroup(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	bool made = fl_cgroup_make(TRIAL), counts = fl_cgroup_read(TRIAL, "vmm/memory.current", &text);

	(void)state_dir;
	fl_cgroup_remove(TRIAL, 100);
	if (!made)
		fl_finding_set(finding, FL_FINDING_POOR,
			       "mount -t cgroup2 none /sys/fs/cgroup, and run as root or in a "
			       "delegated group (systemd: Delegate=yes)",
			       "no control group (v2) can be made: processes are held by their "
			       "supervisors alone, and memory is counted roughly");
	else if (!counts)
		tell_uncounted(finding);
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "control groups (v2) work, and count");
}

void fl_check_tools(const char *state_dir, struct fl_finding *finding)
{
	static const char *const tools[] = { "ssh", "scp" };
	fl_cleanup_str struct fl_str missing = FL_STR_INIT;

	(void)state_dir;
	for (size_t i = 0; i < FL_COUNT(tools); i++)
		if (!is_in_path(tools[i]))
			fl_str_addf(&missing, "%s%s", missing.len ? ", " : "", tools[i]);
	if (missing.len)
		fl_finding_set(finding, FL_FINDING_POOR, "apt install --no-install-recommends openssh-client",
			       "not in PATH: %s", missing.data);
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "ssh and scp are in PATH");
}
