/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Names and folders.
 *
 *     if (!fl_path_is_name(spec->name)) ...
 *     fl_path_make_folders("/var/lib/flintlock/vm", 0700, err);
 *     fl_path_remove_tree(AT_FDCWD, folder, err);
 */
#pragma once

#include "common/err.h"

#include <stdbool.h>
#include <sys/types.h>

/* [A-Za-z0-9._-], 1 to 63 characters, neither "." nor "..". */
bool fl_path_is_name(const char *text);

/* What stands behind the last "/": part of path, which may be NULL. */
const char *fl_path_last(const char *path);

/* The same from any working folder, without "./"; ".." and links are left as they are. Caller
 * frees. */
char *fl_path_absolute(const char *path);

/* Makes path and what is missing above it. An existing folder is fine. */
int fl_path_make_folders(const char *path, mode_t mode, struct fl_err *err);

/* For the state's folder, which a user who is not root may not make or open where it is by default:
 * says so in a failure of that kind. -1. */
int fl_path_deny_state(struct fl_err *err);

/* Removes a file or a folder with all below it, without following symbolic links.
 * What does not exist is fine. */
int fl_path_remove_tree(int dirfd, const char *path, struct fl_err *err);

/* Where PATH has a program that may be run (a name with a slash is looked at itself); caller
 * frees. NULL: nowhere. */
char *fl_path_find_program(const char *name);

/* Folder of the program that runs, such as "/usr/bin"; caller frees. */
char *fl_path_of_program(void);

/* The file in the same folder as the running program, or in folder ../below relative to
 * it, or "" + name for a search in PATH; caller frees. */
char *fl_path_beside_program(const char *below, const char *name);

/* Whether path lies in one of the folders, absolute and joined by colons (NULL: none), once symbolic
 * links are followed. One that is not there is taken as it is written, if no name in it begins with a
 * dot. */
bool fl_path_is_under(const char *path, const char *roots);
