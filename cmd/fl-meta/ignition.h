/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Ignition's configuration: metadata "ignition". Under QEMU the guest reads it by fw_cfg; elsewhere
 * on a config drive, as OpenStack has it (label config-2, openstack/latest/user_data).
 *
 *     if (fl_ignition_read(&spec, &text, err) < 0) return -1;
 *     if (text.len && fl_ignition_write_drive(&file, &text, FL_DISK_VFAT, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-meta/disk.h"
#include "common/atomic.h"
#include "common/spec.h"

/* Its bytes as they are; "" when the spec has none. FL_ERR_INVALID when they are not a
 * configuration of Ignition (specification 2 and later: JSON with ignition.version). */
int fl_ignition_read(const struct fl_spec *spec, struct fl_str *text, struct fl_err *err);

/* Into a file that is open for writing aside; publishes it. */
int fl_ignition_write_drive(struct fl_atomic *file, const struct fl_str *text,
			    enum fl_disk_format format, struct fl_err *err);
