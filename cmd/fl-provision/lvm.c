/* SPDX-License-Identifier: MPL-2.0 */
/* A disk of the user's choice as a thin pool of LVM. */
#include "cmd/fl-provision/disk.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/pools.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"

#include <string.h>

#define TAG "fl-provision"
#define POOL "thinpool"

/* What a program of LVM printed, without the blanks around it. */
static char *stripped(struct fl_str *text)
{
	while (text->len && strchr(" \n", text->data[text->len - 1]))
		text->data[--text->len] = 0;
	fl_str_add(text, "");
	return text->data + strspn(text->data, " \n");
}

/* 1: a volume group of the name is there and ours, 2: a stranger's, 0: there is none. */
static int look_at_group(const char *name)
{
	fl_cleanup_str struct fl_str tags = FL_STR_INIT;

	if (FL_RUN(&tags, NULL, "vgs", "--noheadings", "--options", "vg_tags", name) < 0)
		return 0;
	return fl_host_lists(stripped(&tags), TAG) ? 1 : 2;
}

/* A kill between LVM's label on the disk and the volume group leaves the label: ours, when the
 * ledger has the disk and LVM knows no group for it. */
static bool is_half_made(const struct fl_site *site, const struct fl_act *act,
			 const struct fl_disk *disk)
{
	const fl_json *entry = fl_ledger_find(site->ledger, "lvm", fl_act_name(act));
	fl_cleanup_str struct fl_str group = FL_STR_INIT;

	if (!entry || strcmp(fl_about_text(entry, "disk"), fl_about_text(act->about, "disk")) != 0 ||
	    strcmp(disk->signature, "LVM2_member") != 0)
		return false;
	return FL_RUN(&group, NULL, "pvs", "--noheadings", "--options", "vg_name", disk->path) == 0 &&
	       (!group.len || !group.data[strspn(group.data, " \n")]);
}

/* A line of what "lvs" was asked for. */
struct volume {
	const char *name, *layout, *profile, *active, *monitor;
};

#define VOLUME_FIELDS "lv_name,lv_layout,lv_profile,lv_active,seg_monitor"

static bool next_volume(char **rest, struct volume *volume)
{
	const char **fields[] = { &volume->name, &volume->layout, &volume->profile,
				  &volume->active, &volume->monitor };
	char *line = strsep(rest, "\n");

	if (!line)
		return false;
	line += strspn(line, " ");
	line[strcspn(line, " ")] = 0;
	for (size_t i = 0; i < FL_COUNT(fields); i++) {
		const char *field = line ? strsep(&line, ":") : NULL;

		*fields[i] = field ? field : "";
	}
	return true;
}

static int read_volumes(const char *group, struct fl_str *text, char **rest, struct fl_err *err)
{
	if (FL_RUN(text, err, "lvs", "--noheadings", "--separator", ":", "--options", VOLUME_FIELDS,
		   group) < 0)
		return -1;
	*rest = stripped(text);
	return 0;
}

static char *profile_of(const char *group)
{
	return fl_asprintf("%s-" POOL, group);
}

/* What lvcreate leaves when it is killed, under one name or another: it has our profile, and is
 * no part of a pool yet. */
static bool is_leftover(const struct volume *volume, const char *group)
{
	fl_cleanup_free char *profile = profile_of(group);

	return strcmp(volume->profile, profile) == 0 && strcmp(volume->layout, "linear") == 0;
}

static bool is_pool(const struct volume *volume)
{
	return strcmp(volume->name, POOL) == 0 && fl_host_lists(volume->layout, "thin") &&
	       fl_host_lists(volume->layout, "pool");
}

enum pool {
	POOL_NONE,
	POOL_OFF,   /* whole, and not active, or not watched by LVM, which is to extend it */
	POOL_WHOLE,
	POOL_OTHER, /* a volume of that name which is no thin pool */
};

static enum pool look_at_pool(const char *group)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	enum pool found = POOL_NONE;
	struct volume volume;
	char *rest;

	if (read_volumes(group, &text, &rest, NULL) < 0)
		return POOL_NONE;
	while (next_volume(&rest, &volume)) {
		if (strcmp(volume.name, POOL) != 0 || is_leftover(&volume, group))
			continue;
		if (!is_pool(&volume))
			found = POOL_OTHER;
		else if (strcmp(volume.active, "active") != 0 || strcmp(volume.monitor, "monitored") != 0)
			found = POOL_OFF;
		else
			found = POOL_WHOLE;
	}
	return found;
}

static int look_in_group(const struct fl_act *act, struct fl_str *why, struct fl_err *err)
{
	const char *name = fl_act_name(act);

	switch (look_at_pool(name)) {
	case POOL_WHOLE:
		return FL_LOOK_DONE;
	case POOL_OFF:
		fl_str_add(why, "is there, and activated");
		return FL_LOOK_CHANGE;
	case POOL_OTHER:
		return fl_err_set(err, FL_ERR_EXISTS, "%s/" POOL ": a volume of that name is there and no "
				  "thin pool; rename it (lvrename), or choose another group with "
				  "--thinpool", name);
	default:
		return FL_LOOK_MAKE;
	}
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	const char *name = fl_act_name(act);
	struct fl_disk disk;
	int group = look_at_group(name);

	if (group == 2)
		return fl_err_set(err, FL_ERR_EXISTS, "%s: a volume group of that name is there and not "
				  "ours; choose another with --thinpool", name);
	if (group == 1)
		return look_in_group(act, why, err);
	if (fl_disk_look(fl_about_text(act->about, "disk"), &disk, err) < 0)
		return -1;
	if (!*disk.signature || is_half_made(site, act, &disk))
		return FL_LOOK_MAKE;
	if (!fl_disk_is_meant(&disk, site->host->wipe))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: something is on it (%s); if that may go, "
				  "say --wipe NAME:SERIAL, with the disk's serial as \"lsblk -o "
				  "NAME,SERIAL,SIZE -b\" tells it, or its size where it has none",
				  disk.path, disk.signature);
	fl_str_addf(why, "%s on %s is wiped", disk.signature, disk.path);
	return FL_LOOK_MAKE;
}

static int make_group(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	const char *name = fl_act_name(act);
	struct fl_disk disk;

	/* Once more: what was true when it was looked at need not be so any longer. */
	if (fl_disk_look(fl_about_text(act->about, "disk"), &disk, err) < 0)
		return -1;
	if (*disk.signature && !is_half_made(site, act, &disk)) {
		if (!fl_disk_is_meant(&disk, site->host->wipe))
			return fl_err_set(err, FL_ERR_PRECONDITION, "%s: something is on it now (%s)",
					  disk.path, disk.signature);
		if (FL_RUN(NULL, err, "wipefs", "--all", "--quiet", disk.path) < 0)
			return -1;
	}
	return FL_RUN(NULL, err, "vgcreate", "--quiet", "--addtag", TAG, name, disk.path);
}

static int remove_leftovers(const char *group, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct volume volume;
	char *rest;

	if (read_volumes(group, &text, &rest, err) < 0)
		return -1;
	while (next_volume(&rest, &volume)) {
		fl_cleanup_free char *path = fl_asprintf("%s/%s", group, volume.name);

		if (is_leftover(&volume, group) &&
		    FL_RUN(NULL, err, "lvremove", "--quiet", "--yes", path) < 0)
			return -1;
	}
	return 0;
}

static int activate(const char *group, struct fl_err *err)
{
	fl_cleanup_free char *pool = fl_asprintf("%s/" POOL, group);

	if (FL_RUN(NULL, err, "lvchange", "--quiet", "--activate", "y", pool) < 0)
		return -1;
	return FL_RUN(NULL, err, "lvchange", "--quiet", "--monitor", "y", pool);
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	const char *name = fl_act_name(act);
	fl_cleanup_free char *profile = profile_of(name);

	if (look_at_group(name) == 0 && make_group(site, act, err) < 0)
		return -1;
	switch (look_at_pool(name)) {
	case POOL_WHOLE:
		return 0;
	case POOL_OFF:
		return activate(name, err);
	default:
		break;
	}
	if (remove_leftovers(name, err) < 0)
		return -1;
	/* A fifth more (the profile's percent) still fits, and the metadata twice as large. */
	return FL_RUN(NULL, err, "lvcreate", "--quiet", "--yes", "--type", "thin-pool", "--zero", "n",
		      "--chunksize", "512K", "--extents", "80%VG", "--metadataprofile", profile,
		      "--monitor", "y", "--addtag", TAG, "--name", POOL, name);
}

static int check_unused(const char *group, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct volume volume;
	char *rest;

	if (read_volumes(group, &text, &rest, err) < 0)
		return -1;
	while (next_volume(&rest, &volume))
		if (*volume.name && !is_pool(&volume) && !is_leftover(&volume, group))
			return fl_err_set(err, FL_ERR_PRECONDITION, "%s: volume %s is in it, and not ours; "
					  "remove it first", group, volume.name);
	return 0;
}

static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const char *name = fl_about_text(entry, "name"), *disk = fl_about_text(entry, "disk");
	int group = look_at_group(name);
	struct fl_disk now;

	(void)site;
	if (group == 2) {
		fl_str_add(kept, "the volume group of that name is another's now");
		return 0;
	}
	if (group == 1 && (check_unused(name, err) < 0 ||
			   FL_RUN(NULL, err, "vgremove", "--quiet", "--yes", name) < 0))
		return -1;
	/* A disk that is gone has nothing to be taken from. */
	if (fl_disk_look(disk, &now, NULL) < 0 || strcmp(now.signature, "LVM2_member") != 0)
		return 0;
	return FL_RUN(NULL, err, "pvremove", "--quiet", "--yes", disk);
}

const struct fl_act_kind fl_act_lvm = {
	.name = "lvm",
	.destroys = true,
	.look = look,
	.make = make,
	.undo = undo,
};
