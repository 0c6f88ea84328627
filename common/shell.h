/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Words for a shell (POSIX, "Shell Command Language", 2.2).
 *
 *     fl_shell_word(&line, "it's");          // adds 'it'\''s'
 */
#pragma once

#include "common/str.h"

/* Adds the word, quoted where it must be. */
void fl_shell_word(struct fl_str *out, const char *word);
