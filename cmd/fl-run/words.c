/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-run/words.h"

#include <stdarg.h>

void fl_words_add(fl_json *argv, const char *word)
{
	fl_json_add(argv, fl_json_new_text(word));
}

void fl_words_option(fl_json *argv, const char *option, const char *fmt, ...)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	va_list args;

	va_start(args, fmt);
	fl_str_vaddf(&text, fmt, args);
	va_end(args);
	fl_words_add(argv, option);
	fl_words_add(argv, text.data ? text.data : "");
}
