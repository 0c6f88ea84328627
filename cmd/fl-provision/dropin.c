/* SPDX-License-Identifier: MPL-2.0 */
/* What the units lack on this host: they allow no more than most hosts need. */
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/pools.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/path.h"

#include <string.h>

int fl_service_check_path(const char *path, struct fl_err *err)
{
	if (!strpbrk(path, " \t\n\"'\\%$"))
		return 0;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: a unit cannot hold this path; take a state "
			  "folder without blanks, quotes and percent signs", path);
}

/* All but its own folders are read-only for a unit; homes and what is temporary it does not see. */
static void show_folder(const char *folder, struct fl_str *text)
{
	bool is_home = fl_path_is_under(folder, "/home:/root:/run/user");

	fl_str_addf(text, "ReadWritePaths=%s\n", folder);
	if (is_home)
		fl_str_add(text, "ProtectHome=tmpfs\n");
	if (is_home || fl_path_is_under(folder, "/tmp:/var/tmp"))
		fl_str_addf(text, "BindPaths=%s\n", folder);
}

static int write_state(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		       struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	const char *folder = fl_about_text(about, "state_dir");

	(void)host;
	(void)now;
	(void)why;
	if (fl_service_check_path(folder, err) < 0)
		return -1;
	fl_str_addf(text, FL_UNIT_HEAD "[Unit]\nRequiresMountsFor=%s\n\n[Service]\n", folder);
	show_folder(folder, text);
	return 0;
}

/* fl-serve has it from its configuration, this one from nobody else. */
static int write_dns(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		     struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	if (write_state(host, about, now, text, why, err) < 0)
		return -1;
	fl_str_addf(text, "Environment=FL_STATE_DIR=%s\n", fl_about_text(about, "state_dir"));
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
	static const struct {
		const char *path;
		struct fl_file file;
	} dropins[] = {
		{ FL_DROPIN_STATE, { .mode = 0644, .write = write_state } },
		{ FL_DROPIN_RESTORE, { .mode = 0644, .write = write_restore } },
		{ FL_DROPIN_DNS, { .mode = 0644, .write = write_dns } },
	};

	if (*folder != '/' || strcmp(folder, "/var/lib/flintlock") == 0)
		return;
	fl_folder_add(acts, "flintlock", folder, 0755);
	for (size_t i = 0; i < FL_COUNT(dropins); i++) {
		struct fl_act *act = fl_file_add(acts, "flintlock", dropins[i].path, &dropins[i].file);

		fl_json_set(act->about, "state_dir", fl_json_new_text(folder));
	}
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
