/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/pools.h"

#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"

#include "common/alloc.h"

#include <string.h>

/* provision.sh's sizes; the files are sparse, and take what is written. */
#define DATA_SIZE ((int64_t)100 << 30)
#define METADATA_SIZE ((int64_t)10 << 30)

/* LVM extends the pool by itself (lvmthin(7)); lvm.c leaves it the room. */
static int write_profile(const struct fl_host *host, const fl_json *about,
			 const struct fl_str *now, struct fl_str *text, struct fl_str *why,
			 struct fl_err *err)
{
	(void)host;
	(void)about;
	(void)now;
	(void)why;
	(void)err;
	fl_str_add(text, "activation {\n"
			 "\tthin_pool_autoextend_threshold=80\n"
			 "\tthin_pool_autoextend_percent=20\n"
			 "}\n");
	return 0;
}

int fl_pools_direct_lvm_add(const struct fl_site *site, bool wanted, fl_acts *acts,
			    struct fl_err *err)
{
	static const struct fl_file profile = { .mode = 0644, .write = write_profile };
	const struct fl_host *host = site->host;
	fl_cleanup_free char *path = NULL;
	fl_json *about;

	if (!host->disk && !wanted)
		return 0;
	if (!host->disk)
		return fl_err_set(err, FL_ERR_USAGE, "direct_lvm: name the disk with --disk; none is "
				  "guessed (lsblk lists them)");
	if (host->dev)
		return fl_err_set(err, FL_ERR_USAGE, "--disk and --dev exclude each other");
	path = fl_asprintf("/etc/lvm/profile/%s-thinpool.profile", host->thinpool);
	fl_file_add(acts, "direct_lvm", path, &profile);
	about = fl_about(host->thinpool);
	fl_json_set(about, "disk", fl_json_new_text(host->disk));
	fl_acts_add(acts, &fl_act_lvm, "direct_lvm", about);
	return 0;
}

static char *add_sparse(const struct fl_site *site, const char *name, int64_t size, fl_acts *acts)
{
	char *path = fl_asprintf("%s/%s-%s", site->ledger->folder, site->host->thinpool, name);
	fl_json *about = fl_about(path);

	fl_json_set(about, "size", fl_json_new_int(size));
	fl_json_set(about, "sparse", fl_json_new_bool(true));
	fl_acts_add(acts, &fl_act_image, "devpool", about);
	return path;
}

int fl_pools_devpool_add(const struct fl_site *site, bool wanted, fl_acts *acts,
			 struct fl_err *err)
{
	fl_cleanup_free char *data = NULL, *metadata = NULL, *name = NULL;
	fl_json *about;

	(void)err;
	if (!site->host->dev && !wanted)
		return 0;
	data = add_sparse(site, "data", DATA_SIZE, acts);
	metadata = add_sparse(site, "metadata", METADATA_SIZE, acts);
	name = fl_asprintf("%s-thinpool", site->host->thinpool);
	about = fl_about(name);
	fl_json_set(about, "data", fl_json_new_text(data));
	fl_json_set(about, "metadata", fl_json_new_text(metadata));
	fl_acts_add(acts, &fl_act_pool, "devpool", about);
	return 0;
}
