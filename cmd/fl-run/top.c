/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/top.h"

#include "cmd/fl-run/life.h"
#include "cmd/fl-run/metrics.h"
#include "common/alloc.h"
#include "common/cancel.h"
#include "common/clock.h"
#include "common/num.h"
#include "common/table.h"

#include <string.h>

#define FIRST_MS 500 /* rates want two looks; the first table shall not let wait for long */
#define HOME_AND_CLEAR "\033[H\033[J"

const struct fl_option fl_top_options[] = {
	{ "interval", 0, "TIME", "between two looks (2s)" },
	{ "count", 'n', "N", "end after so many tables (go on)" },
	{ "sort", 0, "cpu|memory|disk|network|name", "by what (cpu)" },
	FL_LIFE_ALL_OPTION,
	{ 0 },
};

/* A number of a row, and how it is told. */
enum unit { PERCENT, BYTES, BYTES_A_SECOND };

static const struct column {
	const char *title, *key;
	enum unit unit;
	const char *list, *of; /* the sum of a counter over a list of the metrics; or of itself */
	const char *sorts;     /* the word of --sort */
} columns[] = {
	{ "CPU%", "cpu_percent", PERCENT, NULL, "cpu_us", "cpu" },
	{ "MEMORY", "memory_bytes", BYTES, NULL, "memory_bytes", "memory" },
	{ "READ/S", "disk_read_bytes_per_second", BYTES_A_SECOND, "disks", "read_bytes", NULL },
	{ "WRITTEN/S", "disk_written_bytes_per_second", BYTES_A_SECOND, "disks", "written_bytes",
	  "disk" },
	{ "RECEIVED/S", "received_bytes_per_second", BYTES_A_SECOND, "links", "received_bytes",
	  "network" },
	{ "SENT/S", "sent_bytes_per_second", BYTES_A_SECOND, "links", "sent_bytes", NULL },
};

struct look {
	fl_json *list;
	int64_t at; /* microseconds */
};

static int64_t value_of(const fl_json *metrics, const struct column *column)
{
	const fl_json *list = column->list ? fl_json_get(metrics, column->list) : NULL;
	int64_t sum = 0;

	if (!column->list)
		return fl_json_int(fl_json_get(metrics, column->of));
	for (size_t i = 0; i < fl_json_count(list); i++)
		sum += fl_json_int(fl_json_get(fl_json_item(list, i), column->of));
	return sum;
}

static const fl_json *find(const fl_json *list, const char *uid)
{
	for (size_t i = 0; i < fl_json_count(list); i++)
		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_item(list, i), "uid")), uid))
			return fl_json_item(list, i);
	return NULL;
}

/* Of a VMM that is another than before, counters begin anew. */
static double rate(const struct column *column, const fl_json *before, const fl_json *now,
		   double seconds)
{
	int64_t grown = value_of(now, column) - (before ? value_of(before, column) : 0);

	if (column->unit == BYTES)
		return (double)value_of(now, column);
	if (!before || grown < 0)
		return 0;
	return (double)grown / seconds / (column->unit == PERCENT ? 10000 : 1);
}

static fl_json *told(const struct column *column, double value, bool json)
{
	char text[32];

	if (json)
		return column->unit == PERCENT ? fl_json_new_real((double)(int64_t)(value * 10) / 10)
					       : fl_json_new_int((int64_t)value);
	if (column->unit == PERCENT)
		snprintf(text, sizeof(text), "%.1f", value);
	else
		fl_num_print_size((uint64_t)value, text);
	return fl_json_new_text(text);
}

struct line {
	fl_json *row;
	double by;
	const char *name;
};

static int compare(const void *a, const void *b)
{
	const struct line *one = a, *other = b;

	if (one->by != other->by)
		return one->by < other->by ? 1 : -1;
	return strcmp(one->name, other->name);
}

static struct line line_of(const struct fl_args *args, const fl_json *before, const fl_json *now,
			   double seconds)
{
	static const char *const copied[] = { "namespace", "name", "uid", "state", "vmm_state" };
	const char *sort = fl_args_text(args, "sort", "cpu");
	struct line line = { .row = fl_json_new_object(),
			     .name = fl_json_text(fl_json_get(now, "name")) };

	for (size_t i = 0; i < FL_COUNT(copied); i++)
		if (fl_json_get(now, copied[i]))
			fl_json_set(line.row, copied[i], fl_json_ref(fl_json_get(now, copied[i])));
	for (size_t i = 0; i < FL_COUNT(columns); i++) {
		double value = rate(&columns[i], before, now, seconds);

		fl_json_set(line.row, columns[i].key,
			    told(&columns[i], value, fl_args_flag(args, "json")));
		if (fl_str_equal(columns[i].sorts, sort))
			line.by = value;
	}
	return line;
}

static int print(const struct fl_args *args, const struct look *before, const struct look *now,
		 struct fl_err *err)
{
	fl_cleanup_table struct fl_table table = FL_TABLE_INIT;
	size_t count = fl_json_count(now->list);
	fl_cleanup_free struct line *lines = fl_alloc_zero(count, sizeof(*lines));
	double seconds = (double)(now->at - before->at) / 1e6;

	fl_table_column(&table, "NAMESPACE", "namespace");
	fl_table_column(&table, "NAME", "name");
	fl_table_column(&table, "STATE", "state");
	fl_table_column(&table, "VMM", "vmm_state");
	for (size_t i = 0; i < FL_COUNT(columns); i++)
		fl_table_column(&table, columns[i].title, columns[i].key);
	for (size_t i = 0; i < count; i++) {
		const fl_json *one = fl_json_item(now->list, i);

		lines[i] = line_of(args, find(before->list, fl_json_text(fl_json_get(one, "uid"))), one,
				   seconds > 0 ? seconds : 1);
	}
	qsort(lines, count, sizeof(*lines), compare);
	for (size_t i = 0; i < count; i++)
		fl_table_row(&table, lines[i].row);
	return fl_table_print(&table, fl_args_flag(args, "json"), err);
}

static int look(struct fl_args *args, struct look *look, struct fl_err *err)
{
	fl_json_unref(look->list);
	look->list = fl_metrics_all(args, err);
	look->at = fl_clock_us();
	return look->list ? 0 : -1;
}

static int show(struct fl_args *args, int64_t interval_ms, uint64_t count, struct look looks[2],
		struct fl_err *err)
{
	bool is_live = !fl_args_flag(args, "json") && fl_cli_is_terminal();

	if (look(args, &looks[0], err) < 0)
		return -1;
	for (uint64_t i = 0; !count || i < count; i++) {
		int64_t wait = i == 0 && interval_ms > FIRST_MS ? FIRST_MS : interval_ms;

		if (fl_cancel_wait(NULL, -1, (int)wait, err) < 0 ||
		    look(args, &looks[(i + 1) % 2], err) < 0 ||
		    (is_live && fl_cli_print(HOME_AND_CLEAR, strlen(HOME_AND_CLEAR), err) < 0) ||
		    print(args, &looks[i % 2], &looks[(i + 1) % 2], err) < 0)
			return -1;
	}
	return 0;
}

static int check_sort(const struct fl_args *args, struct fl_err *err)
{
	const char *sort = fl_args_text(args, "sort", "cpu");

	for (size_t i = 0; i < FL_COUNT(columns); i++)
		if (fl_str_equal(columns[i].sorts, sort))
			return 0;
	if (strcmp(sort, "name") == 0)
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--sort %s: cpu, memory, disk, network or name", sort);
}

int fl_top(struct fl_args *args, struct fl_err *err)
{
	struct look looks[2] = { { NULL, 0 }, { NULL, 0 } };
	uint64_t interval, count;
	int rc;

	if (check_sort(args, err) < 0 ||
	    fl_args_duration(args, "interval", 2000, &interval, err) < 0 ||
	    fl_args_number(args, "count", 1, UINT32_MAX, 0, &count, err) < 0)
		return -1;
	if (interval < 100 || interval > 3600000)
		return fl_err_set(err, FL_ERR_USAGE, "--interval: from 100ms to 1h");
	rc = show(args, (int64_t)interval, count, looks, err);
	fl_json_unref(looks[0].list);
	fl_json_unref(looks[1].list);
	/* On a terminal a key that interrupts is how it ends. */
	if (rc < 0 && err->kind == FL_ERR_INTERRUPTED && fl_cli_is_terminal())
		return 0;
	return rc;
}
