/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/vms/follow.h"

#include "common/alloc.h"
#include "common/journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define FILE_NAME "events.jsonl"
#define LONGEST_LINE 4096

struct fl_follow {
	const struct fl_state *state;
	int inotify;
	int fd;    /* of the journal; -1 while there is none */
	ino_t ino; /* of it: rotation gives the name to another */
	off_t at;
	uint64_t seq;
};

static int open_journal(struct fl_follow *follow)
{
	struct stat st;

	if (follow->fd >= 0)
		close(follow->fd);
	follow->at = 0;
	follow->fd = openat(follow->state->dirfd, FILE_NAME, O_RDONLY | O_CLOEXEC);
	if (follow->fd >= 0 && fstat(follow->fd, &st) == 0)
		follow->ino = st.st_ino;
	return follow->fd;
}

struct fl_follow *fl_follow_open(const struct fl_state *state, struct fl_err *err)
{
	struct fl_follow *follow = fl_alloc_zero(1, sizeof(*follow));
	struct stat st;

	follow->state = state;
	follow->fd = -1;
	follow->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (follow->inotify < 0 ||
	    inotify_add_watch(follow->inotify, state->dir, IN_CREATE | IN_MODIFY | IN_MOVED_TO) < 0) {
		fl_err_errno(err, errno, "%s: changes cannot be watched", state->dir);
		fl_follow_close(follow);
		return NULL;
	}
	follow->seq = fl_journal_last(state->dirfd);
	if (open_journal(follow) >= 0 && fstat(follow->fd, &st) == 0)
		follow->at = st.st_size;
	return follow;
}

void fl_follow_close(struct fl_follow *follow)
{
	if (!follow)
		return;
	if (follow->fd >= 0)
		close(follow->fd);
	if (follow->inotify >= 0)
		close(follow->inotify);
	free(follow);
}

int fl_follow_fd(const struct fl_follow *follow)
{
	return follow->inotify;
}

uint64_t fl_follow_seq(const struct fl_follow *follow)
{
	return follow->seq;
}

struct reading {
	struct fl_follow *follow;
	fl_vm_names names;
	bool missed;
};

static void take_line(struct reading *reading, const char *line, size_t size)
{
	fl_cleanup_json fl_json *doc = fl_json_parse(line, size, FILE_NAME, NULL);
	uint64_t seq = (uint64_t)fl_json_int(fl_json_get(doc, "seq"));
	const char *name_space = fl_json_text(fl_json_get(doc, "namespace"));
	const char *name = fl_json_text(fl_json_get(doc, "name"));
	const char *uid = fl_json_text(fl_json_get(doc, "uid"));
	struct fl_vm_name vm = { 0 };

	/* A torn line is another's crash; its change has a line of its own or never was. */
	if (!seq || seq <= reading->follow->seq)
		return;
	reading->missed |= seq > reading->follow->seq + 1;
	reading->follow->seq = seq;
	if (!name_space || !name || !uid || !fl_ulid_is_valid(uid))
		return;
	vm.name_space = fl_strdup(name_space);
	vm.name = fl_strdup(name);
	snprintf(vm.uid, sizeof(vm.uid), "%s", uid);
	FL_VEC_ADD(&reading->names, vm);
}

/* Whole lines from where the last reading ended. */
static void read_lines(struct reading *reading)
{
	struct fl_follow *follow = reading->follow;
	char buffer[16 * LONGEST_LINE];
	ssize_t got;

	while ((got = pread(follow->fd, buffer, sizeof(buffer), follow->at)) > 0) {
		const char *line = buffer, *end = buffer + got, *newline;

		while ((newline = memchr(line, '\n', (size_t)(end - line)))) {
			take_line(reading, line, (size_t)(newline - line));
			line = newline + 1;
		}
		/* A line that is not whole yet is read again; one that cannot be ours is not. */
		if (line == buffer && got < (ssize_t)sizeof(buffer))
			return;
		follow->at += line == buffer ? got : line - buffer;
	}
}

static bool was_replaced(const struct fl_follow *follow)
{
	struct stat st;

	return fstatat(follow->state->dirfd, FILE_NAME, &st, 0) == 0 &&
	       (follow->fd < 0 || st.st_ino != follow->ino);
}

static bool has_grown(const struct fl_follow *follow)
{
	struct stat st;

	return (follow->fd >= 0 && fstat(follow->fd, &st) == 0 && st.st_size > follow->at) ||
	       was_replaced(follow);
}

/* A line is written before the change that it tells of: with the journal's lock in hand,
 * every change whose line is there has happened. */
static void read_locked(struct reading *reading)
{
	struct fl_follow *follow = reading->follow;
	fl_cleanup_close int lock = fl_journal_lock(follow->state->dirfd, NULL);

	(void)lock;
	if (follow->fd >= 0)
		read_lines(reading);
	if (was_replaced(follow) && open_journal(follow) >= 0)
		read_lines(reading);
}

void fl_follow_read(struct fl_follow *follow,
		    void (*changed)(void *arg, const struct fl_vm_name *name),
		    void (*lost)(void *arg), void *arg)
{
	struct reading reading = { .follow = follow };
	char events[4096];

	/* The queue only wakes; what happened stands in the file. */
	while (read(follow->inotify, events, sizeof(events)) > 0)
		;
	if (!has_grown(follow))
		return;
	read_locked(&reading);
	for (size_t i = 0; i < reading.names.count; i++)
		changed(arg, &reading.names.items[i]);
	fl_vm_names_finish(&reading.names);
	if (reading.missed)
		lost(arg);
}
