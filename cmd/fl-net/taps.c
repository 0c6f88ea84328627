/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/taps.h"

#include "cmd/fl-net/cni/attach.h"
#include "cmd/fl-net/egress.h"
#include "cmd/fl-net/lease.h"
#include "cmd/fl-net/ports.h"
#include "cmd/fl-net/resolv.h"
#include "cmd/fl-net/sweep.h"
#include "cmd/fl-net/way.h"
#include "common/alloc.h"
#include "common/sha256.h"
#include "common/shell.h"

#include <ctype.h>
#include <string.h>

#define LENGTH 15
#define USUAL_MTU 1500
#define ALIAS "flintlock:"

static const char *const kinds[] = { [FL_INTERFACE_TAP] = "tap", [FL_INTERFACE_MACVTAP] = "macvtap" };
static const char *const prefixes[] = { [FL_INTERFACE_TAP] = "fltap",
					[FL_INTERFACE_MACVTAP] = "flvtap" };
static const char *const modes[] = { "bridge", "private", "vepa", "passthru" };

void fl_taps_derive(const char *uid, const char *device, enum fl_interface_type type,
		    char name[static FL_LINK_NAME], struct fl_mac *mac)
{
	static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
	fl_cleanup_free char *text = fl_asprintf("%s/%s", uid, device);
	unsigned char sum[FL_SHA256_SIZE];
	size_t used = strlen(prefixes[type]);
	char *at = name + used;

	fl_sha256_sum(text, strlen(text), sum);
	strcpy(name, prefixes[type]);
	for (unsigned bit = 0; bit < (LENGTH - used) * 5; bit += 5) {
		unsigned pair = (unsigned)sum[bit / 8] << 8 | sum[bit / 8 + 1];

		*at++ = alphabet[pair >> (11 - bit % 8) & 31];
	}
	*at = 0;
	memcpy(mac->byte, sum + 16, sizeof(mac->byte));
	mac->byte[0] = (uint8_t)((mac->byte[0] & 0xfc) | 2); /* local, unicast */
}

int fl_taps_type(const struct fl_link *link)
{
	for (size_t i = 0; i < FL_COUNT(kinds); i++)
		if (strcmp(link->kind, kinds[i]) == 0 && fl_str_starts(link->name, prefixes[i]))
			return (int)i;
	return -1;
}

const char *fl_taps_owner(const struct fl_link *link, char uid[static FL_ULID_TEXT])
{
	const char *at = link->alias + strlen(ALIAS), *slash = strchr(link->alias, '/');

	if (fl_taps_type(link) < 0 || !fl_str_starts(link->alias, ALIAS) || !slash ||
	    slash - at != FL_ULID_TEXT - 1)
		return NULL;
	snprintf(uid, FL_ULID_TEXT, "%.*s", FL_ULID_TEXT - 1, at);
	return fl_ulid_is_valid(uid) ? slash + 1 : NULL;
}

/* The work on a microVM: what is going to be recorded grows while it goes on. */
struct work {
	struct fl_step_call *call;
	struct fl_links *links;
	fl_json *network, *status, *published, *egress;
	bool publishes; /* plugins of CNI lead the ports to it */
};

/* The work on one interface. */
struct tap {
	struct work *work;
	const struct fl_interface *in;
	char name[FL_LINK_NAME];
	char alias[FL_LINK_ALIAS];
	struct fl_mac mac;
	struct fl_link on;       /* the bridge's link; index 0: none */
	bool is_ours;            /* whether we made the bridge */
	unsigned mtu;            /* 0: as it comes */
	struct fl_bridge bridge; /* then */
};

static void tap_init(struct tap *tap, struct work *work, const struct fl_interface *in)
{
	const char *uid = work->call->vm->uid;

	*tap = (struct tap){ .work = work, .in = in };
	fl_taps_derive(uid, in->device_id, in->type, tap->name, &tap->mac);
	snprintf(tap->alias, sizeof(tap->alias), ALIAS "%s/%s", uid, in->device_id);
	if (in->mac)
		fl_inet_parse_mac(in->mac, &tap->mac, NULL);
}

int fl_taps_check_options(const struct fl_args *args, struct fl_err *err)
{
	const char *mode = fl_args_text(args, "macvtap-mode", modes[0]);

	for (size_t i = 0; i < FL_COUNT(modes); i++)
		if (strcmp(mode, modes[i]) == 0)
			return fl_attach_check_options(args, err);
	return fl_err_set(err, FL_ERR_USAGE, "option --macvtap-mode: \"%s\" is not bridge, private, "
			  "vepa or passthru", mode);
}

/* The link below a macvtap: said now, or by whoever made the record. */
static int find_parent(const struct tap *tap, const char **parent, struct fl_err *err)
{
	const struct fl_step_call *call = tap->work->call;

	*parent = fl_step_asked(call, "parent-iface",
				fl_json_text(fl_json_at(call->record, "host.parent")));
	if (*parent)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "a macvtap needs a link of the host to be on; "
			  "give --parent-iface LINK, or set the interface's type to TAP");
}

/* name: NULL for none. */
static int find_bridge(struct tap *tap, const char *name, struct fl_err *err)
{
	const struct fl_state *state = tap->work->call->vm->state;
	int known, found;

	if (!name)
		return 0;
	known = fl_bridge_load(state, name, &tap->bridge, err);
	found = known < 0 ? -1 : fl_links_get(tap->work->links, name, &tap->on, err);
	if (!found && known) {
		found = fl_bridge_restore(state, tap->work->links, &tap->bridge, err);
		if (found > 0)
			found = fl_links_get(tap->work->links, name, &tap->on, err);
	}
	if (found < 0)
		return -1;
	if (!found)
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: there is no bridge of that name; "
				  "\"fl-net bridge create %s --address CIDR --nat\" makes one, "
				  "with an address such as 10.77.0.1/24", name, name);
	if (strcmp(tap->on.kind, "bridge") != 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s: is not a bridge but %s; name a bridge "
				  "in overrides.bridge_name", name,
				  *tap->on.kind ? tap->on.kind : "a device");
	tap->is_ours = known && fl_bridge_is_ours(&tap->on);
	tap->mtu = tap->on.mtu;
	return tap->is_ours ? fl_bridge_mend(&tap->bridge, err) : 0;
}

/* With no alias and no bridge, a kill came between making and naming: our name says the rest. */
static bool may_adopt(const struct tap *tap, const struct fl_link *link)
{
	return strcmp(link->kind, kinds[tap->in->type]) == 0 &&
	       (strcmp(link->alias, tap->alias) == 0 || (!*link->alias && !link->master));
}

static int make_new(const struct tap *tap, struct fl_err *err)
{
	const char *mode = fl_step_asked(tap->work->call, "macvtap-mode", modes[0]);
	const char *parent;

	if (tap->in->type == FL_INTERFACE_TAP)
		return fl_links_make_tap(tap->name, err);
	if (find_parent(tap, &parent, err) < 0)
		return -1;
	return fl_links_make_macvtap(tap->work->links, tap->name, parent, mode, &tap->mac, err);
}

static int make_link(struct tap *tap, struct fl_link *link, struct fl_err *err)
{
	struct fl_links *links = tap->work->links;
	struct fl_link_change change = { .alias = tap->alias, .master = tap->on.index,
					 .mtu = tap->mtu, .up = true };
	int found = fl_links_get(links, tap->name, link, err);

	if (found < 0)
		return -1;
	if (found && !may_adopt(tap, link))
		return fl_err_set(err, FL_ERR_EXISTS, "%s: a link of that name exists and belongs "
				  "to another (%s, alias \"%s\"); remove it with \"ip link del "
				  "%s\"", tap->name, *link->kind ? link->kind : "a device",
				  link->alias, tap->name);
	if ((!found && make_new(tap, err) < 0) ||
	    fl_links_change(links, tap->name, &change, err) < 0)
		return -1;
	found = fl_links_get(links, tap->name, link, err);
	return found ? found
		     : fl_err_set(err, FL_ERR_ABORTED, "%s: somebody removes it at this moment",
				  tap->name);
}

static void put_text(fl_json *object, const char *key, const char *text)
{
	if (text)
		fl_json_set(object, key, fl_json_new_text(text));
}

/* What the guest is told to use: the spec's word first, then what our bridge offers. */
static void put_offers(const struct tap *tap, const struct fl_cidr *address, fl_json *made)
{
	const struct fl_interface *in = tap->in;
	fl_cleanup_json fl_json *servers = NULL;
	bool reaches = tap->is_ours && fl_inet_contains(&tap->bridge.address, address);
	char own[FL_CIDR_TEXT];

	fl_inet_print_address(&tap->bridge.address, own);
	if (in->gateway || (reaches && fl_way_is_by(tap->work->call, tap->work->network, &tap->bridge)))
		put_text(made, "gateway", in->gateway ? in->gateway : own);
	if (fl_json_count(in->nameservers)) {
		servers = fl_json_copy(in->nameservers);
	} else if (reaches && *tap->bridge.domain) {
		servers = fl_json_new_array();
		fl_json_add(servers, fl_json_new_text(own));
		fl_json_set(made, "search", fl_dns_search(tap->work->call->vm->name_space,
							  tap->bridge.domain));
	} else if (tap->is_ours) {
		servers = fl_resolv_servers(tap->bridge.address.family);
	}
	if (fl_json_count(servers))
		fl_json_set(made, "nameservers", fl_json_ref(servers));
}

static int put_address(const struct tap *tap, fl_json *made, struct fl_err *err)
{
	struct fl_cidr address;
	char text[FL_CIDR_TEXT];

	if (!tap->is_ours && !tap->in->address)
		return 0; /* the guest asks by DHCP */
	if (tap->is_ours ? fl_lease_take(tap->work->call, tap->work->network, &tap->bridge, tap->in,
					 &address, err) < 0
			 : fl_inet_parse_cidr(tap->in->address, &address, err) < 0)
		return -1;
	fl_inet_print_cidr(&address, text);
	put_text(made, "address", tap->in->address ? tap->in->address : text);
	put_offers(tap, &address, made);
	return 0;
}

static void put_names(const struct tap *tap, const char *bridge, fl_json *made)
{
	char mac[FL_MAC_TEXT];

	fl_inet_print_mac(&tap->mac, mac);
	put_text(made, "link", tap->name);
	put_text(made, "mac", mac);
	put_text(made, "bridge", bridge);
	/* What the guest sends must fit all of the way. */
	if (tap->mtu && tap->mtu != USUAL_MTU)
		fl_json_set(made, "mtu", fl_json_new_int(tap->mtu));
}

static void put_status(const struct tap *tap, const struct fl_link *link)
{
	fl_json *status = fl_json_new_object();
	char mac[FL_MAC_TEXT];

	fl_inet_print_mac(&link->mac, mac);
	for (char *c = mac; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	fl_json_set(status, "host_device_name", fl_json_new_text(link->name));
	fl_json_set(status, "index", fl_json_new_int(link->index));
	fl_json_set(status, "mac_address", fl_json_new_text(mac));
	fl_json_set(tap->work->status, tap->in->device_id, status);
}

static int make_tap(struct tap *tap, const char *bridge, fl_json *made, struct fl_err *err)
{
	struct fl_link link;

	/* An address that cannot be had is found out before anything is made. */
	if (tap->in->type == FL_INTERFACE_TAP && find_bridge(tap, bridge, err) < 0)
		return -1;
	put_names(tap, bridge, made);
	if (fl_lease_check_mac(tap->work->call, tap->work->network, bridge, tap->in, err) < 0 ||
	    put_address(tap, made, err) < 0 || make_link(tap, &link, err) < 0)
		return -1;
	put_status(tap, &link);
	return 0;
}

/* On a network of CNI's the plugins have the last word, but for what the guest alone is told. */
static int make_attached(struct tap *tap, const char *bridge, fl_json *made, struct fl_err *err)
{
	const struct fl_interface *in = tap->in;
	struct fl_attach_wish wish = { .call = tap->work->call, .in = in, .mac = tap->mac };
	struct fl_attached attached;
	struct fl_link link;

	if (wish.call->spec.asked.deny_egress)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: egress is denied, and what goes to a "
				  "CNI network is for its plugins to deny", bridge);
	wish.network = fl_spec_cni(bridge);
	wish.wants_ports = wish.call->spec.asked.publish && !fl_ports_have_target(tap->work->network);
	if (fl_attach_up(&wish, made, &attached, err) < 0)
		return -1;
	tap->mac = attached.mac;
	tap->mtu = attached.mtu;
	tap->work->publishes |= attached.publishes;
	put_names(tap, bridge, made);
	put_text(made, "gateway", in->gateway);
	if (fl_json_count(in->nameservers))
		fl_json_set(made, "nameservers", fl_json_copy(in->nameservers));
	if (make_link(tap, &link, err) < 0 || fl_attach_join(&wish, tap->name, &attached, err) < 0)
		return -1;
	put_status(tap, &link);
	return 0;
}

static int make_interface(struct work *work, const struct fl_interface *in, struct fl_err *err)
{
	fl_cleanup_json fl_json *made = fl_json_new_object();
	const char *bridge = fl_bridge_of(work->call->record, in);
	struct tap tap;

	tap_init(&tap, work, in);
	if (fl_spec_cni(bridge) ? make_attached(&tap, bridge, made, err) < 0
				: make_tap(&tap, bridge, made, err) < 0)
		return -1;
	fl_json_set(work->network, in->device_id, fl_json_ref(made));
	return 0;
}

static int put_work(void *arg, fl_json *record, struct fl_err *err)
{
	static const char *const lasting[] = { "parent-iface", "macvtap-mode", NULL };
	const struct work *work = arg;
	bool any = fl_json_count(work->network);

	(void)err;
	fl_step_keep_asked(work->call->args, lasting, record);
	fl_json_put(record, "host.published", work->published ? fl_json_ref(work->published) : NULL);
	fl_json_put(record, "host.egress", work->egress ? fl_json_ref(work->egress) : NULL);
	fl_json_put(record, "host.network", any ? fl_json_ref(work->network) : NULL);
	fl_json_put(record, "status.network_interfaces", any ? fl_json_ref(work->status) : NULL);
	return 0;
}

static int lead_ports(struct work *work, struct fl_err *err)
{
	if (!work->publishes)
		return fl_ports_up(work->call, work->network, &work->published, err);
	work->published = fl_json_new_text(work->call->spec.asked.publish);
	/* With another spec they may have been ours to lead there. */
	return fl_ports_down(work->call, err);
}

static int do_up(struct work *work, struct fl_err *err)
{
	const struct fl_spec *spec = &work->call->spec;

	if (fl_attach_down(work->call->vm->state, work->call->vm->uid, spec, NULL, err) < 0 ||
	    fl_sweep_links(work->call, work->links, false, err) < 0)
		return -1;
	for (size_t i = 0; i < spec->interface_count; i++) {
		if (fl_cancel_check(work->call->cancel, err) < 0)
			return -1;
		if (make_interface(work, &spec->interfaces[i], err) < 0)
			return fl_err_prefix(err, "interface %s", spec->interfaces[i].device_id);
	}
	if (fl_egress_up(work->call, work->network, &work->egress, err) < 0 ||
	    lead_ports(work, err) < 0)
		return -1;
	return fl_vm_change(work->call->vm, FL_SAVE_PLAIN, put_work, work, err);
}

/* What microVMs must not have twice is chosen and recorded in one step under the lock. */
static bool is_shared(const struct fl_step_call *call, bool *waits)
{
	bool has_bridge = false;

	*waits = false;
	for (size_t i = 0; i < call->spec.interface_count; i++) {
		const char *bridge = fl_bridge_of(call->record, &call->spec.interfaces[i]);

		has_bridge |= bridge && !fl_spec_cni(bridge);
		*waits |= fl_spec_cni(bridge) != NULL;
	}
	*waits &= !has_bridge;
	return has_bridge || call->spec.asked.publish;
}

/* Nobody has to wait for plugins of CNI: the ports are recorded first, and the lock is given
 * back. */
static int reserve(struct fl_step_call *call, int *lock, struct fl_err *err)
{
	if (fl_ports_check(call, err) < 0 ||
	    fl_vm_put(call->vm, "host.published", fl_json_new_text(call->spec.asked.publish), err) < 0)
		return -1;
	close(fl_steal_fd(lock));
	return 0;
}

int fl_taps_up(struct fl_step_call *call, struct fl_err *err)
{
	bool waits, shared = is_shared(call, &waits);
	fl_cleanup_close int lock = shared ? fl_bridge_lock(call->vm->state, err) : -1;
	struct work work = { .call = call };
	int rc;

	if (shared && (lock < 0 || (waits && reserve(call, &lock, err) < 0)))
		return -1;
	work.links = fl_links_open(err);
	if (!work.links)
		return -1;
	work.network = fl_json_new_object();
	work.status = fl_json_new_object();
	rc = do_up(&work, err);
	fl_json_unref(work.network);
	fl_json_unref(work.status);
	fl_json_unref(work.published);
	fl_json_unref(work.egress);
	fl_links_close(work.links);
	return rc;
}

int fl_taps_down(struct fl_step_call *call, struct fl_err *err)
{
	struct fl_links *links = fl_links_open(err);
	struct work nothing = { .call = call };
	int rc = links ? fl_attach_down(call->vm->state, call->vm->uid, NULL, NULL, err) : -1;

	if (rc == 0)
		rc = fl_sweep_links(call, links, true, err);
	fl_links_close(links);
	if (rc == 0)
		rc = fl_ports_down(call, err);
	if (rc == 0)
		rc = fl_egress_down(call, err);
	return rc < 0 ? -1 : fl_vm_change(call->vm, FL_SAVE_PLAIN, put_work, &nothing, err);
}

static int plan_new(const struct tap *tap, struct fl_str *out, struct fl_err *err)
{
	const char *mode = fl_step_asked(tap->work->call, "macvtap-mode", modes[0]);
	const char *parent;
	char mac[FL_MAC_TEXT];

	if (tap->in->type == FL_INTERFACE_TAP) {
		fl_str_addf(out, "ip tuntap add %s mode tap vnet_hdr\n", tap->name);
		return 0;
	}
	if (find_parent(tap, &parent, err) < 0)
		return -1;
	fl_inet_print_mac(&tap->mac, mac);
	fl_str_add(out, "ip link add link ");
	fl_shell_word(out, parent);
	fl_str_addf(out, " name %s address %s type macvtap mode %s\n", tap->name, mac, mode);
	return 0;
}

int fl_taps_plan(struct fl_step_call *call, struct fl_str *out, struct fl_err *err)
{
	struct work work = { .call = call };

	for (size_t i = 0; i < call->spec.interface_count; i++) {
		const struct fl_interface *in = &call->spec.interfaces[i];
		const char *bridge = fl_bridge_of(call->record, in);
		struct tap tap;

		tap_init(&tap, &work, in);
		if (plan_new(&tap, out, err) < 0)
			return fl_err_prefix(err, "interface %s", in->device_id);
		fl_str_addf(out, "ip link set %s alias %s", tap.name, tap.alias);
		if (bridge && !fl_spec_cni(bridge)) {
			fl_str_add(out, " master ");
			fl_shell_word(out, bridge);
		}
		fl_str_add(out, " up\n");
		if (fl_spec_cni(bridge))
			fl_str_addf(out, "# CNI: ADD to the network %s, in a network namespace of its "
				    "own, and tc-mirred(8) between the two\n", fl_spec_cni(bridge));
	}
	if (call->spec.asked.publish)
		fl_str_addf(out, "# ports of the host that lead to it: %s\n", call->spec.asked.publish);
	if (call->spec.asked.deny_egress)
		fl_str_addf(out, "# all that it may reach: %s\n",
			    call->spec.asked.allow ? call->spec.asked.allow : "nothing");
	return 0;
}
