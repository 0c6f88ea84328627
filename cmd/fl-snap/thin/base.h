/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bases in a pool: an image's file system in a thin device, written once and then never
 * switched on again, so that a snapshot of it is one message.
 *
 *     fl_cleanup_thin_row struct fl_thin_row base = { 0 };
 *     if (fl_thin_base(&pool, call, "<chain-id>-<MiB>-v<format>", &base, err) < 0) return -1;
 */
#pragma once

#include "cmd/fl-snap/backend.h"
#include "cmd/fl-snap/thin/device.h"

/* The base's row, ready; it is made when it is missing. The caller holds the store's lock. */
int fl_thin_base(const struct fl_thin_pool *pool, const struct fl_volume_call *call,
		 const char *name, struct fl_thin_row *base, struct fl_err *err);

/* Takes it away, whatever state it is in. Nobody else may hold the store's lock. */
int fl_thin_base_delete(const struct fl_thin_pool *pool, struct fl_thin_row *base,
			struct fl_err *err);
