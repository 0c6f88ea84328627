/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/way.h"

static bool is_of(const char *address, int family)
{
	struct fl_cidr parsed;

	return address && fl_inet_parse_cidr(address, &parsed, NULL) == 0 && parsed.family == family;
}

/* Whether an address that the spec gives lies in the bridge's net, from which it is reached. */
static bool is_within(const char *address, const struct fl_bridge *bridge)
{
	struct fl_cidr own;

	return !address || (fl_inet_parse_cidr(address, &own, NULL) == 0 &&
			    fl_inet_contains(&bridge->address, &own));
}

/* Whether the guest is on a bridge of ours that leads out. */
static bool is_translated(const struct fl_step_call *call, int family)
{
	for (size_t i = 0; i < call->spec.interface_count; i++) {
		const struct fl_interface *in = &call->spec.interfaces[i];
		const char *name = fl_bridge_of(call->record, in);
		struct fl_bridge bridge;

		if (name && in->type == FL_INTERFACE_TAP &&
		    fl_bridge_load(call->vm->state, name, &bridge, NULL) == 1 && bridge.nat &&
		    bridge.address.family == family && is_within(in->address, &bridge))
			return true;
	}
	return false;
}

/* With two ways out a guest answers by one what it was asked by the other, which reverse path filters and
 * the rules of egress drop. */
bool fl_way_is_by(const struct fl_step_call *call, const fl_json *made, const struct fl_bridge *bridge)
{
	const struct fl_spec *spec = &call->spec;
	int family = bridge->address.family;

	for (size_t i = 0; i < spec->interface_count; i++)
		if (is_of(spec->interfaces[i].gateway, family))
			return false;
	for (void *i = fl_json_first(made); i; i = fl_json_next(made, i))
		if (is_of(fl_json_text(fl_json_get(fl_json_value(i), "gateway")), family))
			return false;
	return bridge->nat || !is_translated(call, family);
}
