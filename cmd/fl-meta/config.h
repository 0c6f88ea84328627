/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A cloud-config out of options: a host name, users, keys, packages, files, commands, for who would
 * rather not write YAML. It is written as JSON, which YAML holds.
 *
 *     struct fl_str text = FL_STR_INIT;
 *     int any = fl_config_write(args, &text, err);      // 1; 0 without any of the options
 */
#pragma once

#include "common/cli.h"
#include "common/str.h"

#define FL_CONFIG_OPTIONS \
	{ "hostname", 0, "NAME", "what the guest is called" }, \
	{ "user", 0, "NAME", "one more user, who may become root; may be repeated" }, \
	{ "ssh-key", 0, "FILE", "a public key of those users, else of root and the image's; may be repeated" }, \
	{ "package", 0, "NAME", "to be installed; may be repeated" }, \
	{ "write", 0, "PATH=FILE", "what a file of the guest holds, with the mode it has here; may be repeated" }, \
	{ "command", 0, "WORDS", "for the guest's shell at its first boot; may be repeated" }, \
	{ "growpart", 0, NULL, "let the root file system take all of its disk" }

/* Appends it to out. FL_ERR_INVALID for a name or a key that is none, FL_ERR_NOT_FOUND for a missing
 * file. */
int fl_config_write(const struct fl_args *args, struct fl_str *out, struct fl_err *err);
