/* SPDX-License-Identifier: MPL-2.0 */
/* Packages of the distribution, by apt. */
#include "cmd/fl-provision/act.h"
#include "cmd/fl-provision/packages.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/log.h"
#include "common/path.h"

#include <stdlib.h>
#include <string.h>

/* What the programs run, and what is not in their packages' dependencies. */
static const char *const packages[] = {
	"lvm2", "thin-provisioning-tools", "xfsprogs",
#if defined(__aarch64__)
	"qemu-system-arm",
#else
	"qemu-system-x86",
#endif
};

static bool is_installed(const char *name)
{
	fl_cleanup_str struct fl_str status = FL_STR_INIT;

	return FL_RUN(&status, NULL, "dpkg-query", "--show", "--showformat=${db:Status-Status}",
		      name) == 0 && status.len && strcmp(status.data, "installed") == 0;
}

static int look(const struct fl_site *site, const struct fl_act *act, struct fl_str *why,
		struct fl_err *err)
{
	fl_cleanup_free char *apt = fl_path_find_program("apt-get");

	(void)site;
	(void)why;
	if (is_installed(fl_act_name(act)))
		return FL_LOOK_DONE;
	if (apt)
		return FL_LOOK_MAKE;
	return fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: there is no apt here; install what is called so "
			  "with the host's own means, and give --skip-apt", fl_act_name(act));
}

/* All that are missing come at once: what dpkg does at the end of each run takes minutes. */
static int before(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		  struct fl_err *err)
{
	fl_json *with = fl_json_new_array();

	(void)site;
	(void)err;
	for (size_t i = 0; i < FL_COUNT(packages); i++)
		if (strcmp(packages[i], fl_act_name(act)) != 0 && !is_installed(packages[i]))
			fl_json_add(with, fl_json_new_text(packages[i]));
	fl_json_set(entry, "with", with);
	return 0;
}

static int install(struct fl_err *err)
{
	const char *argv[FL_COUNT(packages) + 6] = { "apt-get", "-qq", "-y",
						     "--no-install-recommends", "install" };
	fl_cleanup_str struct fl_str names = FL_STR_INIT;
	size_t count = 5;

	for (size_t i = 0; i < FL_COUNT(packages); i++)
		if (!is_installed(packages[i])) {
			argv[count++] = packages[i];
			fl_str_addf(&names, "%s%s", names.len ? ", " : "", packages[i]);
		}
	fl_log(FL_LOG_INFO, "apt: installing %s", names.data ? names.data : "");
	return fl_program_run(argv, NULL, err);
}

/* The lists may be old, or never have been fetched. */
static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	(void)site;
	(void)act;
	setenv("DEBIAN_FRONTEND", "noninteractive", 1);
	if (install(NULL) == 0)
		return 0;
	if (FL_RUN(NULL, err, "apt-get", "-qq", "update") < 0)
		return -1;
	return install(err);
}

/* By now others may live by it; a package that nobody needs does no harm. */
static int undo(const struct fl_site *site, const fl_json *entry, struct fl_str *kept,
		struct fl_err *err)
{
	const fl_json *with = fl_json_get(entry, "with");

	(void)site;
	(void)err;
	if (!is_installed(fl_about_text(entry, "name")))
		return 0;
	fl_str_add(kept, "packages stay");
	for (size_t i = 0; i < fl_json_count(with); i++)
		fl_str_addf(kept, "%s%s", i ? ", " : ", as ", fl_json_text(fl_json_item(with, i)));
	fl_str_addf(kept, "%s; remove what nobody needs with apt-get", fl_json_count(with) ? " do" : "");
	return 0;
}

int fl_packages_add(const struct fl_site *site, bool wanted, fl_acts *acts, struct fl_err *err)
{
	(void)site;
	(void)wanted;
	(void)err;
	for (size_t i = 0; i < FL_COUNT(packages); i++)
		fl_acts_add(acts, &fl_act_package, "apt", fl_about(packages[i]));
	return 0;
}

const struct fl_act_kind fl_act_package = {
	.name = "package",
	.stays = true,
	.look = look,
	.before = before,
	.make = make,
	.undo = undo,
};
