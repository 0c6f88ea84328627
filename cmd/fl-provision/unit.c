/* SPDX-License-Identifier: MPL-2.0 */
/* Units that start at boot, and now where systemd runs. */
#include "cmd/fl-provision/act.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/num.h"

#include <string.h>
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

/* When something became so, in seconds; 0: it is not known. */
static int64_t time_of(const char *unit, const char *property)
{
	fl_cleanup_free char *option = fl_asprintf("--property=%s", property);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	uint64_t seconds;

	if (FL_RUN(&text, NULL, "systemctl", "show", option, "--value", "--timestamp=unix", unit) < 0 ||
	    text.len < 2 || *text.data != '@' ||
	    fl_num_u64(text.data + 1, 0, INT64_MAX, &seconds, NULL) < 0)
		return 0;
	return (int64_t)seconds;
}

/* Whether one of the files that the act names was written since then. */
static bool has_newer(const struct fl_act *act, const char *which, const char *property)
{
	const fl_json *files = fl_json_get(act->about, which);
	int64_t since = fl_json_count(files) ? time_of(fl_act_name(act), property) : 0;
	bool newer = false;
	struct stat st;

	for (size_t i = 0; since && i < fl_json_count(files); i++)
		newer |= stat(fl_json_text(fl_json_item(files, i)), &st) == 0 &&
			 st.st_mtim.tv_sec > (time_t)since;
	return newer;
}

static bool is_outdated(const struct fl_act *act)
{
	return is_active(fl_act_name(act)) && has_newer(act, "settings", "ActiveEnterTimestamp");
}

/* Of what it reads again when it is told to; that it was is a change of its state. */
static bool is_unread(const struct fl_act *act)
{
	return is_active(fl_act_name(act)) && has_newer(act, "reread", "StateChangeTimestamp");
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

/* One that does not run is left alone. */
static bool is_only_running(const struct fl_act *act)
{
	return fl_json_bool(fl_json_get(act->about, "only_running"));
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	const char *unit = fl_act_name(act);

	(void)site;
	(void)err;
	if (is_only_running(act) && !is_active(unit))
		return FL_LOOK_DONE;
	/* One that is written by the same list need not be there yet. */
	if (!fl_json_bool(fl_json_get(act->about, "written")) && !is_installed(unit)) {
		fl_str_add(why, "no unit of that name is installed; it is not started");
		return FL_LOOK_KEEP;
	}
	if (!runs_systemd())
		fl_str_add(why, "systemd does not run here: it is not started now");
	if ((!is_only_running(act) && !is_enabled(unit)) || (runs_systemd() && !is_active(unit)))
		return FL_LOOK_MAKE;
	if (is_outdated(act))
		fl_str_add(why, "started again, with the settings that it has by now");
	else if (is_unread(act))
		fl_str_add(why, "reads its certificates and tokens again");
	else
		return FL_LOOK_DONE;
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

/* What systemd says of a failure is where to look; the program's last words say what it was. */
static int tell(const char *verb, const char *unit, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_strndup(unit, strcspn(unit, "."));
	fl_cleanup_str struct fl_str words = FL_STR_INIT;
	struct fl_err why = { 0 };

	if (FL_RUN(NULL, &why, "systemctl", verb, unit) == 0)
		return 0;
	if (FL_RUN(&words, NULL, "journalctl", "--quiet", "--no-pager", "--output=cat", "--lines=1",
		   "--unit", unit, "--identifier", program) < 0 || !words.len)
		return fl_err_pass(err, &why);
	return fl_err_set(err, FL_ERR_SYSTEM, "%s: does not %s: %s; \"journalctl -u %s\" has all of it",
			  unit, verb, words.data, unit);
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	const char *unit = fl_act_name(act);

	(void)site;
	if (runs_systemd() && FL_RUN(NULL, err, "systemctl", "daemon-reload") < 0)
		return -1;
	if (!is_only_running(act) && FL_RUN(NULL, err, "systemctl", "--quiet", "enable", unit) < 0)
		return -1;
	if (!runs_systemd())
		return 0;
	return tell(is_outdated(act) ? "restart"
		    : is_unread(act) ? "reload"
				     : "start",
		    unit, err);
}

int fl_unit_changed(const char *path, struct fl_err *err)
{
	if (!fl_str_starts(path, "/etc/systemd/system/") || !runs_systemd())
		return 0;
	return FL_RUN(NULL, err, "systemctl", "daemon-reload");
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
