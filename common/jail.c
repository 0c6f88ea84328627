/* SPDX-License-Identifier: MPL-2.0 */
#include "common/jail.h"

#include "common/path.h"

int fl_jail_remove(const struct fl_vm *vm, struct fl_err *err)
{
	if (fl_path_remove_tree(vm->dirfd, FL_JAIL_FOLDER, err) < 0)
		return fl_err_prefix(err, "%s", vm->path);
	return 0;
}
