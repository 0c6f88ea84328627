/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A public key of ssh, out of the file that ssh-keygen wrote (authorized_keys of sshd(8)).
 *
 *     fl_json *key = fl_ssh_key_read("id_ed25519.pub", err);
 */
#pragma once

#include "common/json.h"

/* The key's line, as text; FL_ERR_INVALID when the file holds no public key, and of a private one
 * nothing is ever taken. Caller unrefs. */
fl_json *fl_ssh_key_read(const char *path, struct fl_err *err);
