/* SPDX-License-Identifier: MPL-2.0 */
#include "common/userdata.h"

#include "common/yaml.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* How a first line begins that names a format but a configuration's. */
static const char *const formats[] = {
	"#!",		   "#cloud-config-archive", "#cloud-config-jsonp", "#include",
	"#part-handler",   "#cloud-boothook",	    "#upstart-job",	   "## template:",
	"Content-Type:",   "MIME-Version:",	    "From ",		   "\x1f\x8b",
};

#define CONFIG "#cloud-config"

static bool begins(const char *text, size_t size, const char *with)
{
	return size >= strlen(with) && strncasecmp(text, with, strlen(with)) == 0;
}

static int check_config(const char *text, size_t size, struct fl_err *err)
{
	fl_cleanup_yaml struct fl_yaml yaml = { 0 };

	if (fl_yaml_look(text, size, CONFIG, &yaml, err) < 0)
		return -1;
	if (yaml.is_mapping || yaml.is_empty)
		return 0;
	return fl_err_set(err, FL_ERR_INVALID, CONFIG ": \"KEY: VALUE\" belongs below that line");
}

int fl_userdata_check(const char *text, size_t size, struct fl_err *err)
{
	/* Blank space in front is passed over, as there. */
	while (size && strchr(" \t\r\n", *text)) {
		text++;
		size--;
	}
	for (size_t i = 0; i < FL_COUNT(formats); i++)
		if (begins(text, size, formats[i]))
			return 0;
	if (!size || begins(text, size, CONFIG))
		return check_config(text, size, err);
	return fl_err_set(err, FL_ERR_INVALID, "its first line names no format that cloud-init knows, such "
			  "as \"" CONFIG "\" or \"#!/bin/sh\"");
}
