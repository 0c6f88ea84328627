/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/reflink.h"

#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"

#include "common/alloc.h"
#include "common/log.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#define DEFAULT_SIZE ((uint64_t)20 << 30)

/* Tried out, on files without a name; the kind of file system does not tell. */
static bool can_reflink(const char *folder)
{
	fl_cleanup_close int from = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	fl_cleanup_close int to = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	char block[4096] = { 1 };

	return from >= 0 && to >= 0 && write(from, block, sizeof(block)) == sizeof(block) &&
	       ioctl(to, FICLONE, from) == 0;
}

/* Of the state folder, or of the one that it is to be made in. */
static bool host_can(const struct fl_host *host)
{
	fl_cleanup_free char *folder = fl_strdup(host->state_dir);
	char *slash;

	while (access(folder, F_OK) < 0 && (slash = strrchr(folder, '/')) && slash > folder)
		*slash = 0;
	return can_reflink(access(folder, F_OK) == 0 ? folder : "/");
}

static void add(const struct fl_site *site, const char *image, fl_acts *acts)
{
	uint64_t size = site->host->reflink_size ? site->host->reflink_size : DEFAULT_SIZE;
	fl_json *about = fl_about(image);

	fl_json_set(about, "size", fl_json_new_int((int64_t)size));
	fl_json_set(about, "filesystem", fl_json_new_text("xfs"));
	fl_folder_add(acts, "reflink", site->host->state_dir, 0755);
	fl_acts_add(acts, &fl_act_image, "reflink", about);
	about = fl_about(site->host->state_dir);
	fl_json_set(about, "image", fl_json_new_text(image));
	fl_acts_add(acts, &fl_act_mount, "reflink", about);
}

int fl_reflink_add(const struct fl_site *site, bool wanted, fl_acts *acts, struct fl_err *err)
{
	fl_cleanup_free char *image = fl_asprintf("%s/reflink.img", site->ledger->folder);
	bool ours = fl_ledger_find(site->ledger, "image", image) != NULL;

	(void)err;
	if (!wanted && !site->host->reflink_size && !ours)
		return 0;
	if (!ours && host_can(site->host)) {
		fl_log(FL_LOG_INFO, "reflink: the file system of %s can do it; nothing is needed",
		       site->host->state_dir);
		return 0;
	}
	add(site, image, acts);
	return 0;
}
