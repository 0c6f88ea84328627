/* SPDX-License-Identifier: MPL-2.0 */
/* The unit that runs "fl-provision restore" at boot. */
#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/service.h"
#include "cmd/fl-provision/steps.h"

#include "common/alloc.h"
#include "common/path.h"

#define UNIT "fl-provision.service"

/* A purge of the package leaves the unit, which then has nothing to run, and does not fail.
 * Without what this restores, the service would see an empty state folder, and its clients
 * would believe their microVMs gone: so it is required, not only wanted. */
static int write_unit(const struct fl_host *host, const fl_json *about, const struct fl_str *now,
		      struct fl_str *text, struct fl_str *why, struct fl_err *err)
{
	fl_cleanup_free char *folder = fl_path_of_program();

	(void)about;
	(void)now;
	(void)why;
	if (fl_service_check_path(host->state_dir, err) < 0)
		return -1;
	fl_str_addf(text,
		    FL_UNIT_HEAD
		    "[Unit]\n"
		    "Description=What microVMs need of the host, after a reboot\n"
		    "Documentation=man:fl-provision(8)\n"
		    "After=local-fs.target network-pre.target\n"
		    "Before=fl-serve.service fl-restore.service\n"
		    "ConditionFileIsExecutable=%s/fl-provision\n"
		    "\n"
		    "[Service]\n"
		    "Type=oneshot\n"
		    "RemainAfterExit=yes\n"
		    "ExecStart=%s/fl-provision restore --state-dir %s\n"
		    "\n"
		    "[Install]\n"
		    "WantedBy=multi-user.target\n"
		    "RequiredBy=fl-serve.service fl-restore.service\n",
		    folder, folder, host->state_dir);
	return 0;
}

void fl_boot_add(const struct fl_site *site, fl_acts *acts)
{
	static const struct fl_file unit = { .mode = 0644, .write = write_unit };
	fl_json *about;
	bool needed = false;

	(void)site;
	for (size_t i = 0; i < acts->count; i++)
		needed |= acts->items[i].kind->restore != NULL;
	if (!needed)
		return;
	fl_file_add(acts, "boot", "/etc/systemd/system/" UNIT, &unit);
	about = fl_about(UNIT);
	fl_json_set(about, "written", fl_json_new_bool(true));
	fl_acts_add(acts, &fl_act_unit, "boot", about);
}
