/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Lists for people as aligned columns, and for programs as JSON Lines, by one path.
 *
 *     struct fl_table table = FL_TABLE_INIT;
 *     fl_table_column(&table, "NAME", "name");
 *     fl_table_row(&table, object);                  // borrowed members
 *     fl_table_print(&table, json, err);
 *     fl_table_finish(&table);
 */
#pragma once

#include "common/json.h"
#include "common/vec.h"

struct fl_table_column {
	const char *title, *path; /* path: where the value is in a row's object */
	bool is_size;             /* bytes, for people as 1.5 GiB */
};

struct fl_table {
	FL_VEC(struct fl_table_column) columns;
	fl_json *rows;
};

#define FL_TABLE_INIT { { 0 }, NULL }

void fl_table_column(struct fl_table *table, const char *title, const char *path);
void fl_table_size_column(struct fl_table *table, const char *title, const char *path);
void fl_table_row(struct fl_table *table, fl_json *row); /* takes row */

/* json: every row's object on a line of its own; else columns under titles, where a state is
 * coloured on a terminal. */
int fl_table_print(const struct fl_table *table, bool json, struct fl_err *err);

void fl_table_finish(struct fl_table *table);
#define fl_cleanup_table FL_CLEANUP(fl_table_finish)
