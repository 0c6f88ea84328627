/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/steps.h"

#include "cmd/fl-provision/file.h"
#include "cmd/fl-provision/host.h"
#include "cmd/fl-provision/packages.h"
#include "cmd/fl-provision/pools.h"
#include "cmd/fl-provision/reflink.h"
#include "cmd/fl-provision/release.h"
#include "cmd/fl-provision/route.h"
#include "cmd/fl-provision/service.h"

#include "common/alloc.h"
#include "common/log.h"

#include <string.h>

static bool is_bridge_of_others(const struct fl_site *site, const char *name)
{
	return fl_route_is_bridge(name) && !fl_ledger_find(site->ledger, "bridge", name);
}

/* A bridge that the user names and that is there is used as it is, unless he says what it is
 * to be like. */
static int add_bridge(const struct fl_site *site, bool wanted, fl_acts *acts, struct fl_err *err)
{
	const struct fl_host *host = site->host;
	fl_json *about;

	if (!host->bridge)
		return wanted ? fl_err_set(err, FL_ERR_USAGE, "bridge: --parent-iface is given; name "
					   "the bridge, too: --bridge NAME") : 0;
	if (host->bridge_named && !host->bridge_address_given &&
	    is_bridge_of_others(site, host->bridge)) {
		fl_log(FL_LOG_INFO, "bridge: %s is there, and used as it is", host->bridge);
		return 0;
	}
	fl_folder_add(acts, "bridge", host->state_dir, 0755);
	about = fl_about(host->bridge);
	fl_json_set(about, "address", fl_json_new_text(host->bridge_address));
	fl_json_set(about, "nat", fl_json_new_bool(host->nat));
	fl_acts_add(acts, &fl_act_bridge, "bridge", about);
	return 0;
}

static int add_service(const struct fl_site *site, bool wanted, fl_acts *acts, struct fl_err *err)
{
	(void)wanted;
	(void)err;
	fl_service_add(site, acts);
	return 0;
}

/* Storage first: what is mounted over the state folder must be there before things are in it.
 * The service last: it is started when all that it needs is there. */
static const struct {
	const char *name;
	fl_step_adder *add;
} steps[] = {
	{ "apt", fl_packages_add },
	{ "reflink", fl_reflink_add },
	{ "direct_lvm", fl_pools_direct_lvm_add },
	{ "devpool", fl_pools_devpool_add },
	{ "bridge", add_bridge },
	{ "firecracker", fl_release_firecracker_add },
	{ "cloudhypervisor", fl_release_cloudhypervisor_add },
	{ "flintlock", add_service },
};

static int check_list(const char *option, const char *list, struct fl_err *err)
{
	fl_cleanup_free char *names = fl_strdup(list ? list : "");
	char *save = NULL;

	for (char *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
		bool known = false;

		for (size_t i = 0; i < FL_COUNT(steps); i++)
			known |= strcmp(steps[i].name, name) == 0;
		if (!known)
			return fl_err_set(err, FL_ERR_USAGE, "--%s: there is no step \"%s\"", option, name);
	}
	return 0;
}

static bool is_wanted(const struct fl_host *host, const char *step, const char *name)
{
	if (step)
		return strcmp(step, name) == 0;
	if (host->only && !fl_host_lists(host->only, name))
		return false;
	return !fl_host_lists(host->skip, name);
}

int fl_steps_add(const struct fl_site *site, const char *step, fl_acts *acts, struct fl_err *err)
{
	const struct fl_host *host = site->host;

	if (check_list("only", host->only, err) < 0 || check_list("skip", host->skip, err) < 0)
		return -1;
	for (size_t i = 0; i < FL_COUNT(steps); i++) {
		const char *name = steps[i].name;
		bool is_last = strcmp(name, "flintlock") == 0;

		if (is_last)
			fl_boot_add(site, acts);
		if (is_last && !is_wanted(host, step, name))
			fl_service_add_pool(site, step ? step : name, acts);
		if (is_wanted(host, step, name) &&
		    steps[i].add(site, step || fl_host_lists(host->only, name), acts, err) < 0)
			return -1;
	}
	return 0;
}
