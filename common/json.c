/* SPDX-License-Identifier: MPL-2.0 */
#include "common/json.h"

#include "common/alloc.h"

#include <jansson.h>
#include <string.h>

/* Nesting that no real document needs; jansson itself bounds parsing at 2048. */
#define PARSE_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

static fl_json *or_abort(fl_json *value)
{
	if (!value)
		abort();
	return value;
}

void fl_json_unref(fl_json *value)
{
	json_decref(value);
}

fl_json *fl_json_ref(fl_json *value)
{
	return json_incref(value);
}

void fl_json_cleanup(fl_json **value)
{
	int saved = errno;

	json_decref(*value);
	errno = saved;
}

static fl_json *parse(const char *text, size_t size, size_t flags, size_t *used, const char *name,
		      struct fl_err *err)
{
	json_error_t fault;
	fl_json *value = json_loadb(text, size, flags, &fault);

	if (!value) {
		fl_err_set(err, FL_ERR_INVALID, "%s: not JSON: line %d, column %d: %s", name,
			   fault.line, fault.column, fault.text);
		return NULL;
	}
	*used = (size_t)fault.position;
	return value;
}

fl_json *fl_json_parse(const char *text, size_t size, const char *name, struct fl_err *err)
{
	size_t used;

	return parse(text, size, PARSE_FLAGS, &used, name, err);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Where the string that begins at start ends: its closing quote, or the end of the text. */
static size_t end_of_string(const char *text, size_t size, size_t start)
{
	const char *quote;

	for (size_t at = start; (quote = memchr(text + at, '"', size - at));
	     at = (size_t)(quote - text) + 1) {
		size_t end = (size_t)(quote - text), escapes = 0;

		while (end - escapes > start && text[end - escapes - 1] == '\\')
			escapes++;
		if (escapes % 2 == 0)
			return end;
	}
	return size;
}

/* Where the list that opens at start is closed: its bracket, or the end of the text. */
static size_t end_of_list(const char *text, size_t size, size_t start)
{
	size_t depth = 0;

	for (size_t at = start; at < size; at++)
		if (text[at] == '"')
			at = end_of_string(text, size, at + 1);
		else if (text[at] == '[')
			depth++;
		else if (text[at] == ']' && --depth == 0)
			return at;
	return size;
}

/* The value of what is named by the string that ends there; the end of the text: it names nothing. */
static size_t value_of_key(const struct fl_str *text, size_t end)
{
	while (++end < text->len && is_space(text->data[end]))
		;
	if (end >= text->len || text->data[end] != ':')
		return text->len;
	while (++end < text->len && is_space(text->data[end]))
		;
	return end;
}

struct skim {
	struct fl_str *text;
	size_t at, kept;
};

static void keep_until(struct skim *skim, size_t end)
{
	memmove(skim->text->data + skim->kept, skim->text->data + skim->at, end - skim->at);
	skim->kept += end - skim->at;
	skim->at = end;
}

/* The string from start to end, and the list that it is the name of. What is named by a string is
 * kept apart by it, so names stay as they are. */
static void skim_string(struct skim *skim, size_t start, size_t end, size_t longest,
			const char *list)
{
	const char *data = skim->text->data;
	size_t len = end - start, size = skim->text->len;
	bool is_list = len == strlen(list) && memcmp(data + start, list, len) == 0;
	size_t value = is_list || len > longest ? value_of_key(skim->text, end) : size;

	if (value == size && len > longest) {
		keep_until(skim, start);
		skim->at = end;
	} else if (is_list && value < size && data[value] == '[') {
		keep_until(skim, value + 1);
		skim->at = end_of_list(data, size, value);
	} else {
		keep_until(skim, end);
	}
}

/* Outside of strings, JSON has no quotes. */
void fl_json_skim(struct fl_str *text, size_t longest, const char *list)
{
	struct skim skim = { text, 0, 0 };

	while (skim.at < text->len) {
		const char *quote = memchr(text->data + skim.at, '"', text->len - skim.at);
		size_t start = quote ? (size_t)(quote - text->data) + 1 : text->len;

		skim_string(&skim, start, end_of_string(text->data, text->len, start), longest,
			    list);
		if (skim.at < text->len)
			keep_until(&skim, skim.at + 1);
	}
	if (text->data)
		text->data[text->len = skim.kept] = 0;
}

fl_json *fl_json_parse_next(const char *text, size_t size, size_t *at, const char *name,
			    struct fl_err *err)
{
	fl_json *value;
	size_t used;

	while (*at < size && is_space(text[*at]))
		++*at;
	if (*at == size)
		return NULL;
	value = parse(text + *at, size - *at, PARSE_FLAGS | JSON_DISABLE_EOF_CHECK, &used, name,
		      err);
	*at = value ? *at + used : size;
	return value;
}

static int add_to_str(const char *bytes, size_t size, void *out)
{
	fl_str_add_bytes(out, bytes, size);
	return 0;
}

void fl_json_print(const fl_json *value, bool indented, struct fl_str *out)
{
	size_t flags = JSON_ENCODE_ANY | (indented ? JSON_INDENT(2) : JSON_COMPACT);

	json_dump_callback(value, add_to_str, out, flags);
}

void fl_json_print_sorted(const fl_json *value, struct fl_str *out)
{
	json_dump_callback(value, add_to_str, out, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
}

fl_json *fl_json_new_object(void)
{
	return or_abort(json_object());
}

fl_json *fl_json_new_array(void)
{
	return or_abort(json_array());
}

fl_json *fl_json_new_text_bytes(const char *text, size_t size)
{
	fl_json *value = json_stringn(text, size);
	char *clean;

	if (value)
		return value;
	clean = fl_strndup(text, size);
	for (char *c = clean; *c; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	value = or_abort(json_string(clean));
	free(clean);
	return value;
}

fl_json *fl_json_new_text(const char *text)
{
	return fl_json_new_text_bytes(text, strlen(text));
}

fl_json *fl_json_new_int(int64_t value)
{
	return or_abort(json_integer(value));
}

fl_json *fl_json_new_real(double value)
{
	return or_abort(json_real(value));
}

fl_json *fl_json_new_bool(bool value)
{
	return json_boolean(value);
}

fl_json *fl_json_new_null(void)
{
	return json_null();
}

fl_json *fl_json_copy(const fl_json *value)
{
	return or_abort(json_deep_copy(value));
}

bool fl_json_is_object(const fl_json *value)
{
	return json_is_object(value);
}

bool fl_json_is_array(const fl_json *value)
{
	return json_is_array(value);
}

bool fl_json_is_text(const fl_json *value)
{
	return json_is_string(value);
}

bool fl_json_is_int(const fl_json *value)
{
	return json_is_integer(value);
}

bool fl_json_is_bool(const fl_json *value)
{
	return json_is_boolean(value);
}

bool fl_json_is_null(const fl_json *value)
{
	return json_is_null(value);
}

const char *fl_json_type_name(const fl_json *value)
{
	static const char *const names[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "a list",  [JSON_STRING] = "text",
		[JSON_INTEGER] = "a number", [JSON_REAL] = "a number with a fraction",
		[JSON_TRUE] = "true",        [JSON_FALSE] = "false",   [JSON_NULL] = "null",
	};

	return value ? names[json_typeof(value)] : "nothing";
}

bool fl_json_equal(const fl_json *a, const fl_json *b)
{
	return json_equal(a, b);
}

fl_json *fl_json_get(const fl_json *object, const char *key)
{
	return json_object_get(object, key);
}

fl_json *fl_json_at(const fl_json *value, const char *path)
{
	const char *end = strchrnul(path, '.');
	fl_json *below = json_object_getn(value, path, (size_t)(end - path));

	return *end && below ? fl_json_at(below, end + 1) : below;
}

const char *fl_json_text(const fl_json *value)
{
	return json_string_value(value);
}

double fl_json_real(const fl_json *value)
{
	return json_number_value(value);
}

int64_t fl_json_int(const fl_json *value)
{
	return json_integer_value(value);
}

bool fl_json_bool(const fl_json *value)
{
	return json_is_true(value);
}

size_t fl_json_count(const fl_json *value)
{
	return json_is_array(value) ? json_array_size(value) : json_object_size(value);
}

fl_json *fl_json_item(const fl_json *array, size_t index)
{
	return json_array_get(array, index);
}

void fl_json_set(fl_json *object, const char *key, fl_json *value)
{
	if (!value)
		json_object_del(object, key);
	else if (json_object_set_new(object, key, value) < 0)
		abort();
}

void fl_json_put(fl_json *object, const char *path, fl_json *value)
{
	fl_cleanup_free char *copy = fl_strdup(path);
	char *key = copy;

	for (char *dot; (dot = strchr(key, '.')); key = dot + 1) {
		fl_json *below;

		*dot = 0;
		below = json_object_get(object, key);
		if (!json_is_object(below)) {
			if (!value)
				return;
			below = fl_json_new_object();
			fl_json_set(object, key, below);
		}
		object = below;
	}
	fl_json_set(object, key, value);
}

void fl_json_add(fl_json *array, fl_json *value)
{
	if (json_array_append_new(array, value) < 0)
		abort();
}

void *fl_json_first(const fl_json *object)
{
	return json_object_iter((fl_json *)object);
}

void *fl_json_next(const fl_json *object, void *member)
{
	return json_object_iter_next((fl_json *)object, member);
}

const char *fl_json_key(void *member)
{
	return json_object_iter_key(member);
}

fl_json *fl_json_value(void *member)
{
	return json_object_iter_value(member);
}
