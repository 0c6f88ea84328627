/* SPDX-License-Identifier: MPL-2.0 */
#include "common/str.h"

#include "common/alloc.h"

#include <stdio.h>
#include <string.h>

#define MOST_FIT 64 /* what is formatted is mostly shorter */

void fl_str_finish(struct fl_str *str)
{
	free(str->data);
	*str = (struct fl_str)FL_STR_INIT;
}

char *fl_str_reserve(struct fl_str *str, size_t size)
{
	size_t need = str->len + size + 1;

	if (need > str->cap) {
		str->cap = need > str->cap * 2 ? need : str->cap * 2;
		str->data = fl_realloc(str->data, str->cap, 1);
		str->data[str->len] = 0;
	}
	return str->data + str->len;
}

void fl_str_add_bytes(struct fl_str *str, const void *bytes, size_t size)
{
	char *at = fl_str_reserve(str, size);

	if (size)
		memcpy(at, bytes, size);
	at[size] = 0;
	str->len += size;
}

void fl_str_add(struct fl_str *str, const char *text)
{
	fl_str_add_bytes(str, text, strlen(text));
}

void fl_str_vaddf(struct fl_str *str, const char *fmt, va_list args)
{
	char *at = fl_str_reserve(str, MOST_FIT);
	size_t room = str->cap - str->len;
	va_list again;
	int size;

	va_copy(again, args);
	size = vsnprintf(at, room, fmt, args);
	if (size < 0)
		abort();
	if ((size_t)size >= room)
		vsnprintf(fl_str_reserve(str, (size_t)size), (size_t)size + 1, fmt, again);
	va_end(again);
	str->len += (size_t)size;
}

void fl_str_addf(struct fl_str *str, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fl_str_vaddf(str, fmt, args);
	va_end(args);
}

void fl_str_clear(struct fl_str *str)
{
	str->len = 0;
	if (str->data)
		str->data[0] = 0;
}

char *fl_str_steal(struct fl_str *str)
{
	char *text;

	fl_str_reserve(str, 0);
	text = str->data;
	*str = (struct fl_str)FL_STR_INIT;
	return text;
}

bool fl_str_starts(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool fl_str_ends(const char *text, const char *suffix)
{
	size_t a = strlen(text), b = strlen(suffix);

	return a >= b && memcmp(text + a - b, suffix, b) == 0;
}

char *fl_str_cut(const char **at, char separator)
{
	const char *end = strchr(*at, separator);
	char *text = fl_strndup(*at, end ? (size_t)(end - *at) : strlen(*at));

	*at = end ? end + 1 : NULL;
	return text;
}

bool fl_str_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}
