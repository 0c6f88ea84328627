/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/answer.h"

#include "common/json.h"

#include <string.h>
#include <strings.h>

/* What others wrote stays within its brackets, and within the line; of what may be no UTF-8 a terminal
 * takes single bytes for its own. */
static void add_words(struct fl_str *text, const char *words, bool is_utf8)
{
	size_t from = text->len + 2;

	fl_str_addf(text, " (%.200s", words);
	for (size_t i = from; i < text->len; i++)
		if ((unsigned char)text->data[i] < ' ')
			text->data[i] = ' ';
		else if (!is_utf8 && (unsigned char)text->data[i] >= 0x7f)
			text->data[i] = '?';
	while (text->len > from && text->data[text->len - 1] == ' ')
		text->data[--text->len] = 0;
	fl_str_add(text, ")");
}

/* A line of text and no page; NULL: none. */
static const char *plain_line(const struct fl_str *body)
{
	const char *line = body->data ? body->data + strspn(body->data, " \t\r\n") : "";

	return *line && *line != '<' ? line : NULL;
}

/* Of "errors" (distribution specification), or "details" as token servers say it; or a plain line,
 * as servers have it that were asked without TLS. */
static void add_reason(const struct fl_http_transfer *transfer, struct fl_str *text)
{
	fl_cleanup_json fl_json *body =
		fl_json_parse(transfer->body.data ? transfer->body.data : "", transfer->body.len,
			      "answer", NULL);
	const fl_json *first = fl_json_item(fl_json_get(body, "errors"), 0);
	fl_cleanup_str struct fl_str wish = FL_STR_INIT;
	const char *message = fl_json_text(fl_json_get(first, "message"));

	message = message ? message : fl_json_text(fl_json_get(body, "details"));
	fl_str_add(text, "");
	if (!message && !body)
		message = plain_line(&transfer->body);
	if (message)
		add_words(text, message, body != NULL);
	if (fl_http_header(transfer, "Retry-After", &wish))
		fl_str_addf(text, " (Retry-After: %.40s)", wish.data);
}

/* Servers of TLS answer so to who speaks none. */
static const char *advice(const struct fl_http_transfer *transfer)
{
	if (transfer->status != 400 || strncmp(transfer->url, "http://", 7) != 0)
		return "";
	return "; if it speaks TLS alone, --ca-file, or \"plain-http: false\" for the host in the "
	       "registries file, asks so";
}

int fl_answer_refuse(const struct fl_http_transfer *transfer, struct fl_err *err)
{
	static const struct {
		int status;
		enum fl_err_kind kind;
		const char *words;
	} known[] = {
		{ 401, FL_ERR_UNAUTHENTICATED, "the registry wants a login" },
		{ 403, FL_ERR_DENIED, "the registry refuses" },
		{ 404, FL_ERR_NOT_FOUND, "the registry does not have it" },
		{ 429, FL_ERR_UNAVAILABLE, "the registry wants fewer requests; try later" },
	};
	fl_cleanup_str struct fl_str reason = FL_STR_INIT;

	add_reason(transfer, &reason);
	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (known[i].status == transfer->status)
			return fl_err_set(err, known[i].kind, "%s: %s%s", transfer->url,
					  known[i].words, reason.data);
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: the registry answers %d%s%s", transfer->url,
			  transfer->status, reason.data, advice(transfer));
}

int fl_answer_check(const struct fl_http_transfer *transfer, struct fl_err *err)
{
	fl_cleanup_str struct fl_str type = FL_STR_INIT;
	const char *body = transfer->body.data;

	if (!body || body[strspn(body, " \t\r\n")] != '<' ||
	    !fl_http_header(transfer, "Content-Type", &type) || strncasecmp(type.data, "text/html", 9) != 0)
		return 0;
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: a page for people came (text/html): no registry is "
			  "there, or a portal or proxy stands before it", transfer->url);
}
