/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pack/named.h"

#include "common/alloc.h"
#include "common/cleanup.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *fl_pack_named_path(const char *text)
{
	const char *equals = strchr(text, '=');
	const char *from = text + strspn(text, "/");
	fl_cleanup_free char *path = equals > from ? fl_strndup(from, (size_t)(equals - from)) : NULL;
	fl_cleanup_free char *around = fl_asprintf("/%s/", path ? path : "");

	if (!path || strstr(around, "/../") || strstr(around, "/./") || strstr(around, "//"))
		return NULL;
	return fl_steal(&path);
}

const char *fl_pack_named_file(const char *text)
{
	const char *equals = strchr(text, '=');

	return equals ? equals + 1 : "";
}

int fl_pack_named_check(const char *text, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_pack_named_path(text);
	const char *file = fl_pack_named_file(text);
	struct stat st;

	if (!path || !*file)
		return fl_err_set(err, FL_ERR_INVALID, "%s: not of the form boot/vmlinux=FILE", text);
	if (stat(file, &st) < 0 || access(file, R_OK) < 0)
		return fl_err_errno(err, errno, "%s: cannot be opened", file);
	return S_ISREG(st.st_mode) ? 0 : fl_err_set(err, FL_ERR_INVALID, "%s: not a file", file);
}
