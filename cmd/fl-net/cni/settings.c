/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/settings.h"

#include "cmd/fl-net/cni/attach.h"
#include "common/num.h"

#include <stdlib.h>

#define LONGEST_MS 3600000

static const char *setting(const struct fl_args *args, const char *option, const char *variable,
			   const char *otherwise)
{
	const char *set = getenv(variable);

	return fl_args_text(args, option, set && *set ? set : otherwise);
}

const char *fl_cni_settings_folder(const struct fl_args *args)
{
	return setting(args, "cni-conf-dir", "FL_CNI_CONF_DIR", "/etc/cni/net.d");
}

const char *fl_cni_settings_path(const struct fl_args *args)
{
	return setting(args, "cni-path", "CNI_PATH", "/usr/lib/cni:/opt/cni/bin");
}

static int read_timeout(const struct fl_args *args, uint64_t *ms, struct fl_err *err)
{
	const char *text = setting(args, "cni-timeout", "FL_CNI_TIMEOUT", "60s");

	if (fl_num_duration(text, ms, err) == 0 && *ms > 0 && *ms <= LONGEST_MS)
		return 0;
	return fl_err_set(err, FL_ERR_USAGE, "--cni-timeout %s: a time such as 30s, at most 1h", text);
}

int fl_cni_settings_timeout(const struct fl_args *args)
{
	uint64_t ms;

	return read_timeout(args, &ms, NULL) == 0 ? (int)ms : LONGEST_MS;
}

int fl_cni_settings_check(const struct fl_args *args, struct fl_err *err)
{
	uint64_t ms;

	return read_timeout(args, &ms, err);
}
