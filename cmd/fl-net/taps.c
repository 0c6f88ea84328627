/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/taps.h"

#include "cmd/fl-net/lease.h"
#include "common/alloc.h"
#include "common/sha256.h"

#include <ctype.h>
#include <string.h>

#define PREFIX "fltap"
#define DIGITS 10

void fl_taps_derive(const char *uid, const char *device, char name[static FL_LINK_NAME],
		    struct fl_mac *mac)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	fl_cleanup_free char *text = fl_asprintf("%s/%s", uid, device);
	unsigned char sum[FL_SHA256_SIZE];
	char *at = name + strlen(PREFIX);

	fl_sha256_sum(text, strlen(text), sum);
	strcpy(name, PREFIX);
	for (unsigned bit = 0; bit < DIGITS * 5; bit += 5) {
		unsigned pair = (unsigned)sum[bit / 8] << 8 | sum[bit / 8 + 1];

		*at++ = alphabet[pair >> (11 - bit % 8) & 31];
	}
	*at = 0;
	memcpy(mac->byte, sum + 16, sizeof(mac->byte));
	mac->byte[0] = (uint8_t)((mac->byte[0] & 0xfc) | 2); /* local, unicast */
}

/* The work on one interface. */
struct tap {
	struct fl_step_call *call;
	struct fl_links *links;
	const struct fl_interface *in;
	char name[FL_LINK_NAME];
	char alias[FL_LINK_ALIAS];
	struct fl_mac mac;
	struct fl_link bridge; /* index 0: none */
};

static void alias_of(const char *uid, const char *device, char *alias)
{
	snprintf(alias, FL_LINK_ALIAS, "flintlock:%s/%s", uid, device);
}

static void tap_init(struct tap *tap, struct fl_step_call *call, struct fl_links *links,
		     const struct fl_interface *in)
{
	*tap = (struct tap){ .call = call, .links = links, .in = in };
	fl_taps_derive(call->vm->uid, in->device_id, tap->name, &tap->mac);
	alias_of(call->vm->uid, in->device_id, tap->alias);
	if (in->mac)
		fl_inet_parse_mac(in->mac, &tap->mac, NULL);
}

/* Our name with our alias is ours; with none, a kill came between making and naming. */
static bool is_ours(const struct fl_link *link, const char *alias)
{
	return strcmp(link->kind, "tun") == 0 &&
	       (strcmp(link->alias, alias) == 0 || !*link->alias);
}

static int find_bridge(struct tap *tap, struct fl_err *err)
{
	const char *name = tap->in->bridge;
	int found;

	if (!name)
		return 0;
	found = fl_links_get(tap->links, name, &tap->bridge, err);
	if (found < 0)
		return -1;
	if (!found)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no bridge of that name; "
				  "\"fl-net bridge create %s --address 10.77.0.1/24 --nat\" makes one",
				  name, name);
	if (strcmp(tap->bridge.kind, "bridge") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s: is not a bridge", name);
	return 0;
}

static int make_link(struct tap *tap, struct fl_err *err)
{
	struct fl_link link;
	struct fl_link_change change = { .alias = tap->alias, .master = tap->bridge.index,
					 .mtu = tap->bridge.mtu, .up = true };
	int found = fl_links_get(tap->links, tap->name, &link, err);

	if (found < 0)
		return -1;
	if (found && !is_ours(&link, tap->alias))
		return fl_err_set(err, FL_ERR_EXISTS, "%s: the link exists and belongs to another "
				  "(%s); remove it, or make the microVM anew", tap->name,
				  *link.alias ? link.alias : link.kind);
	if (!found && fl_links_make_tap(tap->name, err) < 0)
		return -1;
	return fl_links_change(tap->links, tap->name, &change, err);
}

static void put_address(fl_json *made, const struct fl_cidr *address, const char *gateway,
			const struct fl_bridge *bridge)
{
	char text[FL_CIDR_TEXT];

	fl_inet_print_cidr(address, text);
	fl_json_set(made, "address", fl_json_new_text(text));
	if (!gateway && bridge && fl_inet_contains(&bridge->address, address)) {
		fl_inet_print_address(&bridge->address, text);
		gateway = text;
	}
	if (gateway)
		fl_json_set(made, "gateway", fl_json_new_text(gateway));
}

static const char *recorded(const struct tap *tap)
{
	fl_cleanup_free char *path = fl_asprintf("host.network.%s", tap->in->device_id);
	const fl_json *was = fl_json_at(tap->call->record, path);

	if (!fl_str_equal(fl_json_text(fl_json_get(was, "bridge")), tap->in->bridge))
		return NULL;
	return fl_json_text(fl_json_get(was, "address"));
}

static int choose_address(struct tap *tap, const struct fl_bridge *bridge, fl_json *made,
			  struct fl_err *err)
{
	const char *wanted = tap->in->address ? tap->in->address : recorded(tap);
	struct fl_cidr address;

	/* A recorded one of another net is of no use any more. */
	if (!tap->in->address && wanted &&
	    (fl_inet_parse_cidr(wanted, &address, NULL) < 0 ||
	     !fl_inet_contains(&bridge->address, &address)))
		wanted = NULL;
	if (fl_lease_take(tap->call->vm, bridge, tap->in->device_id, wanted, &address, err) < 0)
		return -1;
	put_address(made, &address, tap->in->gateway, bridge);
	return 0;
}

struct result {
	const char *device;
	fl_json *made;
	const struct fl_link *link;
};

static int put_result(void *arg, fl_json *record, struct fl_err *err)
{
	const struct result *result = arg;
	fl_cleanup_free char *host = fl_asprintf("host.network.%s", result->device);
	fl_cleanup_free char *status =
		fl_asprintf("status.network_interfaces.%s", result->device);
	fl_json *one = fl_json_new_object();
	char mac[FL_MAC_TEXT];

	(void)err;
	fl_inet_print_mac(&result->link->mac, mac);
	for (char *c = mac; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	fl_json_set(one, "host_device_name", fl_json_new_text(result->link->name));
	fl_json_set(one, "index", fl_json_new_int(result->link->index));
	fl_json_set(one, "mac_address", fl_json_new_text(mac));
	fl_json_put(record, host, fl_json_ref(result->made));
	fl_json_put(record, status, one);
	return 0;
}

static int record_result(struct tap *tap, fl_json *made, struct fl_err *err)
{
	struct fl_link link;
	struct result result = { tap->in->device_id, made, &link };

	if (fl_links_get(tap->links, tap->name, &link, err) < 0)
		return -1;
	return fl_vm_change(tap->call->vm, FL_SAVE_PLAIN, put_result, &result, err);
}

/* Choosing an address and recording it are one step under the bridge's lock. */
static int address_and_record(struct tap *tap, fl_json *made, struct fl_err *err)
{
	const struct fl_state *state = tap->call->vm->state;
	fl_cleanup_close int lock = -1;
	struct fl_bridge bridge;
	struct fl_cidr address;
	int ours = tap->in->bridge ? fl_bridge_load(state, tap->in->bridge, &bridge, err) : 0;

	if (ours < 0)
		return -1;
	if (ours) {
		lock = fl_bridge_lock(state, tap->in->bridge, err);
		if (lock < 0 || choose_address(tap, &bridge, made, err) < 0)
			return -1;
	} else if (tap->in->address) {
		fl_inet_parse_cidr(tap->in->address, &address, NULL);
		put_address(made, &address, tap->in->gateway, NULL);
	}
	return record_result(tap, made, err);
}

static int make_tap(struct tap *tap, struct fl_err *err)
{
	fl_cleanup_json fl_json *made = fl_json_new_object();
	char mac[FL_MAC_TEXT];

	if (tap->in->type != FL_INTERFACE_TAP)
		return fl_err_set(err, FL_ERR_UNSUPPORTED, "macvtap is not supported yet; set the "
				  "type to TAP");
	if (find_bridge(tap, err) < 0 || make_link(tap, err) < 0)
		return -1;
	fl_inet_print_mac(&tap->mac, mac);
	fl_json_set(made, "link", fl_json_new_text(tap->name));
	fl_json_set(made, "mac", fl_json_new_text(mac));
	if (tap->in->bridge)
		fl_json_set(made, "bridge", fl_json_new_text(tap->in->bridge));
	return address_and_record(tap, made, err);
}

static int remove_link(struct fl_links *links, const char *uid, const char *device,
		       struct fl_err *err)
{
	char name[FL_LINK_NAME], alias[FL_LINK_ALIAS];
	struct fl_link link;
	struct fl_mac mac;
	int found;

	fl_taps_derive(uid, device, name, &mac);
	alias_of(uid, device, alias);
	found = fl_links_get(links, name, &link, err);
	if (found != 1)
		return found;
	return is_ours(&link, alias) ? fl_links_remove(links, name, err) : 0;
}

static bool is_wanted(const struct fl_spec *spec, const char *device)
{
	for (size_t i = 0; i < spec->interface_count; i++)
		if (strcmp(spec->interfaces[i].device_id, device) == 0)
			return true;
	return false;
}

static int forget(void *arg, fl_json *record, struct fl_err *err)
{
	fl_cleanup_free char *host = fl_asprintf("host.network.%s", (const char *)arg);
	fl_cleanup_free char *status =
		fl_asprintf("status.network_interfaces.%s", (const char *)arg);

	(void)err;
	fl_json_put(record, host, NULL);
	fl_json_put(record, status, NULL);
	return 0;
}

/* Recorded links; all of them, or those that the spec does not want any more. */
static int remove_recorded(struct fl_step_call *call, struct fl_links *links, bool all,
			   struct fl_err *err)
{
	const fl_json *network = fl_json_at(call->record, "host.network");

	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const char *device = fl_json_key(i);

		if (!all && is_wanted(&call->spec, device))
			continue;
		if (remove_link(links, call->vm->uid, device, err) < 0 ||
		    fl_vm_change(call->vm, FL_SAVE_PLAIN, forget, (void *)device, err) < 0)
			return -1;
	}
	return 0;
}

int fl_taps_up(struct fl_step_call *call, struct fl_err *err)
{
	struct fl_links *links = NULL;
	int rc = 0;

	if (!call->spec.interface_count && !fl_json_at(call->record, "host.network"))
		return 0;
	links = fl_links_open(err);
	rc = links ? remove_recorded(call, links, false, err) : -1;
	for (size_t i = 0; rc == 0 && i < call->spec.interface_count; i++) {
		struct tap tap;

		tap_init(&tap, call, links, &call->spec.interfaces[i]);
		rc = make_tap(&tap, err);
		if (rc < 0)
			fl_err_prefix(err, "interface %s", tap.in->device_id);
	}
	fl_links_close(links);
	return rc;
}

int fl_taps_down(struct fl_step_call *call, struct fl_err *err)
{
	struct fl_links *links;
	int rc = 0;

	if (!call->spec.interface_count && !fl_json_at(call->record, "host.network"))
		return 0;
	links = fl_links_open(err);
	rc = links ? remove_recorded(call, links, true, err) : -1;
	for (size_t i = 0; rc == 0 && i < call->spec.interface_count; i++)
		rc = remove_link(links, call->vm->uid, call->spec.interfaces[i].device_id, err);
	fl_links_close(links);
	return rc;
}

int fl_taps_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	(void)err;
	for (size_t i = 0; i < call->spec.interface_count; i++) {
		struct tap tap;

		tap_init(&tap, call, NULL, &call->spec.interfaces[i]);
		fl_str_addf(out, "ip tuntap add %s mode tap vnet_hdr\n", tap.name);
		fl_str_addf(out, "ip link set %s alias %s", tap.name, tap.alias);
		if (tap.in->bridge)
			fl_str_addf(out, " master %s", tap.in->bridge);
		fl_str_add(out, " up\n");
	}
	return 0;
}
