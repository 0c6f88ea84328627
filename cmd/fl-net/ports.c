/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/ports.h"

#include "cmd/fl-net/bridge.h"
#include "cmd/fl-net/nat.h"
#include "common/alloc.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

typedef FL_VEC(struct fl_publish) ports;

static const char *published_of(const fl_json *record)
{
	return fl_json_text(fl_json_at(record, "host.published"));
}

static void parse(const char *text, ports *list)
{
	struct fl_publish one;

	while (text && fl_publish_next(&text, &one, NULL) > 0)
		FL_VEC_ADD(list, one);
}

static bool is_ip4(const fl_json *text, struct fl_cidr *address)
{
	return fl_json_text(text) && fl_inet_parse_cidr(fl_json_text(text), address, NULL) == 0 &&
	       address->family == AF_INET;
}

/* Plugins of CNI may give several, in any order. */
static bool has_ip4(const fl_json *made, struct fl_cidr *address)
{
	const fl_json *more = fl_json_get(made, "addresses");
	bool found = is_ip4(fl_json_get(made, "address"), address);

	for (size_t i = 0; !found && i < fl_json_count(more); i++)
		found = is_ip4(fl_json_item(more, i), address);
	return found;
}

/* The first with an address of IPv4; by_gateway: of those with a gateway. */
static bool find_among(const fl_json *network, bool by_gateway, struct fl_nat_guest *guest,
		       const char **bridge)
{
	for (void *i = fl_json_first(network); i; i = fl_json_next(network, i)) {
		const fl_json *made = fl_json_value(i);
		struct fl_cidr gateway;

		*bridge = fl_json_text(fl_json_get(made, "bridge"));
		if (*bridge && has_ip4(made, &guest->address) &&
		    (!by_gateway || is_ip4(fl_json_get(made, "gateway"), &gateway)))
			return true;
	}
	return false;
}

/* By another than its way out a guest's answers would not come back. */
static bool find_address(const fl_json *network, struct fl_nat_guest *guest, const char **bridge)
{
	return find_among(network, true, guest, bridge) || find_among(network, false, guest, bridge);
}

/* Who is on its way out gives its ports back in a moment. */
static int taken(const struct fl_vm_name *name, const fl_json *record, const struct fl_publish *one,
		 struct fl_err *err)
{
	bool leaves = fl_record_is_leaving(record);

	return fl_err_set(err, leaves ? FL_ERR_BUSY : FL_ERR_EXISTS,
			  "port %u/%s of the host is published by %s/%s%s", one->port,
			  fl_publish_protocol(one), name->name_space, name->name,
			  leaves ? ", which is being deleted; try again" : "; choose another");
}

static int check_others(const ports *wanted, const struct fl_vm_name *name, const fl_json *record,
			struct fl_err *err)
{
	const char *theirs = published_of(record);
	struct fl_publish one;

	while (theirs && fl_publish_next(&theirs, &one, NULL) > 0)
		for (size_t i = 0; i < wanted->count; i++)
			if (fl_publish_overlap(&one, &wanted->items[i]))
				return taken(name, record, &one, err);
	return 0;
}

/* The records are the table of who has which. */
static int check_records(const struct fl_step_call *call, const ports *wanted, struct fl_err *err)
{
	fl_cleanup_vm_names fl_vm_names names = { 0 };

	if (fl_state_list(call->vm->state, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.count; i++) {
		const struct fl_vm_name *name = &names.items[i];
		fl_cleanup_json fl_json *record = NULL;

		if (strcmp(name->uid, call->vm->uid) == 0)
			continue;
		record = fl_state_load(call->vm->state, name, NULL);
		if (check_others(wanted, name, record, err) < 0)
			return -1;
	}
	return 0;
}

/* The rules would take a port away from a program of the host that listens on it. */
static int check_host(const struct fl_publish *one, struct fl_err *err)
{
	fl_cleanup_close int fd =
		socket(AF_INET, (one->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(one->port) };

	if (*one->address)
		inet_pton(AF_INET, one->address, &at.sin_addr);
	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)) == 0 &&
	    bind(fd, (struct sockaddr *)&at, sizeof(at)) == 0 &&
	    (one->udp || listen(fd, 1) == 0))
		return 0;
	if (errno == EADDRINUSE)
		return fl_err_set(err, FL_ERR_BUSY, "port %u/%s: a program of the host listens there; "
				  "choose another", one->port, fl_publish_protocol(one));
	return fl_err_errno(err, errno, "%s:%u/%s: cannot be published",
			    *one->address ? one->address : "0.0.0.0", one->port,
			    fl_publish_protocol(one));
}

static int check_free(const struct fl_step_call *call, const ports *wanted, struct fl_err *err)
{
	if (check_records(call, wanted, err) < 0)
		return -1;
	for (size_t i = 0; i < wanted->count; i++)
		if (check_host(&wanted->items[i], err) < 0)
			return -1;
	return 0;
}

int fl_ports_check(const struct fl_step_call *call, struct fl_err *err)
{
	const char *text = call->spec.asked.publish;
	ports wanted = { 0 };
	int rc;

	/* What it has already, it may keep: its guest may listen under the host's own address. */
	if (fl_str_equal(published_of(call->record), text))
		return 0;
	parse(text, &wanted);
	rc = check_free(call, &wanted, err);
	free(wanted.items);
	return rc;
}

static int check(const struct fl_step_call *call, struct fl_err *err)
{
	int forwards = fl_nat_forwarding(AF_INET, false, false, err);

	if (forwards < 0)
		return -1;
	if (!forwards)
		return fl_err_set(err, FL_ERR_PRECONDITION, "the host forwards nothing, so that no port "
				  "can be published; make the bridge with --nat, or set "
				  "net.ipv4.ip_forward");
	return fl_ports_check(call, err);
}

bool fl_ports_have_target(const fl_json *network)
{
	struct fl_nat_guest guest;
	const char *bridge;

	return find_address(network, &guest, &bridge);
}

static int publish(const struct fl_step_call *call, const fl_json *network, const ports *wanted,
		   struct fl_err *err)
{
	struct fl_nat_guest guest = { .uid = call->vm->uid };
	struct fl_bridge known;
	const char *bridge;
	int ours;

	if (!find_address(network, &guest, &bridge))
		return fl_err_set(err, FL_ERR_PRECONDITION, "no interface has an IPv4 address that ports "
				  "could lead to; give it one, or a bridge of fl-net's");
	ours = fl_bridge_load(call->vm->state, bridge, &known, err);
	if (ours < 0)
		return -1;
	if (ours)
		guest.bridge = bridge;
	return fl_nat_publish(&guest, wanted->items, wanted->count, err);
}

int fl_ports_down(const struct fl_step_call *call, struct fl_err *err)
{
	if (!call->spec.asked.publish && !published_of(call->record))
		return 0;
	return fl_nat_unpublish(call->vm->uid, err);
}

int fl_ports_up(const struct fl_step_call *call, const fl_json *network, fl_json **published,
		struct fl_err *err)
{
	const char *text = call->spec.asked.publish;
	ports wanted = { 0 };
	int rc;

	*published = NULL;
	if (!text)
		return fl_ports_down(call, err);
	parse(text, &wanted);
	rc = check(call, err);
	if (rc == 0)
		rc = publish(call, network, &wanted, err);
	if (rc == 0)
		*published = fl_json_new_text(text);
	free(wanted.items);
	return rc;
}
