/* SPDX-License-Identifier: MPL-2.0 */
#include "common/ssh_key.h"

#include "common/io.h"

#include <fcntl.h>
#include <string.h>

#define MOST 65536

static bool is_public(const char *line)
{
	static const char *const kinds[] = { "ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-" };

	for (size_t i = 0; i < FL_COUNT(kinds); i++)
		if (fl_str_starts(line, kinds[i]) && strchr(line, ' '))
			return true;
	return false;
}

fl_json *fl_ssh_key_read(const char *path, struct fl_err *err)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	if (fl_io_read_file(AT_FDCWD, path, MOST, &text, err) < 0)
		return NULL;
	if (text.len && is_public(text.data))
		return fl_json_new_text_bytes(text.data, strcspn(text.data, "\r\n"));
	fl_err_set(err, FL_ERR_INVALID, "%s: not a public key; give the .pub file", path);
	return NULL;
}
