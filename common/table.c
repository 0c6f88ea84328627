/* SPDX-License-Identifier: MPL-2.0 */
#include "common/table.h"

#include "common/alloc.h"
#include "common/cli.h"
#include "common/colour.h"
#include "common/log.h"
#include "common/num.h"

#include <string.h>
#include <unistd.h>

void fl_table_column(struct fl_table *table, const char *title, const char *path)
{
	FL_VEC_ADD(&table->columns, (struct fl_table_column){ title, path, false });
}

void fl_table_size_column(struct fl_table *table, const char *title, const char *path)
{
	FL_VEC_ADD(&table->columns, (struct fl_table_column){ title, path, true });
}

void fl_table_row(struct fl_table *table, fl_json *row)
{
	if (!table->rows)
		table->rows = fl_json_new_array();
	fl_json_add(table->rows, row);
}

void fl_table_finish(struct fl_table *table)
{
	free(table->columns.items);
	fl_json_unref(table->rows);
	*table = (struct fl_table)FL_TABLE_INIT;
}

/* Control characters in a value must not steer the terminal. */
static void cell(const fl_json *row, const struct fl_table_column *column, struct fl_str *out)
{
	const fl_json *value = fl_json_at(row, column->path);
	size_t from = out->len;
	char size[16];

	if (value && !fl_json_is_null(value) && column->is_size) {
		fl_num_print_size((uint64_t)fl_json_int(value), size);
		fl_str_add(out, size);
	} else if (fl_json_is_text(value))
		fl_str_add(out, fl_json_text(value));
	else if (value && !fl_json_is_null(value))
		fl_json_print(value, false, out);
	if (out->len == from)
		fl_str_add(out, "-");
	fl_log_tame(out->data + from, "");
}

static size_t width_of(const struct fl_table *table, size_t column)
{
	size_t width = strlen(table->columns.items[column].title);

	for (size_t i = 0; i < fl_json_count(table->rows); i++) {
		fl_cleanup_str struct fl_str text = FL_STR_INIT;

		cell(fl_json_item(table->rows, i), &table->columns.items[column], &text);
		width = text.len > width ? text.len : width;
	}
	return width;
}

/* Members that say how a thing is are called so everywhere: "state", "vmm_state". */
static enum fl_colour colour_of(const char *path, const char *text, bool coloured)
{
	return coloured && fl_str_ends(path, "state") ? fl_colour_of(text) : FL_COLOUR_NONE;
}

/* widths: of the columns; row: NULL for the titles. */
static void add_columns(const struct fl_table *table, const size_t *widths, const fl_json *row,
			bool coloured, struct fl_str *out)
{
	for (size_t i = 0; i < table->columns.count; i++) {
		fl_cleanup_str struct fl_str text = FL_STR_INIT;
		const struct fl_table_column *column = &table->columns.items[i];

		if (row)
			cell(row, column, &text);
		else
			fl_str_add(&text, column->title);
		fl_colour_add(out, colour_of(column->path, text.data, row && coloured), text.data);
		if (i + 1 < table->columns.count)
			fl_str_addf(out, "%*s  ", (int)(widths[i] - text.len), "");
		else
			fl_str_add(out, "\n");
	}
}

static void add_text(const struct fl_table *table, struct fl_str *out)
{
	bool coloured = fl_colour_is_wanted(STDOUT_FILENO);
	fl_cleanup_free size_t *widths = fl_alloc_zero(table->columns.count, sizeof(*widths));

	for (size_t i = 0; i < table->columns.count; i++)
		widths[i] = width_of(table, i);
	add_columns(table, widths, NULL, coloured, out);
	for (size_t i = 0; i < fl_json_count(table->rows); i++)
		add_columns(table, widths, fl_json_item(table->rows, i), coloured, out);
}

int fl_table_print(const struct fl_table *table, bool json, struct fl_err *err)
{
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	if (!json)
		add_text(table, &out);
	for (size_t i = 0; json && i < fl_json_count(table->rows); i++) {
		fl_json_print(fl_json_item(table->rows, i), false, &out);
		fl_str_add(&out, "\n");
	}
	return fl_cli_print(out.data ? out.data : "", out.len, err);
}
