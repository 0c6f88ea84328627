/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/lease.h"

#include "common/alloc.h"

#include <string.h>

#define MOST_TRIED 65536

struct taken {
	FL_VEC(struct fl_cidr) addresses;
	FL_VEC(char *) owners; /* "namespace/name" */
};

static void add_taken(struct taken *taken, const struct fl_vm_name *name, const char *text)
{
	struct fl_cidr address;

	if (!text || fl_inet_parse_cidr(text, &address, NULL) < 0)
		return;
	FL_VEC_ADD(&taken->addresses, address);
	FL_VEC_ADD(&taken->owners, fl_asprintf("%s/%s", name->name_space, name->name));
}

/* Addresses recorded for other interfaces on that bridge. */
static void take_record(struct taken *taken, const struct fl_vm_name *name,
			const fl_json *record, const char *bridge, const char *except)
{
	const fl_json *network = fl_json_at(record, "host.network");

	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const fl_json *one = fl_json_value(i);

		if (fl_str_equal(fl_json_text(fl_json_get(one, "bridge")), bridge) &&
		    !(except && strcmp(except, fl_json_key(i)) == 0))
			add_taken(taken, name, fl_json_text(fl_json_get(one, "address")));
	}
}

static int collect(const struct fl_vm *vm, const char *bridge, const char *device,
		   struct taken *taken, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_state_list(vm->state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const struct fl_vm_name *name = &names.items[i];
		fl_cleanup_vm struct fl_vm other = FL_VM_INIT;
		fl_cleanup_json fl_json *record = NULL;
		bool self = strcmp(name->uid, vm->uid) == 0;

		if (fl_vm_open(vm->state, name->name_space, name->name, name->uid, &other, NULL) == 0)
			record = fl_vm_load(&other, NULL);
		take_record(taken, name, record, bridge, self ? device : NULL);
	}
	return 0;
}

static const char *owner_of(const struct taken *taken, const struct fl_cidr *address)
{
	for (size_t i = 0; i < taken->addresses.count; i++)
		if (fl_inet_equal(&taken->addresses.items[i], address))
			return taken->owners.items[i];
	return NULL;
}

static bool is_last(const struct fl_cidr *net, uint32_t nth)
{
	struct fl_cidr next;

	/* The broadcast address is the net's last. */
	return !fl_inet_nth(net, nth + 1, &next);
}

static int find_free(const struct fl_bridge *bridge, const struct taken *taken,
		     struct fl_cidr *address, struct fl_err *err)
{
	for (uint32_t nth = 1; nth < MOST_TRIED && fl_inet_nth(&bridge->address, nth, address); nth++)
		if (!is_last(&bridge->address, nth) &&
		    !fl_inet_equal(address, &bridge->address) && !owner_of(taken, address))
			return 0;
	return fl_err_set(err, FL_ERR_EXHAUSTED, "%s: no address is free; take microVMs down, or make "
			  "a bridge with a larger net", bridge->name);
}

static int check_wanted(const struct fl_bridge *bridge, const struct taken *taken,
			const char *wanted, struct fl_cidr *address, struct fl_err *err)
{
	const char *owner;

	if (fl_inet_parse_cidr(wanted, address, err) < 0)
		return -1;
	owner = fl_inet_equal(address, &bridge->address) ? "the bridge itself"
							 : owner_of(taken, address);
	if (owner)
		return fl_err_set(err, FL_ERR_EXISTS, "address %s on %s: %s has it", wanted,
				  bridge->name, owner);
	return 0;
}

int fl_lease_take(const struct fl_vm *vm, const struct fl_bridge *bridge, const char *device,
		  const char *wanted, struct fl_cidr *address, struct fl_err *err)
{
	struct taken taken = { 0 };
	int rc = collect(vm, bridge->name, device, &taken, err);

	if (rc == 0)
		rc = wanted ? check_wanted(bridge, &taken, wanted, address, err)
			    : find_free(bridge, &taken, address, err);
	for (size_t i = 0; i < taken.owners.count; i++)
		free(taken.owners.items[i]);
	free(taken.owners.items);
	free(taken.addresses.items);
	return rc;
}
