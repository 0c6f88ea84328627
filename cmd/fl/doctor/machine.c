/* SPDX-License-Identifier: MPL-2.0 */
/* Whether a VMM runs here, how fast, and held together by what. */
#include "cmd/fl/doctor/finding.h"

#include "common/accel.h"
#include "common/alloc.h"
#include "common/cgroup.h"
#include "common/path.h"

#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

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
	const char *path = getenv("PATH");

	for (const char *at = path ? path : ""; *at;) {
		size_t len = strcspn(at, ":");
		fl_cleanup_free char *file = fl_asprintf("%.*s/%s", (int)len, at, program);
		struct stat st;

		if (access(file, X_OK) == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode))
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

void fl_check_qemu(const char *state_dir, struct fl_finding *finding)
{
	struct utsname host;
	fl_cleanup_free char *program = NULL;

	(void)state_dir;
	uname(&host);
	program = fl_asprintf("qemu-system-%s", host.machine);
	if (is_in_path(program))
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s is in PATH", program);
	else
		fl_finding_set(finding, FL_FINDING_BAD, "apt install qemu-system-x86, or give --qemu",
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
		fl_finding_set(finding, FL_FINDING_POOR,
			       "echo +memory +cpu > cgroup.subtree_control in the groups above",
			       "control groups (v2) work, without the memory controller");
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
		fl_finding_set(finding, FL_FINDING_POOR, "apt install openssh-client",
			       "not in PATH: %s", missing.data);
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "ssh and scp are in PATH");
}
