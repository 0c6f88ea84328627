/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-snap/thin/mapper.h"

#include "common/io.h"
#include "common/log.h"
#include "common/str.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libdevmapper.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define DM_NAME "device-mapper"

/* What guests write is not for the host to look at: no probing, no links by UUID, no volume groups
 * of LVM's switched on. A node that udevd did not make, the library does. */
#define NODE_ALONE                                                                       \
	(DM_UDEV_DISABLE_SUBSYSTEM_RULES_FLAG | DM_UDEV_DISABLE_DISK_RULES_FLAG |        \
	 DM_UDEV_DISABLE_OTHER_RULES_FLAG)

/* A udevd that died leaves its socket behind, and is waited for no longer than this. */
#define UDEV_TRIES 500
#define UDEV_TRY_MS 20

static void task_finish(struct dm_task **task)
{
	int saved = errno;

	if (*task)
		dm_task_destroy(*task);
	errno = saved;
}

#define cleanup_task FL_CLEANUP(task_finish)

/* What the library would print: whoever called has the kernel's answer, and says what it means. */
static void say_nothing(int level, const char *file, int line, int errnum, const char *fmt, ...)
{
	(void)level;
	(void)file;
	(void)line;
	(void)errnum;
	(void)fmt;
}

static struct dm_task *new_task(int type, const char *name)
{
	struct dm_task *task = dm_task_create(type);

	if (task && name && !dm_task_set_name(task, name)) {
		dm_task_destroy(task);
		return NULL;
	}
	return task;
}

static int fail(struct dm_task *task, const char *name, const char *what, struct fl_err *err)
{
	int errnum = task ? dm_task_get_errno(task) : ENOMEM;

	errnum = errnum ? errnum : EINVAL;
	fl_err_errno(err, errnum, "%s: %s", name, what);
	errno = errnum;
	return -1;
}

/* Asked for what the kernel does not have, the library would make nodes in /dev for it. */
static bool is_known(void)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	return fl_io_read_file(AT_FDCWD, "/proc/misc", 1 << 16, &text, NULL) == 0 && text.len &&
	       strstr(text.data, " " DM_NAME "\n");
}

static int no_mapper(struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "this kernel has no device-mapper, or it may not "
			  "be used here; \"modprobe dm-thin-pool\" as root, or --backend file");
}

int fl_mapper_ready(struct fl_err *err)
{
	static bool is_ready; /* of the process, as the library's own state is */
	struct dm_task *task cleanup_task = NULL;

	if (is_ready)
		return 0;
	dm_log_with_errno_init(say_nothing);
	/* Without this the library says that there is none, also to who may not use it. */
	if (access(FL_MAPPER_FOLDER "/control", F_OK) == 0 &&
	    access(FL_MAPPER_FOLDER "/control", R_OK | W_OK) < 0)
		return fl_err_errno(err, errno, "device-mapper cannot be used; run as root");
	if (!is_known())
		return no_mapper(err);
	task = new_task(DM_DEVICE_VERSION, NULL);
	is_ready = task && dm_task_run(task);
	return is_ready ? 0 : no_mapper(err);
}

static void note_target(struct dm_task *task, struct fl_mapper_info *info)
{
	uint64_t start = 0, length = 0;
	char *type = NULL, *params = NULL;
	void *next = NULL;
	bool first = true;

	do {
		next = dm_get_next_target(task, next, &start, &length, &type, &params);
		if (first)
			snprintf(info->type, sizeof(info->type), "%s", type ? type : "");
		if (first)
			snprintf(info->params, sizeof(info->params), "%s", params ? params : "");
		first = false;
	} while (next);
	info->sectors = start + length;
}

int fl_mapper_look(const char *name, struct fl_mapper_info *info, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_TABLE, name);
	struct dm_info raw = { 0 };

	memset(info, 0, sizeof(*info));
	if (!task || !dm_task_no_open_count(task) || !dm_task_run(task)) {
		if (task && dm_task_get_errno(task) == ENXIO)
			return 0;
		return fail(task, name, "cannot be looked at", err);
	}
	if (!dm_task_get_info(task, &raw))
		return fail(task, name, "cannot be looked at", err);
	if (!raw.exists)
		return 0;
	info->major = raw.major;
	info->minor = raw.minor;
	info->read_only = raw.read_only;
	snprintf(info->uuid, sizeof(info->uuid), "%s", dm_task_get_uuid(task));
	note_target(task, info);
	return 1;
}

int fl_mapper_list(void (*each)(void *arg, const char *name), void *arg, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_LIST, NULL);
	const struct dm_names *names;

	if (!task || !dm_task_run(task) || !(names = dm_task_get_names(task)))
		return fail(task, "device-mapper", "its devices cannot be listed", err);
	if (!names->dev)
		return 0;
	for (;;) {
		each(arg, names->name);
		if (!names->next)
			return 0;
		names = (const struct dm_names *)(const void *)((const char *)names + names->next);
	}
}

/* Until udevd has made or removed the node; without it, the library does. */
static void wait_for_node(uint32_t cookie)
{
	int ready = 0;

	for (int i = 0; cookie && i < UDEV_TRIES; i++) {
		if (!dm_udev_wait_immediate(cookie, &ready) || ready)
			break;
		poll(NULL, 0, UDEV_TRY_MS);
	}
	if (cookie && !ready) {
		fl_log(FL_LOG_WARN, "udevd does not answer device-mapper; going on without it");
		dm_udev_complete(cookie);
		dm_udev_wait_immediate(cookie, &ready);
	}
	dm_task_update_nodes();
}

/* A task that lets a node come or go. */
static int run_with_node(struct dm_task *task, const char *name, const char *what,
			 struct fl_err *err)
{
	uint32_t cookie = 0;
	int rc, saved;

	if (!task || !dm_task_set_cookie(task, &cookie, NODE_ALONE))
		return fail(task, name, what, err);
	rc = dm_task_run(task) ? 0 : fail(task, name, what, err);
	saved = errno;
	wait_for_node(cookie);
	errno = saved;
	return rc;
}

static int add(const struct fl_mapper_device *device, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_CREATE, device->name);

	if (!task || !dm_task_set_uuid(task, device->uuid) || !dm_task_run(task))
		return fail(task, device->name, "cannot be made", err);
	return 0;
}

static int load(const struct fl_mapper_device *device, const char *type, const char *params,
		struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_RELOAD, device->name);

	if (!task || !dm_task_add_target(task, 0, device->sectors, type, params) ||
	    (device->read_only && !dm_task_set_ro(task)) || !dm_task_run(task))
		return fail(task, device->name, "its table is refused", err);
	return 0;
}

static int resume(const char *name, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_RESUME, name);

	return run_with_node(task, name, "cannot be switched on", err);
}

int fl_mapper_create(const struct fl_mapper_device *device, const char *type, const char *params,
		     struct fl_err *err)
{
	int saved;

	if (add(device, err) < 0)
		return -1;
	if (load(device, type, params, err) == 0 && resume(device->name, err) == 0)
		return 0;
	saved = errno;
	fl_mapper_remove(device->name, NULL);
	errno = saved;
	return -1;
}

int fl_mapper_replace(const struct fl_mapper_device *device, const char *type,
		      const char *params, struct fl_err *err)
{
	if (load(device, type, params, err) < 0)
		return -1;
	/* The kernel holds I/O, takes the new table and goes on. */
	return resume(device->name, err);
}

int fl_mapper_remove(const char *name, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_REMOVE, name);

	/* udevd opens what is new for a moment. */
	if (!task || !dm_task_retry_remove(task))
		return fail(task, name, "cannot be switched off", err);
	if (run_with_node(task, name, "cannot be switched off", err) == 0 || errno == ENXIO)
		return 0;
	return errno == EBUSY ? fl_err_set(err, FL_ERR_BUSY, "%s: somebody has it open; see "
					   "\"fuser -v " FL_MAPPER_FOLDER "/%s\"", name, name)
			      : -1;
}

int fl_mapper_send(const char *name, const char *message, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_TARGET_MSG, name);

	if (!task || !dm_task_set_sector(task, 0) || !dm_task_set_message(task, message) ||
	    !dm_task_run(task))
		return fail(task, name, message, err);
	return 0;
}

/* Asks for the status of a device whose only target is of that type; parse, which returns false
 * when it does not understand it, gets memory that lives until it returns. */
static int read_status(const char *name, const char *type,
		       bool (*parse)(struct dm_pool *memory, const char *params, void *status),
		       void *status, struct fl_err *err)
{
	struct dm_task *task cleanup_task = new_task(DM_DEVICE_STATUS, name);
	struct dm_pool *memory = NULL;
	char *is = NULL, *params = NULL;
	uint64_t start, length;
	int rc = 0;

	/* A flush would commit the metadata of a pool that others share. */
	if (!task || !dm_task_no_open_count(task) || !dm_task_no_flush(task) || !dm_task_run(task))
		return fail(task, name, "its status cannot be had", err);
	dm_get_next_target(task, NULL, &start, &length, &is, &params);
	if (!is || strcmp(is, type) != 0 || !params)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: not a device of kind %s", name, type);
	memory = dm_pool_create("status", 1024);
	if (!memory || !parse(memory, params, status))
		rc = fl_err_set(err, FL_ERR_CORRUPT, "%s: status \"%s\" is not understood", name,
				params);
	if (memory)
		dm_pool_destroy(memory);
	return rc;
}

static bool parse_pool(struct dm_pool *memory, const char *params, void *status)
{
	struct dm_status_thin_pool *raw = NULL;

	if (!dm_get_status_thin_pool(memory, params, &raw))
		return false;
	*(struct fl_mapper_pool_status *)status = (struct fl_mapper_pool_status){
		.metadata_used = raw->used_metadata_blocks,
		.metadata_total = raw->total_metadata_blocks,
		.data_used = raw->used_data_blocks,
		.data_total = raw->total_data_blocks,
		.transaction = raw->transaction_id,
		.read_only = raw->read_only,
		.failed = raw->fail || raw->error,
		.out_of_data = raw->out_of_data_space,
		.needs_check = raw->needs_check,
		.fails_when_full = raw->error_if_no_space,
	};
	return true;
}

int fl_mapper_pool_status(const char *name, struct fl_mapper_pool_status *status,
			  struct fl_err *err)
{
	return read_status(name, "thin-pool", parse_pool, status, err);
}

static bool parse_mapped(struct dm_pool *memory, const char *params, void *sectors)
{
	struct dm_status_thin *raw = NULL;

	if (!dm_get_status_thin(memory, params, &raw))
		return false;
	*(uint64_t *)sectors = raw->mapped_sectors;
	return true;
}

int fl_mapper_thin_mapped(const char *name, uint64_t *sectors, struct fl_err *err)
{
	return read_status(name, "thin", parse_mapped, sectors, err);
}
