/* SPDX-License-Identifier: MPL-2.0 */
/* Units that start at boot, and now where systemd runs. */
#include "cmd/fl-provision/act.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/num.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* sd_booted(3). */
static bool runs_systemd(void)
{
	return access("/run/systemd/system", F_OK) == 0;
}

static bool is_enabled(const char *unit)
{
	return FL_ASK("systemctl", "is-enabled", "--quiet", unit) == 0;
}

static bool is_active(const char *unit)
{
	return runs_systemd() && FL_ASK("systemctl", "is-active", "--quiet", unit) == 0;
}

/* Whether its settings were written since it was started. */
static bool is_outdated(const struct fl_act *act)
{
	const char *settings = fl_about_text(act->about, "settings");
	fl_cleanup_str struct fl_str since = FL_STR_INIT;
	uint64_t seconds;
	struct stat st;

	return *settings && is_active(fl_act_name(act)) && stat(settings, &st) == 0 &&
	       FL_RUN(&since, NULL, "systemctl", "show", "--property=ActiveEnterTimestamp", "--value",
		      "--timestamp=unix", fl_act_name(act)) == 0 &&
	       since.len > 1 && *since.data == '@' &&
	       fl_num_u64(since.data + 1, 0, INT64_MAX, &seconds, NULL) == 0 &&
	       st.st_mtim.tv_sec > (time_t)seconds;
}

/* systemd.unit(5): where units are looked for. */
static bool is_installed(const char *unit)
{
	static const char *const folders[] = { "/etc/systemd/system", "/run/systemd/system",
					       "/usr/local/lib/systemd/system",
					       "/usr/lib/systemd/system", "/lib/systemd/system" };
	bool found = false;

	for (size_t i = 0; i < FL_COUNT(folders); i++) {
		fl_cleanup_free char *path = fl_asprintf("%s/%s", folders[i], unit);

		found |= access(path, F_OK) == 0;
	}
	return found;
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	const char *unit = fl_act_name(act);

	(void)site;
	(void)err;
	/* One that is written by the same list need not be there yet. */
	if (!fl_json_bool(fl_json_get(act->about, "written")) && !is_installed(unit)) {
		fl_str_add(why, "no unit of that name is installed; it is not started");
		return FL_LOOK_KEEP;
	}
	if (!runs_systemd())
		fl_str_add(why, "systemd does not run here: it is not started now");
	if (!is_enabled(unit) || (runs_systemd() && !is_active(unit)))
		return FL_LOOK_MAKE;
	if (!is_outdated(act))
		return FL_LOOK_DONE;
	fl_str_add(why, "started again, with the settings that it has by now");
	return FL_LOOK_CHANGE;
}

static int before(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		  struct fl_err *err)
{
	fl_json *earlier = fl_json_new_object();

	(void)site;
	(void)err;
	fl_json_set(earlier, "enabled", fl_json_new_bool(is_enabled(fl_act_name(act))));
	fl_json_set(earlier, "active", fl_json_new_bool(is_active(fl_act_name(act))));
	fl_json_set(entry, "before", earlier);
	return 0;
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	const char *unit = fl_act_name(act);

	(void)site;
	if (runs_systemd() && FL_RUN(NULL, err, "systemctl", "daemon-reload") < 0)
		return -1;
	if (FL_RUN(NULL, err, "systemctl", "--quiet", "enable", unit) < 0)
		return -1;
	if (!runs_systemd())
		return 0;
	return FL_RUN(NULL, err, "systemctl", is_outdated(act) ? "restart" : "start", unit);
}

/* A unit that is gone meanwhile has neither links nor processes. */
static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const char *unit = fl_about_text(entry, "name");
	const fl_json *earlier = fl_json_get(entry, "before");

	(void)site;
	(void)kept;
	if (!fl_json_bool(fl_json_get(earlier, "active")) && is_active(unit) &&
	    FL_RUN(NULL, err, "systemctl", "stop", unit) < 0)
		return -1;
	if (!fl_json_bool(fl_json_get(earlier, "enabled")) && is_enabled(unit))
		return FL_RUN(NULL, err, "systemctl", "--quiet", "disable", unit);
	return 0;
}

const struct fl_act_kind fl_act_unit = {
	.name = "unit",
	.look = look,
	.before = before,
	.make = make,
	.undo = undo,
};
