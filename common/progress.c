/* SPDX-License-Identifier: MPL-2.0 */
#include "common/progress.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/num.h"

#include <stdio.h>
#include <string.h>

#define WIDTH 30
#define REDRAW_MS 100

void fl_progress_start(struct fl_progress *bar, const char *name, bool shown)
{
	*bar = (struct fl_progress){ .name = name, .shown = shown, .started_ms = fl_clock_ms(),
				     .owner = pthread_self() };
}

void fl_progress_start_json(struct fl_progress *bar, const char *name)
{
	fl_progress_start(bar, name, true);
	bar->is_json = true;
}

static void print_json(const struct fl_progress *bar, uint64_t done, uint64_t total)
{
	fl_cleanup_json fl_json *line = fl_json_new_object();
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_set(line, "name", fl_json_new_text(bar->name));
	fl_json_set(line, "done", fl_json_new_int((int64_t)done));
	fl_json_set(line, "total", fl_json_new_int((int64_t)total));
	fl_json_print(line, false, &text);
	fprintf(stderr, "%s\n", text.data);
	fflush(stderr);
}

static void draw(struct fl_progress *bar, uint64_t done, uint64_t total)
{
	char marks[WIDTH + 1], have[16], all[16];
	int full = total ? (int)(done * WIDTH / total) : WIDTH;

	memset(marks, '-', WIDTH);
	memset(marks, '#', full > WIDTH ? WIDTH : (size_t)full);
	marks[WIDTH] = 0;
	fl_num_print_size(done, have);
	fl_num_print_size(total, all);
	fprintf(stderr, "\r\033[K%.60s [%s] %3d%% %s / %s", bar->name, marks,
		total ? (int)(done * 100 / total) : 100, have, all);
	fflush(stderr);
}

void fl_progress_update(void *arg, uint64_t done, uint64_t total)
{
	struct fl_progress *bar = arg;
	int64_t now;

	if (!bar->shown || !pthread_equal(bar->owner, pthread_self()))
		return;
	now = fl_clock_ms();
	if (now - bar->drawn_ms < REDRAW_MS && done != total)
		return;
	bar->drawn_ms = now;
	if (bar->is_json)
		print_json(bar, done, total);
	else
		draw(bar, done, total);
}

void fl_progress_end(struct fl_progress *bar)
{
	if (bar->shown && bar->drawn_ms && !bar->is_json)
		fprintf(stderr, "  %.1f s\n", (double)(fl_clock_ms() - bar->started_ms) / 1000);
	bar->shown = false;
}
