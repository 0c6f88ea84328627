/* SPDX-License-Identifier: MPL-2.0 */
/* Settings, as fl-serve itself judges them. */
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/program.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/path.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FED "/dev/stdin"

/* Before they are made it misses the keys and tokens that the settings name. */
static bool is_of_missing(const fl_json *about, const char *words)
{
	const fl_json *own = fl_json_get(about, "own");
	bool is = false;

	for (size_t i = 0; i < fl_json_count(own); i++) {
		const char *file = fl_json_text(fl_json_item(own, i));

		is |= access(file, F_OK) < 0 && strstr(words, file);
	}
	return is;
}

/* The file that a line is of: what is added stands behind what it begins with. */
static const char *file_of(const fl_json *about, const char *behind)
{
	const char *from = fl_about_text(about, "begins_with");
	const char *text = fl_about_text(about, "joined");
	unsigned line, lines = 0;

	for (const char *at = text; *at; at++)
		lines += *at == '\n' || !at[1];
	return *from && sscanf(behind, ": line %u", &line) == 1 && line <= lines ? from : "settings";
}

/* Its words, with the names of the files that people know. */
static int refused(const fl_json *about, const char *words, struct fl_err *err)
{
	const char *fed = strstr(words, FED);
	int before = fed ? (int)(fed - words) : 0;
	const char *behind = fed ? fed + strlen(FED) : words;

	return fl_err_set(err, FL_ERR_INVALID, "%s would not do: %.*s%s%s", fl_about_text(about, "name"),
			  before, words, fed ? file_of(about, behind) : "", behind);
}

int fl_config_accept(const fl_json *about, const struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_free char *program = fl_path_beside_program("", "fl-serve");
	fl_cleanup_str struct fl_str out = FL_STR_INIT;
	const char *argv[] = { program, "run", "--check-config", "--config", FED, NULL };
	struct fl_err why = { 0 };

	if (*program != '/' || fl_program_filter(argv, text, &out, &why) == 0 ||
	    is_of_missing(about, why.text))
		return 0;
	return refused(about, why.text, err);
}
