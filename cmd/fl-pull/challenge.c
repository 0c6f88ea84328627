/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/challenge.h"

#include <string.h>
#include <strings.h>

static const char token_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789!#$%&'*+-.^_`|~";

/* A token or a quoted string at text into out; what is behind it. */
static const char *take_value(const char *text, struct fl_str *out)
{
	size_t len;

	if (*text != '"') {
		len = strcspn(text, ", \t");
		fl_str_add_bytes(out, text, len);
		return text + len;
	}
	for (text++; *text && *text != '"'; text++) {
		if (*text == '\\' && text[1])
			text++;
		fl_str_add_bytes(out, text, 1);
	}
	return *text ? text + 1 : text;
}

static void keep(struct fl_challenge *challenge, const char *name, size_t len,
		 const struct fl_str *value)
{
	struct { const char *name; struct fl_str *to; } known[] = {
		{ "realm", &challenge->realm },
		{ "service", &challenge->service },
		{ "scope", &challenge->scope },
	};

	for (size_t i = 0; i < FL_COUNT(known); i++)
		if (strlen(known[i].name) == len && strncasecmp(known[i].name, name, len) == 0 &&
		    !known[i].to->len && value->len)
			fl_str_add_bytes(known[i].to, value->data, value->len);
}

/* "name=value, name=value" up to the next scheme, which is where it returns. */
static const char *take_parameters(const char *text, struct fl_challenge *challenge)
{
	for (;;) {
		const char *name = text + strspn(text, " ,\t");
		size_t len = strspn(name, token_characters);
		const char *equals = name + len + strspn(name + len, " \t");
		fl_cleanup_str struct fl_str value = FL_STR_INIT;

		if (!len || *equals != '=')
			return name;
		text = take_value(equals + 1 + strspn(equals + 1, " \t"), &value);
		if (challenge)
			keep(challenge, name, len, &value);
	}
}

void fl_challenge_finish(struct fl_challenge *challenge)
{
	fl_str_finish(&challenge->realm);
	fl_str_finish(&challenge->service);
	fl_str_finish(&challenge->scope);
}

int fl_challenge_parse(const char *header, struct fl_challenge *challenge, struct fl_err *err)
{
	const char *at = header + strspn(header, " ,\t");
	bool is_basic = false;

	*challenge = (struct fl_challenge){ 0 };
	while (*at) {
		size_t len = strspn(at, token_characters);
		bool bearer = len == 6 && strncasecmp(at, "Bearer", len) == 0;

		if (!len)
			break;
		is_basic |= len == 5 && strncasecmp(at, "Basic", len) == 0;
		at = take_parameters(at + len, bearer ? challenge : NULL);
		challenge->is_bearer |= bearer;
	}
	if (challenge->is_bearer && challenge->realm.len)
		return 0;
	challenge->is_bearer = false;
	if (is_basic)
		return 0;
	return fl_err_set(err, FL_ERR_UNAUTHENTICATED,
			  "the registry wants a login of the kind \"%.60s\"; basic and bearer are known",
			  header);
}
