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

/* 1: a volume group of the name is there and ours, 2: a stranger's, 0: there is none. */
static int look_at_group(const char *name)
{
	fl_cleanup_str struct fl_str tags = FL_STR_INIT;

	if (FL_RUN(&tags, NULL, "vgs", "--noheadings", "--options", "vg_tags", name) < 0)
		return 0;
	return tags.len && strstr(tags.data, TAG) ? 1 : 2;
}

static bool has_pool(const char *name)
{
	fl_cleanup_free char *pool = fl_asprintf("%s/" POOL, name);

	return FL_ASK("lvs", "--noheadings", pool) == 0;
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
		return has_pool(name) ? FL_LOOK_DONE : FL_LOOK_MAKE;
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

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	const char *name = fl_act_name(act);
	fl_cleanup_free char *profile = fl_asprintf("%s-" POOL, name);

	if (look_at_group(name) == 0 && make_group(site, act, err) < 0)
		return -1;
	if (has_pool(name))
		return 0;
	return FL_RUN(NULL, err, "lvcreate", "--quiet", "--yes", "--type", "thin-pool", "--zero", "n",
		      "--chunksize", "512K", "--extents", "95%VG", "--metadataprofile", profile,
		      "--monitor", "y", "--addtag", TAG, "--name", POOL, name);
}

static int check_unused(const char *name, struct fl_err *err)
{
	fl_cleanup_str struct fl_str volumes = FL_STR_INIT;
	char *save = NULL;

	if (FL_RUN(&volumes, err, "lvs", "--noheadings", "--options", "lv_name", name) < 0)
		return -1;
	for (char *one = strtok_r(volumes.len ? volumes.data : NULL, " \n", &save); one;
	     one = strtok_r(NULL, " \n", &save))
		if (strcmp(one, POOL) != 0)
			return fl_err_set(err, FL_ERR_PRECONDITION, "%s: volume %s is in it, and not ours; "
					  "remove it first", name, one);
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
