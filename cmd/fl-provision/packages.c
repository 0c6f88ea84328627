/* SPDX-License-Identifier: MPL-2.0 */
/* Packages of the distribution, by apt. */
#include "cmd/fl-provision/act.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/packages.h"
#include "cmd/fl-provision/program.h"

#include "common/alloc.h"
#include "common/log.h"
#include "common/path.h"

#include <stdlib.h>
#include <string.h>

static bool on_disk(const struct fl_host *host)
{
	return host->disk;
}

static bool in_loops(const struct fl_host *host)
{
	return host->dev;
}

static bool in_pool(const struct fl_host *host)
{
	return host->disk || host->dev;
}

static bool by_reflink(const struct fl_host *host)
{
	return host->reflink_size;
}

/* Of ours or another's: fl-net's names and addresses are served on it. */
static bool on_bridge(const struct fl_host *host)
{
	return host->bridge;
}

/* What the programs run, and what is not in their packages' dependencies. NULL: always. */
static const struct {
	const char *name;
	bool (*is_needed)(const struct fl_host *host);
} packages[] = {
	{ "lvm2", on_disk },
	{ "dmsetup", in_loops },
	{ "thin-provisioning-tools", in_pool },
	{ "xfsprogs", by_reflink },
	{ "openssh-client", NULL },
	{ "dnsmasq-base", on_bridge },
#if defined(__aarch64__)
	{ "qemu-system-arm", NULL },
#else
	{ "qemu-system-x86", NULL },
#endif
};

static bool is_needed(const struct fl_host *host, size_t i)
{
	return !packages[i].is_needed || packages[i].is_needed(host);
}

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

static bool is_missing(const struct fl_host *host, size_t i)
{
	return is_needed(host, i) && !is_installed(packages[i].name);
}

/* All that are missing come at once: what dpkg does at the end of each run takes minutes. */
static int before(const struct fl_site *site, struct fl_act *act, fl_json *entry,
		  struct fl_err *err)
{
	fl_json *with = fl_json_new_array();

	(void)err;
	for (size_t i = 0; i < FL_COUNT(packages); i++)
		if (strcmp(packages[i].name, fl_act_name(act)) != 0 && is_missing(site->host, i))
			fl_json_add(with, fl_json_new_text(packages[i].name));
	fl_json_set(entry, "with", with);
	return 0;
}

static int install(const struct fl_host *host, struct fl_err *err)
{
	const char *argv[FL_COUNT(packages) + 6] = { "apt-get", "-qq", "-y",
						     "--no-install-recommends", "install" };
	fl_cleanup_str struct fl_str names = FL_STR_INIT;
	size_t count = 5;

	for (size_t i = 0; i < FL_COUNT(packages); i++)
		if (is_missing(host, i)) {
			argv[count++] = packages[i].name;
			fl_str_addf(&names, "%s%s", names.len ? ", " : "", packages[i].name);
		}
	fl_log(FL_LOG_INFO, "apt: installing %s", names.data ? names.data : "");
	return fl_program_run(argv, NULL, err);
}

/* The lists may be old, or never have been fetched. */
static int make(const struct fl_site *site, const struct fl_act *act, struct fl_err *err)
{
	(void)act;
	setenv("DEBIAN_FRONTEND", "noninteractive", 1);
	if (install(site->host, NULL) == 0)
		return 0;
	if (FL_RUN(NULL, err, "apt-get", "-qq", "update") < 0)
		return -1;
	return install(site->host, err);
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
	(void)wanted;
	(void)err;
	for (size_t i = 0; i < FL_COUNT(packages); i++)
		if (is_needed(site->host, i))
			fl_acts_add(acts, &fl_act_package, "apt", fl_about(packages[i].name));
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
