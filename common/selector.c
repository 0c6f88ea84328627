/* SPDX-License-Identifier: MPL-2.0 */
#include "common/selector.h"

#include "common/alloc.h"

#include <string.h>

struct term {
	char *key, *value; /* value NULL: only whether the key is there */
	bool negated;
};

static void term_finish(struct term *term)
{
	free(term->key);
	free(term->value);
}

/* "a==b" is "a=b", as Kubernetes has it. */
static struct term read_term(const char *text, size_t len)
{
	struct term term = { 0 };
	fl_cleanup_free char *copy = fl_strndup(text, len);
	char *key = copy, *equals = strchr(copy, '='), *value;

	if (!equals) {
		term.negated = *key == '!';
		term.key = fl_strdup(key + term.negated);
		return term;
	}
	value = equals + 1;
	*equals = 0;
	if (equals > copy && equals[-1] == '!') {
		term.negated = true;
		equals[-1] = 0;
	} else if (*value == '=') {
		value++;
	}
	term.key = fl_strdup(key);
	term.value = fl_strdup(value);
	return term;
}

static bool holds(const struct term *term, const fl_json *labels)
{
	const char *value = fl_json_text(fl_json_get(labels, term->key));
	bool is = value && (!term->value || strcmp(value, term->value) == 0);

	return is != term->negated;
}

int fl_selector_check(const char *text, struct fl_err *err)
{
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		struct term term = read_term(at, len);
		bool good = *term.key && !strpbrk(term.key, "! \t");

		term_finish(&term);
		if (!good)
			return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is no label selector; write "
					  "key=value, key!=value, key or !key", text);
		at += len;
		if (!*at)
			return 0;
	}
}

bool fl_selector_matches(const char *text, const fl_json *labels)
{
	for (const char *at = text;; at++) {
		size_t len = strcspn(at, ",");
		struct term term = read_term(at, len);
		bool match = holds(&term, labels);

		term_finish(&term);
		if (!match)
			return false;
		at += len;
		if (!*at)
			return true;
	}
}
