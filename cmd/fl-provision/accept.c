/* SPDX-License-Identifier: MPL-2.0 */
/* Settings, as fl-serve itself judges them. */
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/program.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/path.h"

#include <string.h>
#include <unistd.h>

#define FED "/dev/stdin"

/* Before they are made it would miss the keys and tokens that the settings name. */
static bool has_own_files(const fl_json *about)
{
	const fl_json *own = fl_json_get(about, "own");
	bool all = true;

	for (size_t i = 0; i < fl_json_count(own); i++)
		all = all && access(fl_json_text(fl_json_item(own, i)), F_OK) == 0;
	return all;
}

/* Its words, with the name of the file that people know. */
static int refused(const char *name, const char *words, struct fl_err *err)
{
	const char *fed = strstr(words, FED);
	int before = fed ? (int)(fed - words) : 0;

	return fl_err_set(err, FL_ERR_INVALID, "%s would not do: %.*s%s%s", name, before, words,
			  fed ? "settings" : "", fed ? fed + strlen(FED) : words);
}

int fl_config_accept(const fl_json *about, const struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-serve");
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	const char *argv[] = { program, "run", "--check-config", "--config", FED, NULL };
	struct fl_err why = { 0 };

	if (*program != '/' || !has_own_files(about) ||
	    fl_program_filter(argv, text, &out, &why) == 0)
		return 0;
	return refused(fl_about_text(about, "name"), why.text, err);
}
