/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/challenge.h"

#include "common/http.h"

#include <string.h>
#include <strings.h>

/* The value of key in key="value", … into out. */
static bool parameter(const char *text, const char *key, struct fl_str *out)
{
	size_t len = strlen(key);

	while (*text) {
		const char *name = text + strspn(text, " ,\t"), *equals = strchr(name, '=');
		const char *value, *end;
		bool quoted;

		if (!equals)
			return false;
		quoted = equals[1] == '"';
		value = equals + 1 + quoted;
		end = quoted ? strchrnul(value, '"') : value + strcspn(value, ", \t");
		if ((size_t)(equals - name) == len && strncasecmp(name, key, len) == 0) {
			fl_str_add_bytes(out, value, (size_t)(end - value));
			return true;
		}
		text = *end ? end + 1 : end;
	}
	return false;
}

int fl_challenge_token_url(const char *header, const char *name, struct fl_str *url,
			   struct fl_err *err)
{
	fl_cleanup_str struct fl_str service = FL_STR_INIT, scope = FL_STR_INIT;

	if (strncasecmp(header, "Bearer ", 7) != 0 || !parameter(header + 7, "realm", url) ||
	    !(fl_str_starts(url->data, "https://") || fl_str_starts(url->data, "http://")))
		return fl_err_set(err, FL_ERR_UNAUTHENTICATED,
				  "the registry wants a login of the kind \"%.60s\"", header);
	fl_str_add(url, strchr(url->data, '?') ? "&scope=" : "?scope=");
	if (!parameter(header + 7, "scope", &scope))
		fl_str_addf(&scope, "repository:%s:pull", name);
	fl_http_escape(scope.data, url);
	if (parameter(header + 7, "service", &service)) {
		fl_str_add(url, "&service=");
		fl_http_escape(service.data, url);
	}
	return 0;
}
