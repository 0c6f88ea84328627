/* SPDX-License-Identifier: MPL-2.0 */
/* What needs no connection: the lines of answers, and words for addresses. */
#include "common/http.h"

#include <string.h>
#include <strings.h>

void fl_http_transfer_finish(struct fl_http_transfer *transfer)
{
	fl_str_finish(&transfer->body);
	fl_str_finish(&transfer->headers_text);
}

bool fl_http_header(const struct fl_http_transfer *transfer, const char *name, struct fl_str *out)
{
	const char *line = transfer->headers_text.data;
	size_t len = strlen(name);
	bool found = false;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		fl_str_add(out, found ? ", " : "");
		fl_str_add_bytes(out, line, strcspn(line, "\r\n"));
		found = true;
	}
	return found;
}

void fl_http_escape(const char *text, struct fl_str *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			fl_str_add_bytes(out, text, 1);
		else
			fl_str_addf(out, "%%%02X", (unsigned char)*text);
	}
}

bool fl_http_may_hold_secret(const char *line)
{
	static const char *const words[] = { "auth", "cookie", "proxy env variable", "@", "?" };

	for (size_t i = 0; i < FL_COUNT(words); i++)
		if (strcasestr(line, words[i]))
			return true;
	return false;
}
