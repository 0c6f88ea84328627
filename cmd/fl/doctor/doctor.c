/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl/doctor/doctor.h"

#include "cmd/fl/doctor/finding.h"
#include "common/colour.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	fl_finding_check *look;
} checks[] = {
	{ "kvm", fl_check_kvm },
	{ "qemu", fl_check_qemu },
	{ "providers", fl_check_providers },
	{ "supervisor", fl_check_supervisor },
	{ "cgroup", fl_check_cgroup },
	{ "tun", fl_check_tun },
	{ "forward", fl_check_forward },
	{ "bridge-netfilter", fl_check_bridge_netfilter },
	{ "names", fl_check_names },
	{ "state", fl_check_state },
	{ "run-folder", fl_check_run_folder },
	{ "reflink", fl_check_reflink },
	{ "space", fl_check_space },
	{ "thin-pool", fl_check_pool },
	{ "memory", fl_check_memory },
	{ "open-files", fl_check_files },
	{ "inotify", fl_check_inotify },
	{ "tools", fl_check_tools },
};

void fl_finding_set(struct fl_finding *finding, enum fl_finding_level level, const char *mend,
		    const char *fmt, ...)
{
	va_list args;

	finding->level = level;
	snprintf(finding->mend, sizeof(finding->mend), "%s", mend ? mend : "");
	va_start(args, fmt);
	vsnprintf(finding->found, sizeof(finding->found), fmt, args);
	va_end(args);
}

static const char *const words[] = { "ok", "poor", "bad" };

static int print_json(const char *name, const struct fl_finding *finding, struct fl_err *err)
{
	fl_cleanup_json fl_json *line = fl_json_new_object();

	fl_json_set(line, "check", fl_json_new_text(name));
	fl_json_set(line, "level", fl_json_new_text(words[finding->level]));
	fl_json_set(line, "found", fl_json_new_text(finding->found));
	fl_json_set(line, "mend",
		    *finding->mend ? fl_json_new_text(finding->mend) : fl_json_new_null());
	return fl_cli_print_json(line, err);
}

static int print_text(const char *name, const struct fl_finding *finding, struct fl_err *err)
{
	bool coloured = fl_colour_is_wanted(STDOUT_FILENO);
	const char *word = words[finding->level];
	fl_cleanup_str struct fl_str line = FL_STR_INIT;

	fl_colour_add(&line, coloured ? fl_colour_of(word) : FL_COLOUR_NONE, word);
	fl_str_addf(&line, "%*s  %-16s  %s\n", (int)(4 - strlen(word)), "", name, finding->found);
	if (*finding->mend)
		fl_str_addf(&line, "%24smend: %s\n", "", finding->mend);
	return fl_cli_print(line.data, line.len, err);
}

int fl_doctor(struct fl_args *args, struct fl_err *err)
{
	const char *state_dir = fl_args_state_dir(args);
	unsigned bad = 0;

	for (size_t i = 0; i < FL_COUNT(checks); i++) {
		struct fl_finding finding = { 0 };
		int rc;

		checks[i].look(state_dir, &finding);
		bad += finding.level == FL_FINDING_BAD;
		rc = fl_args_flag(args, "json") ? print_json(checks[i].name, &finding, err)
						: print_text(checks[i].name, &finding, err);
		if (rc < 0 || fl_cancel_check(NULL, err) < 0)
			return -1;
	}
	if (bad)
		args->exit_status = fl_err_exit_status(FL_ERR_NO);
	return 0;
}
