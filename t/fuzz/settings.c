/* SPDX-License-Identifier: MPL-2.0 */
/* A configuration file, and YAML of users that is completed. */
#include "common/yaml.h"
#include "t/fuzz/fuzz.h"

static int take(void *arg, const char *key, const char *value, size_t line, struct fl_err *err)
{
	(void)arg;
	(void)err;
	MUST(key && value && line);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fl_yaml_addition addition = { { "instance-id", "instance_id" },
						   "instance-id", "i" };
	fl_cleanup_yaml struct fl_yaml yaml = { 0 };
	fl_cleanup_str struct fl_str out = FL_STR_INIT;

	fl_yaml_settings((const char *)data, size, "config", take, NULL, NULL);
	if (fl_yaml_complete((const char *)data, size, "meta-data", &addition, 1, &out, NULL) == 0 &&
	    out.len)
		MUST(fl_yaml_look(out.data, out.len, "completed", &yaml, NULL) == 0);
	return 0;
}
