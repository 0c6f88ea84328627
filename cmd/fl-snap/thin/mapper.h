/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The kernel's device-mapper: devices by name, their tables, messages to them. The one owner
 * of libdevmapper.
 *
 *     struct fl_mapper_device device = { "fl-01J…-root", "FLINTLOCK-…", 2097152, true };
 *     if (fl_mapper_ready(err) < 0) return -1;
 *     if (fl_mapper_create(&device, "thin", "254:2 8388609", err) < 0) return -1;
 *     open("/dev/mapper/fl-01J…-root", …);
 *     fl_mapper_remove("fl-01J…-root", err);
 *
 * Nodes in /dev are made by udevd where it runs, and by the library where it does not; they
 * are there when a function returns. Numbers of sectors are of 512 bytes.
 * Kernel: Documentation/admin-guide/device-mapper/thin-provisioning.rst.
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>
#include <stdint.h>

#define FL_MAPPER_FOLDER "/dev/mapper"
#define FL_MAPPER_NAME 128
#define FL_MAPPER_UUID 129
#define FL_SECTOR 512

/* 0 when there is a device-mapper and we may use it; FL_ERR_UNSUPPORTED, FL_ERR_DENIED. */
int fl_mapper_ready(struct fl_err *err);

struct fl_mapper_info {
	uint32_t major, minor;
	uint64_t sectors;
	bool read_only;
	char uuid[FL_MAPPER_UUID]; /* "" without one */
	char type[32];             /* of its first target; "" without a table */
	char params[256];          /* of its table, cut when longer */
};

/* 1 it is there, 0 it is not, -1. */
int fl_mapper_look(const char *name, struct fl_mapper_info *info, struct fl_err *err);

/* Calls each for every device's name. */
int fl_mapper_list(void (*each)(void *arg, const char *name), void *arg, struct fl_err *err);

/* What a device is to be. */
struct fl_mapper_device {
	const char *name, *uuid;
	uint64_t sectors;
	bool read_only;
};

/* Makes the device, with its table, and its node. -1 with errno as the kernel had it. */
int fl_mapper_create(const struct fl_mapper_device *device, const char *type, const char *params,
		     struct fl_err *err);

/* Puts another table into a device that is there, whether it is open or not. */
int fl_mapper_replace(const struct fl_mapper_device *device, const char *type,
		      const char *params, struct fl_err *err);

/* What is not there is fine; FL_ERR_BUSY when somebody has it open for longer than a moment. */
int fl_mapper_remove(const char *name, struct fl_err *err);

/* A message to a device's first target. -1 with errno as the kernel had it. */
int fl_mapper_send(const char *name, const char *message, struct fl_err *err);

struct fl_mapper_pool_status {
	uint64_t metadata_used, metadata_total; /* blocks of 4 KiB */
	uint64_t data_used, data_total;         /* blocks of the pool's own size */
	uint64_t transaction;
	bool read_only, failed, out_of_data, needs_check, fails_when_full;
};

int fl_mapper_pool_status(const char *name, struct fl_mapper_pool_status *status,
			  struct fl_err *err);

/* Sectors of a thin device that have a place in its pool. */
int fl_mapper_thin_mapped(const char *name, uint64_t *sectors, struct fl_err *err);
