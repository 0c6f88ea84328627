/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What there is in all pools: for "ls", "rm", "gc" and "status". The functions are those of
 * struct fl_backend.
 *
 *     fl_thin_status(&site, &table, err);
 */
#pragma once

#include "cmd/fl-snap/backend.h"

int fl_thin_list(const struct fl_site *site, struct fl_table *table, struct fl_err *err);
int fl_thin_remove_base(const struct fl_site *site, const char *name, struct fl_err *err);
int fl_thin_collect(struct fl_garbage *garbage, struct fl_err *err);
int fl_thin_status(const struct fl_site *site, struct fl_table *table, struct fl_err *err);
