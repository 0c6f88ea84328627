/* SPDX-License-Identifier: MPL-2.0 */
/* A disk of the user's choice as a thin pool of LVM. The disk is known by the UUID of LVM's label
 * on it, which the ledger has before the label is written: names of disks change at a restart. */
#include "cmd/fl-provision/disk.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/pools.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/log.h"

#include <limits.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define TAG "fl-provision"
#define POOL FL_LVM_POOL

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

/* The entry of a label that we wrote, or were about to; NULL: it is another's. */
static const fl_json *entry_of_label(const struct fl_site *site, const char *uuid)
{
	return *uuid ? fl_ledger_find_by(site->ledger, fl_act_lvm.name, "label", uuid) : NULL;
}

/* LVM's label on a disk: its UUID, or "" without one, and the volume group that it is in. */
struct label {
	struct fl_str text;
	const char *uuid, *group;
};

static void label_finish(struct label *label)
{
	fl_str_finish(&label->text);
}

static void read_label(const char *disk, struct label *label)
{
	char *text, *colon, real[PATH_MAX];

	*label = (struct label){ .uuid = "", .group = "" };
	/* LVM knows links only where udev told it of them. */
	if (!realpath(disk, real) ||
	    FL_RUN(&label->text, NULL, "pvs", "--noheadings", "--separator", ":", "--options",
		   "pv_uuid,vg_name", real) < 0)
		return;
	text = stripped(&label->text);
	colon = strchr(text, ':');
	if (!colon)
		return;
	*colon = 0;
	label->uuid = text;
	label->group = colon + 1;
}

/* A kill between LVM's label on the disk and the volume group leaves the label. */
static bool is_half_made(const struct fl_site *site, const struct fl_disk *disk)
{
	FL_CLEANUP(label_finish) struct label label = { .uuid = "" };

	if (strcmp(disk->signature, "LVM2_member") != 0)
		return false;
	read_label(disk->path, &label);
	return !*label.group && entry_of_label(site, label.uuid);
}

static bool is_same_device(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && S_ISBLK(a.st_mode) &&
	       S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev;
}

/* A group that was made on another disk is not what is asked for. */
static int check_disk_of_group(const char *name, const char *disk, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_free char *all = NULL;
	char *save = NULL;

	if (FL_RUN(&text, err, "vgs", "--noheadings", "--options", "pv_name", name) < 0)
		return -1;
	all = fl_strdup(stripped(&text));
	for (char *one = strtok_r(text.data, " \n", &save); one; one = strtok_r(NULL, " \n", &save))
		if (is_same_device(one, disk))
			return 0;
	return fl_err_set(err, FL_ERR_EXISTS, "%s: the volume group of that name is on %s, not on %s; name "
			  "that disk (links in /dev/disk/by-id stay when names of disks change), or choose "
			  "another group with --thinpool", name, all, disk);
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
	struct volume volume = { 0 };
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

	if (check_disk_of_group(name, fl_about_text(act->about, "disk"), err) < 0)
		return -1;
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

static int something_is_on(const struct fl_disk *disk, struct fl_err *err)
{
	fl_cleanup_free char *word = fl_disk_word(disk);

	return fl_err_set(err, FL_ERR_PRECONDITION, "%s: something is on it (%s); if that may go, say "
			  "--wipe \"%s\"", disk->path, disk->signature, word);
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
	if (!*disk.signature || is_half_made(site, &disk))
		return FL_LOOK_MAKE;
	if (!fl_disk_is_meant(&disk, site->host->wipe))
		return something_is_on(&disk, err);
	fl_str_addf(why, "%s on %s is wiped", disk.signature, disk.path);
	return FL_LOOK_MAKE;
}

/* As LVM writes UUIDs: 32 characters, in groups. */
static int make_uuid(char uuid[40], struct fl_err *err)
{
	static const char digits[] = "0123456789abcdef";
	unsigned char bytes[16];
	size_t len = 0;

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fl_err_errno(err, errno, "no random bytes for a UUID");
	for (size_t i = 0; i < 32; i++) {
		if (i >= 6 && i <= 26 && (i - 6) % 4 == 0)
			uuid[len++] = '-';
		uuid[len++] = digits[bytes[i / 2] >> (i % 2 ? 0 : 4) & 15];
	}
	uuid[len] = 0;
	return 0;
}

/* That of the disk when it is ours already; otherwise the one that it will get. */
static int before(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		  struct fl_err *err)
{
	FL_CLEANUP(label_finish) struct label label = { .uuid = "" };
	char uuid[40];

	read_label(fl_about_text(act->about, "disk"), &label);
	if (entry_of_label(site, label.uuid) ||
	    (*label.uuid && strcmp(label.group, fl_act_name(act)) == 0)) {
		fl_json_set(entry, "label", fl_json_new_text(label.uuid));
		return 0;
	}
	if (make_uuid(uuid, err) < 0)
		return -1;
	fl_json_set(entry, "label", fl_json_new_text(uuid));
	return 0;
}

static int make_label(const struct fl_site *site, const struct fl_act *act, struct fl_disk *disk,
		      struct fl_err *err)
{
	const char *uuid = fl_about_text(fl_ledger_find(site->ledger, "lvm", fl_act_name(act)),
					 "label");

	/* Once more: what was true when it was looked at need not be so any longer. */
	if (fl_disk_look(fl_about_text(act->about, "disk"), disk, err) < 0)
		return -1;
	if (is_half_made(site, disk))
		return 0;
	if (*disk->signature && !fl_disk_is_meant(disk, site->host->wipe))
		return something_is_on(disk, err);
	if (*disk->signature && FL_RUN(NULL, err, "wipefs", "--all", "--quiet", disk->path) < 0)
		return -1;
	return FL_RUN(NULL, err, "pvcreate", "--quiet", "--uuid", uuid, "--norestorefile", disk->path);
}

static int make_group(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	struct fl_disk disk;

	if (make_label(site, act, &disk, err) < 0)
		return -1;
	return FL_RUN(NULL, err, "vgcreate", "--quiet", "--addtag", TAG, fl_act_name(act), disk.path);
}

static int remove_leftovers(const char *group, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	struct volume volume = { 0 };
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

/* LVM switches groups on as udev tells of their disks, which nobody waits for; and where it does
 * not, nobody did. */
static int restore(const struct fl_site *site, const fl_json *about, struct fl_err *err)
{
	const char *name = fl_about_text(about, "name");

	(void)site;
	if (look_at_group(name) == 0)
		FL_ASK("udevadm", "settle", "--timeout=30");
	if (look_at_group(name) != 1 || look_at_pool(name) == POOL_NONE) {
		fl_log(FL_LOG_WARN, "%s/" POOL ": is not there; see that its disk is, or run fl-provision "
		       "again", name);
		return 0;
	}
	return look_at_pool(name) == POOL_OFF ? activate(name, err) : 0;
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
	struct volume volume = { 0 };
	char *rest;

	if (read_volumes(group, &text, &rest, err) < 0)
		return -1;
	while (next_volume(&rest, &volume))
		if (*volume.name && !is_pool(&volume) && !is_leftover(&volume, group))
			return fl_err_set(err, FL_ERR_PRECONDITION, "%s: volume %s is in it, and not ours; "
					  "remove it first", group, volume.name);
	return 0;
}

/* The UUIDs of the labels of a group's disks, one to a line; caller frees. */
static char *labels_of_group(const char *name)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	FL_RUN(&text, NULL, "vgs", "--noheadings", "--options", "pv_uuid", name);
	return fl_strdup(stripped(&text));
}

/* Wherever the disk is by now; one that is gone has nothing to be taken from, and one that is in
 * another group is that group's. */
static int remove_label(const char *uuid, struct fl_err *err)
{
	fl_cleanup_free char *select = fl_asprintf("pv_uuid=%s && vg_name=\"\"", uuid);
	fl_cleanup_str struct fl_str disk = FL_STR_INIT;

	if (!*uuid || FL_RUN(&disk, NULL, "pvs", "--noheadings", "--options", "pv_name", "--select",
			     select) < 0 || !*stripped(&disk))
		return 0;
	return FL_RUN(NULL, err, "pvremove", "--quiet", "--yes", stripped(&disk));
}

static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const char *name = fl_about_text(entry, "name"), *label = fl_about_text(entry, "label");
	fl_cleanup_free char *labels = labels_of_group(name);
	int group = look_at_group(name);

	(void)site;
	/* A ledger may lack it; the group has it then. */
	if (!*label)
		label = labels;
	/* Our tag on other disks is that of another host, whose disk this was. */
	if (group == 2 || (group == 1 && !strstr(labels, label)))
		fl_str_add(kept, "the volume group of that name is another's now");
	else if (group == 1 && (check_unused(name, err) < 0 ||
				FL_RUN(NULL, err, "vgremove", "--quiet", "--yes", name) < 0))
		return -1;
	return remove_label(label, err);
}

const struct fl_act_kind fl_act_lvm = {
	.name = "lvm",
	.destroys = true,
	.look = look,
	.before = before,
	.make = make,
	.undo = undo,
	.restore = restore,
};
