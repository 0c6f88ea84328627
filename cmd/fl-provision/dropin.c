/* SPDX-License-Identifier: MPL-2.0 */
/* What fl-serve.service lacks on this host: its unit allows no more than most hosts need. */
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/pools.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"

#include <string.h>

int fl_service_check_path(const char *path, struct fl_err *err)
{
	if (!strpbrk(path, " \t\n\"'\\%$"))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: a unit cannot hold this path; take a state "
			  "folder without blanks, quotes and percent signs", path);
}

/* All but its own folders are read-only for it. */
static int write_state(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		       struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	const char *folder = fl_about_text(about, "state_dir");

	(void)host;
	(void)now;
	(void)why;
	if (fl_service_check_path(folder, err) < 0)
		return -1;
	fl_str_addf(text, FL_UNIT_HEAD "[Unit]\nRequiresMountsFor=%s\n\n[Service]\nReadWritePaths=%s\n", folder,
		    folder);
	return 0;
}

/* What runs at boot looks there, and not only where it would by itself. */
static int write_restore(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
			 struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	const char *folder = fl_about_text(about, "state_dir");

	(void)host;
	(void)now;
	(void)why;
	(void)err;
	fl_str_addf(text,
		    FL_UNIT_HEAD "[Unit]\nRequiresMountsFor=%s\nConditionPathExists=\nConditionPathExists=%s/vm\n\n"
			 "[Service]\nEnvironment=FL_STATE_DIR=%s\n",
		    folder, folder, folder);
	return 0;
}

/* Device-mapper asks for a right that is next to root's. */
static int write_pool(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		      struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	(void)host;
	(void)now;
	(void)why;
	(void)err;
	fl_str_addf(text,
		    FL_UNIT_HEAD "[Service]\n"
			 "CapabilityBoundingSet=CAP_SYS_ADMIN\n"
			 "DeviceAllow=/dev/mapper/control rw\n"
			 "DeviceAllow=block-device-mapper rw\n"
			 "Environment=FL_POOL=%s\n",
		    fl_about_text(about, "pool"));
	return 0;
}

/* As fl-snap is told it; NULL: it is no pool. Caller frees. */
static char *pool_of(const char *kind, const fl_json *about)
{
	const char *name = fl_about_text(about, "name");

	if (strcmp(kind, fl_act_pool.name) == 0)
		return fl_strdup(name);
	return strcmp(kind, fl_act_lvm.name) == 0 ? fl_asprintf("%s/" FL_LVM_POOL, name) : NULL;
}

static char *find_pool(const struct fl_site *site, const fl_acts *acts, bool also_earlier)
{
	const fl_json *entries = site->ledger->entries;
	char *pool = NULL;

	for (size_t i = 0; !pool && i < acts->count; i++)
		pool = pool_of(acts->items[i].kind->name, acts->items[i].about);
	for (size_t i = fl_json_count(entries); also_earlier && !pool && i > 0; i--) {
		const fl_json *entry = fl_json_item(entries, i - 1);

		pool = pool_of(fl_about_text(entry, "kind"), entry);
	}
	return pool;
}

void fl_dropin_add_state(const char *folder, fl_acts *acts)
{
	static const struct fl_file file = { .mode = 0644, .write = write_state };
	static const struct fl_file restore = { .mode = 0644, .write = write_restore };
	struct fl_act *act;

	if (*folder != '/' || strcmp(folder, "/var/lib/flintlock") == 0)
		return;
	fl_folder_add(acts, "flintlock", folder, 0755);
	act = fl_file_add(acts, "flintlock", FL_DROPIN_STATE, &file);
	fl_json_set(act->about, "state_dir", fl_json_new_text(folder));
	act = fl_file_add(acts, "flintlock", FL_DROPIN_RESTORE, &restore);
	fl_json_set(act->about, "state_dir", fl_json_new_text(folder));
}

bool fl_dropin_add_pool(const struct fl_site *site, const char *step, bool also_earlier,
			fl_acts *acts)
{
	static const struct fl_file file = { .mode = 0644, .write = write_pool };
	fl_cleanup_free char *pool = find_pool(site, acts, also_earlier);
	struct fl_act *act;

	if (!pool)
		return false;
	act = fl_file_add(acts, step, FL_DROPIN_POOL, &file);
	fl_json_set(act->about, "pool", fl_json_new_text(pool));
	return true;
}
