/* SPDX-License-Identifier: MPL-2.0 */
#include "common/share.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/path.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROOTS "FL_VIRTIOFS_ROOTS"

char *fl_share_resolve(const char *folder, struct fl_err *err)
{
	char real[PATH_MAX];
	struct stat st;

	if (*folder != '/') {
		fl_err_set(err, FL_ERR_INVALID, "%s: a folder to share has an absolute path", folder);
		return NULL;
	}
	/* First: else it would tell what there is on the host. */
	if (!fl_path_is_under(folder, getenv(ROOTS))) {
		fl_err_set(err, FL_ERR_PRECONDITION, "%s: may not be shared with guests; name it or a "
			   "folder above it in " ROOTS " (fl-serve: --virtiofs-roots)", folder);
		return NULL;
	}
	if (!realpath(folder, real) || stat(real, &st) < 0) {
		fl_err_errno(err, errno, "%s: cannot be shared", folder);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode)) {
		fl_err_set(err, FL_ERR_INVALID, "%s: only a folder can be shared", folder);
		return NULL;
	}
	return fl_strdup(real);
}

char *fl_share_daemon(struct fl_err *err)
{
	static const char *const places[] = { "/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd" };
	const char *set = getenv("FL_VIRTIOFSD");
	char *found = set && *set ? fl_path_find_program(set) : NULL;

	for (size_t i = 0; i < FL_COUNT(places) && !found && !(set && *set); i++)
		found = fl_path_find_program(places[i]);
	if (!found)
		fl_err_set(err, FL_ERR_PRECONDITION, "%s: is not on this machine; install virtiofsd or "
			   "qemu-system-common, or name it in FL_VIRTIOFSD",
			   set && *set ? set : "virtiofsd");
	return found;
}
