/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-supervise/console.h"

#include "common/clock.h"
#include "common/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ROTATE_AT (4 << 20)

static void open_file(struct fl_console *console)
{
	struct stat st;

	console->fd = openat(console->dirfd, console->name,
			     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	console->size = console->fd >= 0 && fstat(console->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void fl_console_init(struct fl_console *console, int dirfd, const char *name, bool stamped)
{
	memset(console, 0, sizeof(*console));
	console->dirfd = dirfd;
	console->stamped = stamped;
	snprintf(console->name, sizeof(console->name), "%s", name);
	open_file(console);
}

void fl_console_finish(struct fl_console *console)
{
	if (console->fd >= 0)
		close(console->fd);
	console->fd = -1;
}

void fl_console_restart(struct fl_console *console)
{
	console->line_len = 0;
	console->panic[0] = console->no_root[0] = console->cloud_init[0] = 0;
	console->halted = console->booted = console->powered_off = false;
}

static void rotate(struct fl_console *console)
{
	char older[sizeof(console->name) + 2];

	snprintf(older, sizeof(older), "%s.1", console->name);
	fl_console_finish(console);
	renameat(console->dirfd, console->name, console->dirfd, older);
	open_file(console);
}

static void keep(struct fl_console *console, const char *data, size_t size)
{
	if (console->size + size > ROTATE_AT)
		rotate(console);
	/* A full disk loses console text; the guest must not stop for that. */
	if (console->fd >= 0 && fl_io_write(console->fd, data, size, console->name, NULL) == 0)
		console->size += size;
}

static void keep_stamped(struct fl_console *console, const char *data, size_t size)
{
	char now[FL_CLOCK_TEXT];

	fl_clock_print_now(now);
	while (size) {
		const char *newline = memchr(data, '\n', size);
		size_t len = newline ? (size_t)(newline - data) + 1 : size;

		if (!console->mid_line) {
			keep(console, now, strlen(now));
			keep(console, " ", 1);
		}
		keep(console, data, len);
		console->mid_line = !newline;
		data += len;
		size -= len;
	}
}

/* Copies from the finding on, once; true when it is the first. */
static bool find(const char *line, const char *mark, bool after, char *into)
{
	const char *at = strstr(line, mark);

	if (!at || *into)
		return false;
	snprintf(into, FL_CONSOLE_LINE, "%s", after ? at + strlen(mark) : at);
	return *into;
}

/* systemd's last targets (quiet, it says nothing), a getty's prompt, or our own word. */
static bool says_booted(const char *line)
{
	static const char prompt[] = "login: ";

	return strstr(line, "flintlock-boot: done") ||
	       (strstr(line, "Reached target ") &&
		(strstr(line, "multi-user.target") || strstr(line, "Multi-User System") ||
		 strstr(line, "graphical.target") || strstr(line, "Graphical Interface"))) ||
	       (strlen(line) >= strlen(prompt) &&
		strcmp(line + strlen(line) - strlen(prompt), prompt) == 0);
}

/* True when that is new. */
static bool note_boot(struct fl_console *console)
{
	console->line[console->line_len] = 0;
	if (console->booted || !says_booted(console->line))
		return false;
	console->booted = true;
	return true;
}

static bool search(struct fl_console *console)
{
	const char *line = console->line;
	bool halted = strstr(line, "reboot: System halted") && !console->halted;
	bool found = halted;

	if (*line) {
		snprintf(console->last, sizeof(console->last), "%s", line);
		console->powered_off = strstr(line, "reboot: Power down") != NULL;
	}
	console->halted |= halted;
	found |= find(line, "Kernel panic - not syncing: ", false, console->panic);
	found |= find(line, "flintlock-initrd: ", false, console->no_root);
	found |= find(line, "VFS: Unable to mount root fs", false, console->no_root);
	found |= find(line, "flintlock-cloud-init: ", true, console->cloud_init);
	return found;
}

bool fl_console_add(struct fl_console *console, const char *data, size_t size)
{
	bool found = false;

	if (console->stamped)
		keep_stamped(console, data, size);
	else
		keep(console, data, size);
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '\n') {
			found |= note_boot(console);
			found |= search(console);
			console->line_len = 0;
		} else if (data[i] >= 0x20 && console->line_len + 1 < FL_CONSOLE_LINE) {
			console->line[console->line_len++] = data[i];
		}
	}
	/* A prompt is a line that does not end. */
	return note_boot(console) || found;
}
