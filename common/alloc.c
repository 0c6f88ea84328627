/* SPDX-License-Identifier: MPL-2.0 */
#include "common/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *or_abort(void *ptr)
{
	if (!ptr)
		abort();
	return ptr;
}

void *fl_alloc(size_t size)
{
	return or_abort(malloc(size ? size : 1));
}

void *fl_alloc_zero(size_t count, size_t size)
{
	return or_abort(calloc(count ? count : 1, size ? size : 1));
}

void *fl_realloc(void *ptr, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		abort();
	return or_abort(realloc(ptr, bytes ? bytes : 1));
}

char *fl_strdup(const char *text)
{
	return or_abort(strdup(text));
}

char *fl_strndup(const char *text, size_t size)
{
	return or_abort(strndup(text, size));
}

char *fl_asprintf(const char *fmt, ...)
{
	char *text;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		abort();
	va_end(args);
	return text;
}
