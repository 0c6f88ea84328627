/* SPDX-License-Identifier: MPL-2.0 */
/*
 * YAML, as far as it must be understood to leave it alone: which keys a document has, and
 * where another can be put without touching a byte of it. And files of settings. The one
 * owner of libyaml.
 *
 *     struct fl_yaml yaml;
 *     if (fl_yaml_look(text, size, "meta-data", &yaml, err) < 0) return -1;
 *     if (!fl_yaml_has(&yaml, "instance-id")) ...
 *     fl_yaml_finish(&yaml);
 */
#pragma once

#include "common/cleanup.h"
#include "common/err.h"
#include "common/json.h"
#include "common/str.h"
#include "common/vec.h"

#include <stdbool.h>

/* A key of the top-level mapping whose value is empty or null, and the bytes where that stands. */
struct fl_yaml_gap {
	const char *key;
	size_t from, until;
};

struct fl_yaml {
	FL_VEC(char *) keys; /* of the top-level mapping */
	FL_VEC(struct fl_yaml_gap) gaps;
	bool is_empty;       /* nothing but comments */
	bool is_mapping;
	bool is_flow;     /* "{a: b}", as JSON is; else block style */
	size_t flow_at;   /* is_flow: the byte behind "{" */
	size_t indent;    /* blanks before each of its keys, in block style */
};

/* The first document of text. FL_ERR_INVALID with line and column when it is not YAML. */
int fl_yaml_look(const char *text, size_t size, const char *name, struct fl_yaml *yaml,
		 struct fl_err *err);
bool fl_yaml_has(const struct fl_yaml *yaml, const char *key);
void fl_yaml_finish(struct fl_yaml *yaml);
#define fl_cleanup_yaml FL_CLEANUP(fl_yaml_finish)

/* A file of settings: one mapping of keys to single values, each told with its line. The
 * first that each returns -1 for ends it, as does (FL_ERR_INVALID, with name and line) what is
 * not YAML, a list or mapping as a value, or a key that stands twice. */
int fl_yaml_settings(const char *text, size_t size, const char *name,
		     int (*each)(void *arg, const char *key, const char *value, size_t line,
				 struct fl_err *err),
		     void *arg, struct fl_err *err);

/* The same for settings that need lists and mappings: the first document as if it were JSON,
 * plain true, false and null as such, all else as text. What is empty is an empty object.
 * Refused beside the above: aliases, and what is nested more than 16 deep. Caller owns it;
 * NULL with err. */
fl_json *fl_yaml_parse(const char *text, size_t size, const char *name, struct fl_err *err);

/* All documents, but for empty ones, in an array. */
fl_json *fl_yaml_parse_all(const char *text, size_t size, const char *name, struct fl_err *err);

/* A key that a mapping should have, and its value; either spelling counts as present, unless it has no
 * value, which it gets then. */
struct fl_yaml_addition {
	const char *keys[2];
	const char *key, *value;
};

/* Adds text, with the keys that it lacks and not another byte changed. FL_ERR_INVALID when
 * it is neither a mapping nor empty, or other documents follow it. */
int fl_yaml_complete(const char *text, size_t size, const char *name,
		     const struct fl_yaml_addition *additions, size_t count, struct fl_str *out,
		     struct fl_err *err);
