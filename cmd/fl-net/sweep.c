/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/sweep.h"

#include "cmd/fl-net/taps.h"
#include "common/alloc.h"

#include <string.h>

/* As what it is: the tap of an interface that is a macvtap by now is not. */
static bool is_wanted(const struct fl_spec *spec, const char *device, int type)
{
	for (size_t i = 0; i < spec->interface_count; i++)
		if (strcmp(spec->interfaces[i].device_id, device) == 0)
			return (int)spec->interfaces[i].type == type;
	return false;
}

/* Links that are to go. */
struct sweep {
	const struct fl_step_call *call;
	bool all; /* not only those that the spec does not want any more */
	FL_VEC(char *) names;
};

/* Whether a link without alias is what a kill left between making and naming. */
static bool is_nameless(const struct fl_step_call *call, const struct fl_link *link)
{
	const fl_json *network = fl_json_at(call->record, "host.network");
	char name[FL_LINK_NAME];
	struct fl_mac mac;
	int type = fl_taps_type(link);

	if (*link->alias || link->master || type < 0)
		return false;
	for (size_t i = 0; i < call->spec.interface_count; i++) {
		fl_taps_derive(call->vm->uid, call->spec.interfaces[i].device_id, (unsigned)type,
			       name, &mac);
		if (strcmp(name, link->name) == 0)
			return true;
	}
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		fl_taps_derive(call->vm->uid, fl_json_key(i), (unsigned)type, name, &mac);
		if (strcmp(name, link->name) == 0)
			return true;
	}
	return false;
}

static int look_at_link(void *arg, const struct fl_link *link)
{
	struct sweep *sweep = arg;
	char uid[FL_ULID_TEXT];
	const char *device = fl_taps_owner(link, uid);
	bool mine = device && strcmp(uid, sweep->call->vm->uid) == 0;

	if ((mine && (sweep->all || !is_wanted(&sweep->call->spec, device, fl_taps_type(link)))) ||
	    (sweep->all && is_nameless(sweep->call, link)))
		FL_VEC_ADD(&sweep->names, fl_strdup(link->name));
	return 0;
}

int fl_sweep_links(const struct fl_step_call *call, struct fl_links *links, bool all,
		   struct fl_err *err)
{
	struct sweep sweep = { .call = call, .all = all };
	int rc = fl_links_each(links, look_at_link, &sweep, err);

	for (size_t i = 0; i < sweep.names.count; i++) {
		if (rc == 0)
			rc = fl_links_remove(links, sweep.names.items[i], err);
		free(sweep.names.items[i]);
	}
	free(sweep.names.items);
	return rc;
}
