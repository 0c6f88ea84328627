/* SPDX-License-Identifier: MPL-2.0 */
/*
 * JSON documents as they come in, one after another: JSON Lines, or printed over several
 * lines. Each is handed out as soon as it is whole, so that a pipe flows. Of a file that is
 * named as YAML, its documents.
 *
 *     struct fl_documents in = { .fd = STDIN_FILENO, .name = "standard input" };
 *     while ((doc = fl_documents_next(&in, err))) ...       // NULL: end, or err is set
 *     fl_documents_finish(&in);
 */
#pragma once

#include "common/json.h"

struct fl_documents {
	int fd;           /* borrowed */
	const char *name; /* for errors, and whether it is YAML (".yaml", ".yml"); borrowed */
	/* Called while more is waited for: in how many ms again, -1: not before it came; or NULL. */
	int (*idle)(void *arg);
	void *idle_arg;

	struct fl_str text; /* the module's own */
	size_t scanned, depth;
	bool in_string, escaped, ended, broken;
	fl_json *yaml; /* an array */
	size_t given;  /* of its documents */
};

/* Whether a file of that name is YAML. */
bool fl_documents_is_yaml(const char *name);

/* Caller owns the document. NULL at the end, and with err->kind set on a fault; a fault
 * ends the stream. */
fl_json *fl_documents_next(struct fl_documents *in, struct fl_err *err);

void fl_documents_finish(struct fl_documents *in);
#define fl_cleanup_documents FL_CLEANUP(fl_documents_finish)
