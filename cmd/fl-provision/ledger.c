/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/ledger.h"

#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NAME "ledger.jsonl"
#define FORMAT 1
#define LONGEST ((size_t)16 << 20)

static char *folder_of(const char *state_dir)
{
	fl_cleanup_free char *absolute = fl_path_absolute(state_dir);
	size_t len = strlen(absolute);

	while (len > 1 && absolute[len - 1] == '/')
		len--;
	return fl_asprintf("%.*s-provision", (int)len, absolute);
}

static int64_t number_of(const fl_json *entry)
{
	return fl_json_int(fl_json_get(entry, "n"));
}

static fl_json *without(const fl_json *entries, int64_t number)
{
	fl_json *rest = fl_json_new_array();

	for (size_t i = 0; i < fl_json_count(entries); i++)
		if (number_of(fl_json_item(entries, i)) != number)
			fl_json_add(rest, fl_json_ref(fl_json_item(entries, i)));
	return rest;
}

static void drop(struct fl_ledger *ledger, int64_t number)
{
	fl_json *rest = without(ledger->entries, number);

	fl_json_unref(ledger->entries);
	ledger->entries = rest;
}

static int take(struct fl_ledger *ledger, fl_json *line, struct fl_err *err)
{
	const fl_json *undone = fl_json_get(line, "undone");
	int64_t number = number_of(line);

	if (undone) {
		drop(ledger, fl_json_int(undone));
		return 0;
	}
	if (fl_json_int(fl_json_get(line, "format")) > FORMAT)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s/" NAME ": written by a newer "
				  "fl-provision; use that", ledger->folder);
	if (number <= 0 || !fl_json_text(fl_json_get(line, "kind")) ||
	    !fl_json_text(fl_json_get(line, "name")))
		return fl_err_set(err, FL_ERR_CORRUPT, "is no entry");
	fl_json_add(ledger->entries, fl_json_ref(line));
	if (number >= ledger->next)
		ledger->next = number + 1;
	return 0;
}

static int read_lines(struct fl_ledger *ledger, char *text, struct fl_err *err)
{
	char *end;

	for (size_t number = 1; (end = strchr(text, '\n')); text = end + 1, number++) {
		fl_cleanup_json fl_json *line = NULL;
		struct fl_err why = { 0 };

		line = fl_json_parse(text, (size_t)(end - text), "entry", &why);
		if (line && take(ledger, line, &why) == 0)
			continue;
		if (why.kind == FL_ERR_UNSUPPORTED)
			return fl_err_pass(err, &why);
		return fl_err_set(err, FL_ERR_CORRUPT, "%s/" NAME ": line %zu: %s; mend the line or "
				  "take it out, and look yourself at what it was about",
				  ledger->folder, number, why.text);
	}
	return 0;
}

/* What a crash has torn is the end of the last line; its change was not begun. */
static int cut_torn(struct fl_ledger *ledger, const struct fl_str *text, struct fl_err *err)
{
	const char *last = text->len ? memrchr(text->data, '\n', text->len) : NULL;
	size_t whole = last ? (size_t)(last - text->data) + 1 : 0;

	if (whole == text->len || ledger->fd < 0)
		return 0;
	fl_log(FL_LOG_WARN, "%s/" NAME ": its last line is torn, was not acted on, and is cut off",
	       ledger->folder);
	if (ftruncate(ledger->fd, (off_t)whole) < 0)
		return fl_err_errno(err, errno, "%s/" NAME, ledger->folder);
	return 0;
}

static int read_ledger(struct fl_ledger *ledger, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	ledger->entries = fl_json_new_array();
	ledger->next = 1;
	fl_str_add(&text, "");
	if (faccessat(ledger->dirfd, NAME, F_OK, 0) < 0 && errno == ENOENT)
		return 0;
	if (fl_io_read_file(ledger->dirfd, NAME, LONGEST, &text, err) < 0)
		return fl_err_prefix(err, "%s", ledger->folder);
	return read_lines(ledger, text.data, err) < 0 ? -1 : cut_torn(ledger, &text, err);
}

static int open_for_change(struct fl_ledger *ledger, struct fl_err *err)
{
	ledger->fd = openat(ledger->dirfd, NAME, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	if (ledger->fd < 0 || fsync(ledger->dirfd) < 0)
		return fl_err_errno(err, errno, "%s/" NAME, ledger->folder);
	if (fl_lock_fd(ledger->fd, ledger->folder, FL_LOCK_EXCLUSIVE, 0, err) < 0)
		return err && err->kind == FL_ERR_BUSY
			       ? fl_err_set(err, FL_ERR_BUSY, "another fl-provision is at work on "
					    "this host; wait for its end")
			       : -1;
	return 0;
}

int fl_ledger_open(struct fl_ledger *ledger, const char *state_dir, bool make, struct fl_err *err)
{
	*ledger = (struct fl_ledger)FL_LEDGER_INIT;
	ledger->folder = folder_of(state_dir);
	ledger->next = 1;
	if (make && fl_path_make_folders(ledger->folder, 0700, err) < 0)
		return -1;
	ledger->dirfd = open(ledger->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ledger->dirfd < 0 && errno == ENOENT && !make)
		return 0;
	if (ledger->dirfd < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", ledger->folder);
	if (make && open_for_change(ledger, err) < 0)
		return -1;
	return read_ledger(ledger, err);
}

void fl_ledger_close(struct fl_ledger *ledger)
{
	free(ledger->folder);
	fl_json_unref(ledger->entries);
	if (ledger->fd >= 0)
		close(ledger->fd);
	if (ledger->dirfd >= 0)
		close(ledger->dirfd);
	*ledger = (struct fl_ledger)FL_LEDGER_INIT;
}

static int append(struct fl_ledger *ledger, const fl_json *line, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	fl_json_print(line, false, &text);
	fl_str_add(&text, "\n");
	if (fl_io_write(ledger->fd, text.data, text.len, ledger->folder, err) < 0)
		return -1;
	if (fsync(ledger->fd) < 0)
		return fl_err_errno(err, errno, "%s/" NAME ": cannot be put on disk", ledger->folder);
	return 0;
}

int fl_ledger_begin(struct fl_ledger *ledger, fl_json *entry, struct fl_err *err)
{
	fl_json_set(entry, "format", fl_json_new_int(FORMAT));
	fl_json_set(entry, "n", fl_json_new_int(ledger->next));
	if (append(ledger, entry, err) < 0)
		return -1;
	ledger->next++;
	fl_json_add(ledger->entries, fl_json_ref(entry));
	return 0;
}

static char *kept_name(int64_t number)
{
	return fl_asprintf("before-%" PRId64, number);
}

int fl_ledger_end(struct fl_ledger *ledger, const fl_json *entry, struct fl_err *err)
{
	fl_cleanup_json fl_json *line = fl_json_new_object();
	int64_t number = number_of(entry);
	fl_cleanup_free char *name = kept_name(number);

	fl_json_set(line, "undone", fl_json_new_int(number));
	if (append(ledger, line, err) < 0)
		return -1;
	unlinkat(ledger->dirfd, name, 0);
	drop(ledger, number);
	return 0;
}

fl_json *fl_ledger_find_by(const struct fl_ledger *ledger, const char *kind, const char *key,
			   const char *value)
{
	for (size_t i = fl_json_count(ledger->entries); i > 0; i--) {
		fl_json *entry = fl_json_item(ledger->entries, i - 1);

		if (fl_str_equal(fl_json_text(fl_json_get(entry, "kind")), kind) &&
		    fl_str_equal(fl_json_text(fl_json_get(entry, key)), value))
			return entry;
	}
	return NULL;
}

fl_json *fl_ledger_find(const struct fl_ledger *ledger, const char *kind, const char *name)
{
	return fl_ledger_find_by(ledger, kind, "name", name);
}

int fl_ledger_keep(const struct fl_ledger *ledger, const struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_free char *name = kept_name(ledger->next);

	return fl_atomic_write(ledger->dirfd, name, 0600, text->data, text->len, true, err);
}

int fl_ledger_kept(const struct fl_ledger *ledger, const fl_json *entry, struct fl_str *text,
		   struct fl_err *err)
{
	fl_cleanup_free char *name = kept_name(number_of(entry));

	return fl_io_read_file(ledger->dirfd, name, LONGEST, text, err);
}

int fl_ledger_forget(struct fl_ledger *ledger, struct fl_err *err)
{
	if (ledger->dirfd < 0 || fl_json_count(ledger->entries))
		return 0;
	return fl_path_remove_tree(AT_FDCWD, ledger->folder, err);
}
