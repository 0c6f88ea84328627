/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/lease.h"

#include "common/alloc.h"
#include "common/log.h"

#include <string.h>

#define MOST_TRIED 65536

struct lease {
	struct fl_cidr address;
	char *owner;  /* "namespace/name", owned */
	bool planned; /* asked for in a spec, but not had yet */
};

struct table {
	const char *bridge;
	FL_VEC(struct lease) leases;
};

static void finish(struct table *table)
{
	for (size_t i = 0; i < table->leases.count; i++)
		free(table->leases.items[i].owner);
	free(table->leases.items);
}

static void add(struct table *table, const struct fl_vm_name *owner, const char *text,
		bool planned)
{
	struct lease lease = { .planned = planned };

	if (!text || fl_inet_parse_cidr(text, &lease.address, NULL) < 0)
		return;
	lease.owner = fl_asprintf("%s/%s", owner->name_space, owner->name);
	FL_VEC_ADD(&table->leases, lease);
}

/* What a host.network has on the bridge, but for one device. */
static void add_network(struct table *table, const struct fl_vm_name *owner,
			const fl_json *network, const char *except)
{
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const fl_json *one = fl_json_value(i);

		if (fl_str_equal(fl_json_text(fl_json_get(one, "bridge")), table->bridge) &&
		    !fl_str_equal(fl_json_key(i), except))
			add(table, owner, fl_json_text(fl_json_get(one, "address")), false);
	}
}

static void add_spec(struct table *table, const struct fl_vm_name *owner, const fl_json *record,
		     const char *except)
{
	fl_cleanup_spec struct fl_spec spec = fl_spec_view(fl_json_get(record, "spec"));

	for (size_t i = 0; i < spec.interface_count; i++) {
		const struct fl_interface *in = &spec.interfaces[i];

		if (fl_str_equal(fl_bridge_of(record, in), table->bridge) &&
		    !fl_str_equal(in->device_id, except))
			add(table, owner, in->address, true);
	}
}

static int add_record(struct table *table, const struct fl_state *state,
		      const struct fl_vm_name *name, const char *except, struct fl_err *err)
{
	struct fl_err why = { 0 };
	fl_cleanup_json fl_json *record = fl_state_look(state, name, &why);

	if (!record && why.kind == FL_ERR_NOT_FOUND)
		return 0;
	/* Without knowing what it has, its address might be given away a second time. */
	if (!record)
		return fl_err_pass(err, &why);
	add_network(table, name, fl_json_at(record, "host.network"), except);
	add_spec(table, name, record, except);
	return 0;
}

static int collect(struct table *table, const struct fl_step_call *call, const fl_json *made,
		   const char *device, struct fl_err *err)
{
	const struct fl_vm *vm = call->vm;
	struct fl_vm_name self = { vm->name_space, vm->name, "" };
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	add_network(table, &self, made, device);
	if (fl_state_list(vm->state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		bool is_self = strcmp(names.items[i].uid, vm->uid) == 0;

		if (add_record(table, vm->state, &names.items[i], is_self ? device : NULL, err) < 0)
			return -1;
	}
	return 0;
}

static const char *owner_of(const struct table *table, const struct fl_cidr *address, bool planned)
{
	for (size_t i = 0; i < table->leases.count; i++)
		if (fl_inet_equal(&table->leases.items[i].address, address) &&
		    (planned || !table->leases.items[i].planned))
			return table->leases.items[i].owner;
	return NULL;
}

static int find_free(const struct fl_bridge *bridge, const struct table *table,
		     struct fl_cidr *address, struct fl_err *err)
{
	const struct fl_cidr *net = &bridge->address;

	for (uint32_t nth = 1; nth < MOST_TRIED && fl_inet_nth(net, nth, address); nth++)
		if (fl_inet_gives(net, address) && !fl_inet_equal(address, net) &&
		    !owner_of(table, address, true))
			return 0;
	return fl_err_set(err, FL_ERR_EXHAUSTED, "%s: no address is free; take microVMs down, or "
			  "make a bridge with a larger net", bridge->name);
}

static int take_wanted(const struct fl_bridge *bridge, const struct table *table,
		       const char *wanted, struct fl_cidr *address, struct fl_err *err)
{
	const char *owner;

	if (fl_inet_parse_cidr(wanted, address, err) < 0)
		return -1;
	owner = fl_inet_equal(address, &bridge->address) ? "the bridge itself"
							 : owner_of(table, address, false);
	if (owner)
		return fl_err_set(err, FL_ERR_EXISTS, "address %s on %s: %s has it; choose "
				  "another, or leave it out to get a free one", wanted,
				  bridge->name, owner);
	return 0;
}

/* What a host.network has on the bridge with that MAC, but for one device. */
static bool has_mac(const fl_json *network, const char *bridge, const struct fl_mac *mac,
		    const char *except)
{
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const char *text = fl_json_text(fl_json_get(fl_json_value(i), "mac"));
		struct fl_mac other;

		if (fl_str_equal(fl_json_text(fl_json_get(fl_json_value(i), "bridge")), bridge) &&
		    !fl_str_equal(fl_json_key(i), except) && text &&
		    fl_inet_parse_mac(text, &other, NULL) == 0 &&
		    memcmp(other.byte, mac->byte, sizeof(other.byte)) == 0)
			return true;
	}
	return false;
}

static int mac_is_taken(const char *mac, const char *bridge, const char *name_space,
			const char *name, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_EXISTS, "guest_mac %s on %s: %s/%s has it; choose another, or "
			  "leave it out to get one of its own", mac, bridge, name_space, name);
}

int fl_lease_check_mac(const struct fl_step_call *call, const fl_json *made, const char *bridge,
		       const struct fl_interface *in, struct fl_err *err)
{
	const struct fl_vm *vm = call->vm;
	fl_cleanup_vm_names fl_vm_names names = { 0 };
	struct fl_mac mac;

	if (!in->mac || !bridge || fl_inet_parse_mac(in->mac, &mac, NULL) < 0)
		return 0;
	if (has_mac(made, bridge, &mac, in->device_id))
		return mac_is_taken(in->mac, bridge, vm->name_space, vm->name, err);
	if (fl_state_list(vm->state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const struct fl_vm_name *one = &names.items[i];
		fl_cleanup_json fl_json *record =
			strcmp(one->uid, vm->uid) != 0 ? fl_state_look(vm->state, one, NULL) : NULL;

		if (has_mac(fl_json_at(record, "host.network"), bridge, &mac, NULL))
			return mac_is_taken(in->mac, bridge, one->name_space, one->name, err);
	}
	return 0;
}

/* The address that the interface had before, if it can have it again. */
static bool take_recorded(const struct fl_step_call *call, const struct fl_bridge *bridge,
			  const struct table *table, const char *device, struct fl_cidr *address)
{
	const fl_json *was = fl_json_get(fl_json_at(call->record, "host.network"), device);
	const char *text = fl_json_text(fl_json_get(was, "address"));

	if (!text || !fl_str_equal(fl_json_text(fl_json_get(was, "bridge")), bridge->name) ||
	    take_wanted(bridge, table, text, address, NULL) < 0 ||
	    !fl_inet_gives(&bridge->address, address))
		return false;
	address->prefix = bridge->address.prefix;
	return true;
}

/* There may be a route to it that is not ours. */
static void tell_if_outside(const struct fl_bridge *bridge, const struct fl_interface *in,
			    const struct fl_cidr *address)
{
	char net[FL_CIDR_TEXT];

	if (fl_inet_contains(&bridge->address, address))
		return;
	fl_inet_print_cidr(&bridge->address, net);
	fl_log(FL_LOG_WARN, "%s: its address %s lies outside of the net of bridge %s (%s): without a "
	       "route to it the host does not reach the guest", in->device_id, in->address,
	       bridge->name, net);
}

int fl_lease_take(const struct fl_step_call *call, const fl_json *made,
		  const struct fl_bridge *bridge, const struct fl_interface *in,
		  struct fl_cidr *address, struct fl_err *err)
{
	struct table table = { .bridge = bridge->name };
	int rc = collect(&table, call, made, in->device_id, err);

	if (rc == 0 && in->address)
		rc = take_wanted(bridge, &table, in->address, address, err);
	else if (rc == 0 && !take_recorded(call, bridge, &table, in->device_id, address))
		rc = find_free(bridge, &table, address, err);
	finish(&table);
	if (rc == 0 && in->address)
		tell_if_outside(bridge, in, address);
	return rc;
}
