/* SPDX-License-Identifier: MPL-2.0 */
/* What needs no connection: the lines of answers, and words for addresses. */
#include "common/http.h"

#include "common/macro.h"

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

enum fl_http_tls fl_http_tls_of(const char *message)
{
	static const struct {
		const char *part;
		enum fl_http_tls tls;
	} known[] = {
		{ "SSL certificate problem", FL_HTTP_TLS_UNTRUSTED },
		{ "SSL: no alternative certificate subject name", FL_HTTP_TLS_UNTRUSTED },
		{ "SSL: certificate subject name", FL_HTTP_TLS_UNTRUSTED },
		{ "alert bad certificate", FL_HTTP_TLS_WHO_ARE_YOU },
		{ "alert certificate required", FL_HTTP_TLS_WHO_ARE_YOU },
		{ "alert unknown ca", FL_HTTP_TLS_WHO_ARE_YOU },
		{ "wrong version number", FL_HTTP_TLS_NONE },
	};

	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (strstr(message, known[i].part))
			return known[i].tls;
	return FL_HTTP_TLS_FINE;
}
