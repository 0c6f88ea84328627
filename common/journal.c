/* SPDX-License-Identifier: MPL-2.0 */
#include "common/journal.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/state.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_NAME "events.jsonl"
#define OLDER_NAME "events.1.jsonl"
#define LOCK_NAME "events.lock"
#define ROTATE_AT (4 << 20)
#define LONGEST_LINE 1024
#define LONGEST_WORDS 200

int fl_journal_lock(int dirfd, struct fl_err *err)
{
	return fl_lock_file(dirfd, LOCK_NAME, FL_LOCK_EXCLUSIVE, FL_LOCK_FOREVER, err);
}

static uint64_t seq_of_line(const char *line, size_t len)
{
	fl_cleanup_json fl_json *doc = fl_json_parse(line, len, FILE_NAME, NULL);

	return (uint64_t)fl_json_int(fl_json_get(doc, "seq"));
}

/* The seq of the last whole line in that text; torn lines are passed over. */
static uint64_t last_in_text(const char *text, size_t len)
{
	for (size_t end = len; end > 0;) {
		const char *newline = memrchr(text, '\n', end - 1);
		size_t start = newline ? (size_t)(newline - text) + 1 : 0;
		uint64_t seq = seq_of_line(text + start, end - start);

		if (seq)
			return seq;
		end = start;
	}
	return 0;
}

/* In the file's end, or further up where that says nothing: a loss of power leaves zeros there. */
static uint64_t last_in(int fd, off_t size)
{
	uint64_t seq = 0;

	for (off_t len = 2 * LONGEST_LINE; !seq; len *= 8) {
		off_t from = size > len ? size - len : 0;
		fl_cleanup_free char *text = fl_alloc((size_t)(size - from) + 1);

		if (fl_io_pread(fd, text, (size_t)(size - from), (uint64_t)from, FILE_NAME, NULL) < 0)
			return 0;
		seq = last_in_text(text, (size_t)(size - from));
		if (!from)
			break;
	}
	return seq;
}

static uint64_t last_of_file(int dirfd, const char *name)
{
	fl_cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? last_in(fd, st.st_size) : 0;
}

uint64_t fl_journal_last(int dirfd)
{
	uint64_t seq = last_of_file(dirfd, FILE_NAME);

	return seq ? seq : last_of_file(dirfd, OLDER_NAME);
}

/* A line stays short, and on one line of a terminal. */
static void put_words(fl_json *doc, const char *key, const char *words)
{
	size_t len = words ? strlen(words) : 0;
	fl_cleanup_free char *text = NULL;

	if (!len)
		return;
	len = len < LONGEST_WORDS ? len : LONGEST_WORDS;
	/* No letter is cut in two (UTF-8). */
	while (words[len] && ((unsigned char)words[len] & 0xc0) == 0x80)
		len--;
	text = fl_strndup(words, len);
	fl_log_tame(text, "");
	fl_json_set(doc, key, fl_json_new_text(text));
}

static void put_state(const fl_json *record, fl_json *doc)
{
	fl_json *state = fl_json_at(record, "status.state");
	fl_json *vmm = fl_json_at(record, "host.vmm.state");

	if (state)
		fl_json_set(doc, "state", fl_json_ref(state));
	if (vmm)
		fl_json_set(doc, "vmm_state", fl_json_ref(vmm));
	put_words(doc, "reason", fl_record_reason(record));
}

static void compose(const struct fl_event *event, uint64_t seq, struct fl_str *line)
{
	fl_cleanup_json fl_json *doc = fl_json_new_object();
	char now[FL_CLOCK_TEXT];

	fl_clock_print_now(now);
	fl_json_set(doc, "seq", fl_json_new_int((int64_t)seq));
	fl_json_set(doc, "time", fl_json_new_text(now));
	fl_json_set(doc, "uid", fl_json_new_text(event->uid));
	fl_json_set(doc, "namespace", fl_json_new_text(event->name_space));
	fl_json_set(doc, "name", fl_json_new_text(event->name));
	fl_json_set(doc, "what", fl_json_new_text(event->what));
	put_words(doc, "request", event->request);
	if (event->record)
		put_state(event->record, doc);
	fl_json_print(doc, false, line);
	fl_str_add(line, "\n");
}

static bool ends_in_newline(int fd, off_t size)
{
	char last = '\n';

	return size == 0 || (pread(fd, &last, 1, size - 1) == 1 && last == '\n');
}

static int append(int fd, off_t size, const struct fl_str *line, struct fl_err *err)
{
	if (fl_io_write(fd, line->data, line->len, FILE_NAME, err) == 0)
		return 0;
	if (ftruncate(fd, size) < 0)
		return fl_err_prefix(err, "journal");
	return -1;
}

int fl_journal_add(int dirfd, const struct fl_event *event, struct fl_err *err)
{
	fl_cleanup_str struct fl_str line = FL_STR_INIT;
	uint64_t seq = fl_journal_last(dirfd) + 1;
	fl_cleanup_close int fd = -1;
	struct stat st;

	if (fstatat(dirfd, FILE_NAME, &st, 0) == 0 && st.st_size > ROTATE_AT)
		renameat(dirfd, FILE_NAME, dirfd, OLDER_NAME);
	fd = openat(dirfd, FILE_NAME, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return fl_err_errno(err, errno, FILE_NAME ": cannot be opened");
	if (!ends_in_newline(fd, st.st_size))
		fl_str_add(&line, "\n");
	compose(event, seq, &line);
	return append(fd, st.st_size, &line, err);
}

int fl_journal_open(struct fl_journal_reader *reader, int dirfd, const char *path, bool from_end,
		    struct fl_err *err)
{
	*reader = (struct fl_journal_reader)FL_JOURNAL_READER_INIT;
	if (fl_tail_open(&reader->tail, dirfd, path, FILE_NAME, OLDER_NAME, err) < 0)
		return -1;
	if (!from_end)
		return 0;
	/* What comes between the two steps is read again, and known by its seq. */
	fl_tail_seek_back(&reader->tail, 0);
	reader->seq = fl_journal_last(dirfd);
	return 0;
}

void fl_journal_finish(struct fl_journal_reader *reader)
{
	fl_tail_finish(&reader->tail);
	fl_str_finish(&reader->text);
}

/* True when there is more text than before. */
static bool read_more(struct fl_journal_reader *reader)
{
	struct fl_str *text = &reader->text;
	ssize_t got;

	if (reader->at) {
		memmove(text->data, text->data + reader->at, text->len - reader->at);
		text->len -= reader->at;
		reader->at = 0;
	}
	/* No line of ours is that long. */
	if (text->len > 16 * LONGEST_LINE)
		text->len = 0;
	got = fl_tail_read(&reader->tail, fl_str_reserve(text, 1 << 16), 1 << 16);
	text->len += got > 0 ? (size_t)got : 0;
	return got > 0;
}

fl_json *fl_journal_next(struct fl_journal_reader *reader)
{
	do {
		const struct fl_str *text = &reader->text;
		const char *newline;

		while (text->len > reader->at &&
		       (newline = memchr(text->data + reader->at, '\n', text->len - reader->at))) {
			const char *line = text->data + reader->at;
			fl_json *event = fl_json_parse(line, (size_t)(newline - line), FILE_NAME, NULL);
			uint64_t seq = (uint64_t)fl_json_int(fl_json_get(event, "seq"));

			reader->at = (size_t)(newline - text->data) + 1;
			if (seq > reader->seq) {
				reader->missed |= reader->seq && seq > reader->seq + 1;
				reader->seq = seq;
				return event;
			}
			fl_json_unref(event);
		}
	} while (read_more(reader));
	return NULL;
}

int fl_journal_settled(int dirfd)
{
	fl_cleanup_close int lock = fl_journal_lock(dirfd, NULL);

	return lock < 0 ? -1 : 0;
}
