/* SPDX-License-Identifier: MPL-2.0 */
/* How many microVMs fit, by what the kernel counts. */
#include "cmd/fl/doctor/finding.h"

#include "common/io.h"
#include "common/num.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define LITTLE_MEMORY (512ULL << 20)
#define FEW_FILES 1024
#define FEW_WATCHERS 1024

void fl_check_memory(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const char *at;
	uint64_t kib;
	char size[16];

	(void)state_dir;
	if (fl_io_read_file(AT_FDCWD, "/proc/meminfo", 1 << 16, &text, NULL) < 0 ||
	    !(at = strstr(text.data, "MemAvailable:")) ||
	    sscanf(at, "MemAvailable: %" SCNu64, &kib) != 1) {
		fl_finding_set(finding, FL_FINDING_POOR, "mount /proc", "/proc/meminfo tells nothing");
		return;
	}
	fl_num_print_size(kib << 10, size);
	if (kib << 10 < LITTLE_MEMORY)
		fl_finding_set(finding, FL_FINDING_POOR, "end something, or add memory",
			       "%s of memory are available", size);
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s of memory are available", size);
}

void fl_check_files(const char *state_dir, struct fl_finding *finding)
{
	struct rlimit limit = { 0 };

	(void)state_dir;
	getrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur < FEW_FILES)
		fl_finding_set(finding, FL_FINDING_POOR, "ulimit -n 65536 (systemd: LimitNOFILE=65536)",
			       "a process may open %llu files only", (unsigned long long)limit.rlim_cur);
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "a process may open %llu files",
			       (unsigned long long)limit.rlim_cur);
}

/* 0: there is none of the name, or it says so. */
static uint64_t setting(const char *path)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	uint64_t value = 0;

	if (fl_io_read_file(AT_FDCWD, path, 64, &text, NULL) < 0 || !text.len)
		return 0;
	text.data[strcspn(text.data, "\n")] = 0;
	fl_num_u64(text.data, 0, UINT64_MAX, &value, NULL);
	return value;
}

/* Every supervisor watches its microVM's folder: by dnotify, which has no limit, where it is. */
void fl_check_inotify(const char *state_dir, struct fl_finding *finding)
{
	uint64_t count = setting("/proc/sys/fs/inotify/max_user_instances");

	(void)state_dir;
	if (setting("/proc/sys/fs/dir-notify-enable"))
		fl_finding_set(finding, FL_FINDING_OK, NULL, "any number of microVMs can be kept (dnotify)");
	else if (count < FEW_WATCHERS)
		fl_finding_set(finding, FL_FINDING_POOR, "sysctl fs.inotify.max_user_instances=8192",
			       "a user may have %" PRIu64 " instances of inotify: no more microVMs run than "
			       "that", count);
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL,
			       "a user may have %" PRIu64 " instances of inotify", count);
}
