/* SPDX-License-Identifier: MPL-2.0 */
#include "common/condition.h"

#include "common/num.h"
#include "common/str.h"

#include <string.h>

#define PORT "port:"

static const char *const words[] = {
	[FL_CONDITION_RUNNING] = "running", [FL_CONDITION_BOOT] = "boot",
	[FL_CONDITION_CLOUD_INIT] = "cloud-init", [FL_CONDITION_EXIT] = "exit",
};

int fl_condition_parse(const char *text, struct fl_condition *condition, struct fl_err *err)
{
	*condition = (struct fl_condition){ .what = FL_CONDITION_PORT, .text = text };
	for (size_t i = 0; i < FL_COUNT(words); i++)
		if (strcmp(words[i], text) == 0) {
			condition->what = (enum fl_condition_what)i;
			return 0;
		}
	if (!fl_str_starts(text, PORT))
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is not " FL_CONDITIONS, text);
	if (fl_num_u64(text + strlen(PORT), 1, 65535, &condition->port, NULL) < 0)
		return fl_err_set(err, FL_ERR_USAGE, "%s: no port, 1 to 65535", text);
	return 0;
}

int fl_condition_check_count(size_t count, struct fl_err *err)
{
	return count <= FL_CONDITIONS_MOST
		       ? 0
		       : fl_err_set(err, FL_ERR_USAGE, "more than %d", FL_CONDITIONS_MOST);
}
