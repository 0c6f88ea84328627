/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Files as acts: written aside and renamed, never over what another has put there. What is
 * ours is known by its digest in the ledger, so a file that someone changed counts as theirs.
 *
 *     static const struct fl_file unit = { .mode = 0644, .write = write_unit };
 *     fl_file_add(&acts, "boot", "/etc/systemd/system/fl-provision.service", &unit);
 */
#pragma once

#include "cmd/fl-provision/act.h"

#include <sys/types.h>

struct fl_file {
	mode_t mode;
	bool keeps;  /* whatever is there is good: keys, tokens */
	bool merges; /* another's text is given to write, to be added to; otherwise it stays */
	/* Makes the text that belongs there. now: what is there of another's, or was before us;
	 * NULL: nothing. why: remarks for people. */
	int (*write)(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		     struct fl_str *text, struct fl_str *why, struct fl_err *err);
	/* Where write costs too much to be asked each time: whether now is good as it is. */
	bool (*is_good)(const struct fl_site *site, const fl_json *about, const struct fl_str *now);
	/* Whether a text would do, asked before it is written and of what is there; -1: why not.
	 * NULL: any does. */
	int (*accept)(const fl_json *about, const struct fl_str *text, struct fl_err *err);
	/* Whether it could be written now; -1: what is missing for that. NULL: always. */
	int (*may_write)(const struct fl_site *site, const fl_json *about, struct fl_err *err);
};

/* Whether we wrote what is there now. */
bool fl_file_is_ours(const struct fl_site *site, const char *path, const struct fl_str *now);

/* The ledger's entry of what stands there, or, with nothing there, the newest; NULL: it is not
 * ours. Borrowed. */
const fl_json *fl_file_entry(const struct fl_site *site, const char *path);

/* What stands there of another's, or stood there before us: 1, or 0 when that is nothing. */
int fl_file_base(const struct fl_site *site, const char *path, struct fl_str *base,
		 struct fl_err *err);

/* With the folders above it that are missing. The act, until the next is added. */
struct fl_act *fl_file_add(fl_acts *acts, const char *step, const char *path,
			   const struct fl_file *file);

/* A folder, with those above it that are missing. */
void fl_folder_add(fl_acts *acts, const char *step, const char *path, mode_t mode);
