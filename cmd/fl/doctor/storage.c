/* SPDX-License-Identifier: MPL-2.0 */
/* The state folder: whether it can be written, how copies are made there, what is free. */
#include "cmd/fl/doctor/finding.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/json.h"
#include "common/num.h"
#include "common/path.h"
#include "common/proc.h"
#include "common/state.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>

#define LITTLE (10ULL << 30)
#define ANSWER_MS 3000
#define HARDLY_ANY (1ULL << 30)

/* The folder, or the one above it that is there already; caller frees. */
static char *nearest(const char *dir)
{
	char *path = fl_strdup(dir), *slash;

	while (access(path, F_OK) < 0 && (slash = strrchr(path, '/')) && slash > path)
		*slash = 0;
	if (access(path, F_OK) < 0)
		strcpy(path, *path == '/' ? "/" : ".");
	return path;
}

static void check_writable(const char *dir, const char *mend, struct fl_finding *finding)
{
	fl_cleanup_free char *there = nearest(dir);

	if (access(there, R_OK | W_OK | X_OK) == 0)
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s can be %s", dir,
			       strcmp(there, dir) == 0 ? "written" : "made");
	else
		fl_finding_set(finding, FL_FINDING_BAD, mend, "%s cannot be written: %s", there,
			       strerror(errno));
}

void fl_check_state(const char *state_dir, struct fl_finding *finding)
{
	check_writable(state_dir, "run as root, or name a folder of yours (--state-dir, FL_STATE_DIR)",
		       finding);
}

void fl_check_run_folder(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *folder = fl_state_run_folder();

	(void)state_dir;
	check_writable(folder, "run as root, or name a folder of yours (FL_RUN_DIR)", finding);
}

static int make_nameless(const char *dir)
{
	return open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
}

void fl_check_reflink(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *there = nearest(state_dir);
	fl_cleanup_close int from = make_nameless(there), to = make_nameless(there);
	char block[4096] = { 1 };

	if (from >= 0 && to >= 0 && fl_io_write(from, block, sizeof(block), there, NULL) == 0 &&
	    ioctl(to, FICLONE, from) == 0)
		fl_finding_set(finding, FL_FINDING_OK, NULL, "copies share their blocks (reflink)");
	else
		fl_finding_set(finding, FL_FINDING_POOR,
			       "put the state folder on XFS (mkfs.xfs -m reflink=1) or btrfs, or ask "
			       "for --backend qcow2 or thin",
			       "%s: copies do not share their blocks: volumes take longer to make, "
			       "and more space", there);
}

void fl_check_space(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *there = nearest(state_dir);
	struct statvfs fs = { 0 };
	uint64_t room, wanted;
	char text[16], least[16];

	if (statvfs(there, &fs) < 0) {
		fl_finding_set(finding, FL_FINDING_BAD, "mend the file system", "%s: %s", there,
			       strerror(errno));
		return;
	}
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	wanted = room < HARDLY_ANY ? HARDLY_ANY : LITTLE;
	fl_num_print_size(room, text);
	fl_num_print_size(wanted, least);
	if (room >= wanted)
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s: %s free", there, text);
	else
		fl_finding_set(finding, wanted == HARDLY_ANY ? FL_FINDING_BAD : FL_FINDING_POOR,
			       "make room, or put the state folder elsewhere",
			       "%s: %s free, less than %s", there, text, least);
}

/* The worst pool is the one that is told. */
static void judge_pool(const fl_json *row, struct fl_finding *finding)
{
	const char *name = fl_json_text(fl_json_get(row, "name"));
	const char *state = fl_json_text(fl_json_get(row, "state"));
	const char *text = fl_json_text(fl_json_get(row, "text"));
	enum fl_finding_level level;

	if (!fl_str_equal(fl_json_text(fl_json_get(row, "backend")), "thin") || !name || !state)
		return;
	level = strcmp(state, "ok") == 0    ? FL_FINDING_OK
		: strcmp(state, "low") == 0 ? FL_FINDING_POOR
					    : FL_FINDING_BAD;
	if (*finding->found && level <= finding->level)
		return;
	fl_finding_set(finding, level, level == FL_FINDING_OK ? NULL : "fl-snap status; fl-snap gc",
		       "thin pool %s: %s", name, level == FL_FINDING_OK ? "ok" : text ? text : state);
}

/* fl-snap owns device-mapper; a pool that is not used and would not be is not told of. */
void fl_check_pool(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-snap");
	fl_cleanup_free char *folder = fl_asprintf("--state-dir=%s", state_dir);
	const char *argv[] = { program, "status", "--json", folder, NULL };
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	bool any = false;
	fl_json *row;
	size_t at = 0;

	if (fl_proc_ask(argv, ANSWER_MS, &text, NULL) < 0) {
		fl_finding_set(finding, FL_FINDING_POOR, "ask as root: fl-snap status",
			       "fl-snap does not say how its back ends are");
		return;
	}
	while (text.len && (row = fl_json_parse_next(text.data, text.len, &at, "fl-snap", NULL))) {
		any |= fl_str_equal(fl_json_text(fl_json_get(row, "backend")), "thin");
		judge_pool(row, finding);
		fl_json_unref(row);
	}
	if (!any)
		fl_finding_set(finding, FL_FINDING_OK, NULL,
			       "no thin pool is used: volumes are files (fl-snap --backend)");
}
