/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A command line as it grows: an array of texts.
 *
 *     fl_json *argv = fl_json_new_array();
 *     fl_words_add(argv, "qemu-system-x86_64");
 *     fl_words_option(argv, "-m", "%u", memory);
 */
#pragma once

#include "common/json.h"

void fl_words_add(fl_json *argv, const char *word);

/* An option and its value. */
FL_PRINTF(3, 4)
void fl_words_option(fl_json *argv, const char *option, const char *fmt, ...);
