/* SPDX-License-Identifier: MPL-2.0 */
#include "common/boot.h"

#include "common/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

void fl_boot_id(char id[static FL_BOOT_ID_TEXT])
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const char *set = getenv("FL_BOOT_ID");

	if (!set && fl_io_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 256, &text,
				    NULL) == 0)
		text.data[strcspn(text.data, "\n")] = 0;
	snprintf(id, FL_BOOT_ID_TEXT, "%s", set ? set : text.len ? text.data : "unknown");
}
