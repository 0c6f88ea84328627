/* SPDX-License-Identifier: MPL-2.0 */
#include "common/progress.h"

#include "common/clock.h"
#include "common/json.h"
#include "common/num.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH 30
#define NARROWEST 8
#define LONGEST_NAME 60
#define END_WIDTH 12 /* the time at the end, and the cursor */
#define REDRAW_MS 100

int fl_progress_start(struct fl_progress *bar, const char *name, const struct fl_args *args,
		      struct fl_err *err)
{
	const char *how = fl_args_text(args, "progress", "auto");

	*bar = (struct fl_progress){ .name = name, .started_ms = fl_clock_ms(),
				     .mutex = PTHREAD_MUTEX_INITIALIZER };
	if (strcmp(how, "json") == 0)
		bar->shown = bar->is_json = true;
	else if (strcmp(how, "auto") == 0)
		bar->shown = fl_cli_shows_progress(args);
	else if (strcmp(how, "none") != 0)
		return fl_err_set(err, FL_ERR_USAGE,
				  "option --progress: \"%s\" is not auto, none or json", how);
	return 0;
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

static int columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/* In one line of the terminal, as no more can be drawn over: the marks give way first, then the
 * name's beginning. */
static void draw(struct fl_progress *bar, uint64_t done, uint64_t total)
{
	char marks[WIDTH + 1], have[16], all[16], sizes[64];
	int name = (int)strlen(bar->name), most = name < LONGEST_NAME ? name : LONGEST_NAME;
	int room, width, full;

	fl_num_print_size(done, have);
	fl_num_print_size(total, all);
	snprintf(sizes, sizeof(sizes), "%3d%% %s / %s", total ? (int)(done * 100 / total) : 100, have, all);
	room = columns() - (int)strlen(sizes) - END_WIDTH - (int)strlen(" [] ");
	width = room - most > NARROWEST ? room - most : NARROWEST;
	width = width < WIDTH ? width : WIDTH;
	most = most < room - width ? most : room - width;
	most = most > 0 ? most : 0;
	full = total ? (int)(done * (uint64_t)width / total) : width;
	memset(marks, '-', sizeof(marks));
	memset(marks, '#', full > width ? (size_t)width : (size_t)full);
	fprintf(stderr, "\r\033[K%s [%.*s] %s", bar->name + name - most, width, marks, sizes);
	fflush(stderr);
}

static void show(struct fl_progress *bar, uint64_t done, uint64_t total)
{
	int64_t now = fl_clock_ms();

	if (bar->drawn_ms && total == bar->total && done <= bar->drawn)
		return;
	if (now - bar->drawn_ms < REDRAW_MS && done != total)
		return;
	bar->drawn_ms = now;
	bar->drawn = done;
	bar->total = total;
	if (bar->is_json)
		print_json(bar, done, total);
	else
		draw(bar, done, total);
}

void fl_progress_update(void *arg, uint64_t done, uint64_t total)
{
	struct fl_progress *bar = arg;

	if (!bar->shown)
		return;
	pthread_mutex_lock(&bar->mutex);
	show(bar, done, total);
	pthread_mutex_unlock(&bar->mutex);
}

void fl_progress_end(struct fl_progress *bar)
{
	if (bar->shown && bar->drawn_ms && !bar->is_json)
		fprintf(stderr, "  %.1f s\n", (double)(fl_clock_ms() - bar->started_ms) / 1000);
	bar->shown = false;
}
