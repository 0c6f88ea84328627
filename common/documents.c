/* SPDX-License-Identifier: MPL-2.0 */
#include "common/documents.h"

#include "common/cancel.h"
#include "common/str.h"
#include "common/yaml.h"

#include <string.h>
#include <unistd.h>

#define DOCUMENT_LIMIT (64 << 20)

void fl_documents_finish(struct fl_documents *in)
{
	fl_str_finish(&in->text);
	fl_json_unref(in->yaml);
}

/* One character further; true behind the last one of a document. */
static bool step(struct fl_documents *in, char c)
{
	if (in->in_string) {
		in->in_string = in->escaped || c != '"';
		in->escaped = !in->escaped && c == '\\';
		return false;
	}
	in->in_string = c == '"';
	in->depth += c == '{' || c == '[';
	if ((c == '}' || c == ']') && in->depth > 0)
		return --in->depth == 0;
	/* Outside of all brackets a line is a document, if a wrong one. */
	return in->depth == 0 && c == '\n';
}

static bool is_blank(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!strchr(" \t\r\n", text[i]))
			return false;
	return true;
}

static fl_json *take(struct fl_documents *in, size_t len, struct fl_err *err)
{
	fl_json *doc = fl_json_parse(in->text.data, len, in->name, err);

	in->broken = !doc;
	memmove(in->text.data, in->text.data + len, in->text.len - len + 1);
	in->text.len -= len;
	in->scanned = 0;
	return doc;
}

/* The length of a whole document at the start of the buffer, or 0. */
static size_t scan(struct fl_documents *in)
{
	while (in->scanned < in->text.len)
		if (step(in, in->text.data[in->scanned++]))
			return in->scanned;
	return in->ended ? in->text.len : 0;
}

static int wait_for_more(const struct fl_documents *in, struct fl_err *err)
{
	int more;

	do
		more = fl_cancel_wait(NULL, in->fd, in->idle ? in->idle(in->idle_arg) : -1, err);
	while (more == 0);
	return more;
}

static int fill(struct fl_documents *in, struct fl_err *err)
{
	ssize_t got;

	if (in->text.len > DOCUMENT_LIMIT)
		return fl_err_set(err, FL_ERR_INVALID, "%s: a document is larger than %d bytes",
				  in->name, DOCUMENT_LIMIT);
	if (wait_for_more(in, err) < 0)
		return -1;
	got = read(in->fd, fl_str_reserve(&in->text, 1 << 16), 1 << 16);
	if (got < 0 && errno != EINTR && errno != EAGAIN)
		return fl_err_errno(err, errno, "%s: cannot be read", in->name);
	in->ended = got == 0;
	in->text.len += got > 0 ? (size_t)got : 0;
	in->text.data[in->text.len] = 0;
	return 0;
}

bool fl_documents_is_yaml(const char *name)
{
	return fl_str_ends(name, ".yaml") || fl_str_ends(name, ".yml");
}

static fl_json *next_of_yaml(struct fl_documents *in, struct fl_err *err)
{
	while (!in->ended && !in->broken)
		in->broken = fill(in, err) < 0;
	if (!in->yaml && !in->broken)
		in->yaml = fl_yaml_parse_all(in->text.data, in->text.len, in->name, err);
	in->broken |= !in->yaml;
	if (in->broken || in->given == fl_json_count(in->yaml))
		return NULL;
	return fl_json_ref(fl_json_item(in->yaml, in->given++));
}

fl_json *fl_documents_next(struct fl_documents *in, struct fl_err *err)
{
	if (fl_documents_is_yaml(in->name))
		return next_of_yaml(in, err);
	while (!in->broken) {
		size_t len = scan(in);

		if (len && is_blank(in->text.data, len)) {
			memmove(in->text.data, in->text.data + len, in->text.len - len + 1);
			in->text.len -= len;
			in->scanned = 0;
		} else if (len) {
			return take(in, len, err);
		} else if (in->ended || fill(in, err) < 0) {
			return NULL;
		}
	}
	return NULL;
}
