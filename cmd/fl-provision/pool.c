/* SPDX-License-Identifier: MPL-2.0 */
/* A thin pool of device-mapper over loop devices, for development. */
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/pools.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define SECTOR 512
/* As provision.sh has it: blocks of 64 KiB, told of when 1 GiB is left. */
#define BLOCK_SECTORS 128
#define LOW_WATER 32768

/* Nobody else's device has a UUID of ours (dmsetup(8)). */
static char *uuid_of(const char *name)
{
	return fl_asprintf("FLPROVISION-%s", name);
}

/* 1: the pool is there and ours, 2: a stranger's, 0: there is none, -1. */
static int look_at_pool(const char *name, struct fl_err *err)
{
	fl_cleanup_str struct fl_str have = FL_STR_INIT;
	fl_cleanup_free char *uuid = uuid_of(name);

	if (FL_RUN(NULL, err, "dmsetup", "version") < 0)
		return fl_err_prefix(err, "this kernel has no device-mapper, or its program is missing");
	if (FL_RUN(&have, NULL, "dmsetup", "info", "--columns", "--noheadings", "--options", "uuid",
		   name) < 0)
		return 0;
	return have.len && strcmp(have.data, uuid) == 0 ? 1 : 2;
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	const char *name = fl_act_name(act);
	int found = look_at_pool(name, err);

	(void)site;
	(void)why;
	if (found < 0)
		return -1;
	if (found == 2)
		return fl_err_set(err, FL_ERR_EXISTS, "%s: a device of that name is there and not ours; "
				  "choose another with --thinpool", name);
	return found == 1 ? FL_LOOK_DONE : FL_LOOK_MAKE;
}

static int find_loop(const char *file, struct fl_str *device, struct fl_err *err)
{
	if (FL_RUN(device, err, "losetup", "--noheadings", "--output", "NAME", "--associated", file) < 0)
		return -1;
	if (device->len)
		device->data[strcspn(device->data, "\n")] = 0;
	return 0;
}

static int attach(const char *file, struct fl_str *device, struct fl_err *err)
{
	if (find_loop(file, device, err) < 0)
		return -1;
	return device->len ? 0 : FL_RUN(device, err, "losetup", "--find", "--show", "--nooverlap", file);
}

static int restore(const struct fl_site *site, const fl_json *about, struct fl_err *err)
{
	const char *name = fl_about_text(about, "name"), *file = fl_about_text(about, "data");
	fl_cleanup_str struct fl_str data = FL_STR_INIT, metadata = FL_STR_INIT;
	fl_cleanup_free char *uuid = uuid_of(name), *table = NULL;
	int found = look_at_pool(name, err);
	struct stat st;

	(void)site;
	if (found != 0)
		return found < 0 ? -1 : 0;
	if (stat(file, &st) < 0)
		return fl_err_errno(err, errno, "%s", file);
	if (attach(fl_about_text(about, "metadata"), &metadata, err) < 0 ||
	    attach(file, &data, err) < 0)
		return -1;
	table = fl_asprintf("0 %" PRIu64 " thin-pool %s %s %d %d 1 skip_block_zeroing",
			    (uint64_t)st.st_size / SECTOR, metadata.data, data.data, BLOCK_SECTORS,
			    LOW_WATER);
	return FL_RUN(NULL, err, "dmsetup", "create", name, "--uuid", uuid, "--table", table);
}

static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	return restore(site, act->about, err);
}

static int detach(const char *file, struct fl_err *err)
{
	fl_cleanup_str struct fl_str device = FL_STR_INIT;

	if (access(file, F_OK) < 0)
		return 0;
	if (find_loop(file, &device, err) < 0)
		return -1;
	return device.len ? FL_RUN(NULL, err, "losetup", "--detach", device.data) : 0;
}

static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const char *name = fl_about_text(entry, "name");
	int found = look_at_pool(name, NULL);

	(void)site;
	if (found == 2)
		fl_str_add(kept, "the device of that name is another's now");
	if (found == 1 && FL_RUN(NULL, err, "dmsetup", "remove", "--retry", name) < 0)
		return -1;
	if (detach(fl_about_text(entry, "data"), err) < 0)
		return -1;
	return detach(fl_about_text(entry, "metadata"), err);
}

const struct fl_act_kind fl_act_pool = {
	.name = "pool",
	.look = look,
	.make = make,
	.undo = undo,
	.restore = restore,
};
