/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The least that a disk from a base in a thin pool can cost: the snapshot, and a device that is
 * given its table and switched on.
 *     ioctls POOL BASE-ID ID NAME SECTORS
 */
#include <libdevmapper.h>
#include <stdio.h>
#include <stdlib.h>

static int message(const char *pool, const char *text)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_TARGET_MSG);
	int done = task && dm_task_set_name(task, pool) && dm_task_set_sector(task, 0) &&
		   dm_task_set_message(task, text) && dm_task_run(task);

	dm_task_destroy(task);
	return done;
}

static int device(const char *name, const char *pool, const char *id, uint64_t sectors)
{
	struct dm_task *task = dm_task_create(DM_DEVICE_CREATE);
	uint32_t cookie = 0;
	char params[300];
	int done;

	snprintf(params, sizeof(params), "/dev/mapper/%s %s", pool, id);
	done = task && dm_task_set_name(task, name) &&
	       dm_task_add_target(task, 0, sectors, "thin", params) &&
	       dm_task_set_cookie(task, &cookie, 0) && dm_task_run(task);
	dm_udev_wait(cookie);
	dm_task_destroy(task);
	return done;
}

int main(int argc, char **argv)
{
	char text[100];

	if (argc != 6)
		return 2;
	snprintf(text, sizeof(text), "create_snap %s %s", argv[3], argv[2]);
	return !message(argv[1], text) ||
	       !device(argv[4], argv[1], argv[3], strtoull(argv[5], NULL, 10));
}
