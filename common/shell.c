/* SPDX-License-Identifier: MPL-2.0 */
#include "common/shell.h"

#include <string.h>

#define PLAIN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-"

void fl_shell_word(struct fl_str *out, const char *word)
{
	if (*word && !word[strspn(word, PLAIN)]) {
		fl_str_add(out, word);
		return;
	}
	fl_str_add(out, "'");
	for (; *word; word++)
		if (*word == '\'')
			fl_str_add(out, "'\\''");
		else
			fl_str_add_bytes(out, word, 1);
	fl_str_add(out, "'");
}
