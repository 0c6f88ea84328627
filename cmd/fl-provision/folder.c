/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/file.h"

#include "common/alloc.h"

#include <string.h>
#include <sys/stat.h>

/* The folders above come first; only those that are missing now can have to be made. */
void fl_folder_add(fl_acts *acts, const char *step, const char *path, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	fl_cleanup_free char *above = fl_strndup(path, slash ? (size_t)(slash - path) : 0);
	fl_json *about;

	if (!*path || access(path, F_OK) == 0)
		return;
	for (size_t i = 0; i < acts->count; i++)
		if (acts->items[i].kind == &fl_act_folder &&
		    strcmp(fl_act_name(&acts->items[i]), path) == 0)
			return;
	fl_folder_add(acts, step, above, 0755);
	about = fl_about(path);
	fl_json_set(about, "mode", fl_json_new_int(mode));
	fl_acts_add(acts, &fl_act_folder, step, about);
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	struct stat st;

	(void)site;
	(void)why;
	if (stat(fl_act_name(act), &st) < 0)
		return FL_LOOK_MAKE;
	if (S_ISDIR(st.st_mode))
		return FL_LOOK_DONE;
	return fl_err_set(err, FL_ERR_EXISTS, "%s: is there and no folder; move it away",
			  fl_act_name(act));
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	mode_t mode = (mode_t)fl_json_int(fl_json_get(act->about, "mode"));

	(void)site;
	if (mkdir(fl_act_name(act), mode) == 0 || errno == EEXIST)
		return 0;
	return fl_err_errno(err, errno, "%s: folder cannot be made", fl_act_name(act));
}

static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const char *path = fl_about_text(entry, "name");

	(void)site;
	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EBUSY)
		return fl_err_errno(err, errno, "%s: cannot be removed", path);
	fl_str_add(kept, "something is in it");
	return 0;
}

const struct fl_act_kind fl_act_folder = {
	.name = "folder",
	.look = look,
	.make = make,
	.undo = undo,
};
