/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/bridge.h"

#include "cmd/fl-net/dns/place.h"
#include "cmd/fl-net/known.h"
#include "cmd/fl-net/nat.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/sha256.h"

#include <ifaddrs.h>
#include <string.h>
#include <sys/socket.h>

#define ALIAS "flintlock:bridge"

/* A bridge's MAC follows its first port unless it was given one; guests would lose their
 * gateway each time it changed. */
static struct fl_mac mac_of(const char *name)
{
	fl_cleanup_free char *text = fl_asprintf(ALIAS "/%s", name);
	unsigned char sum[FL_SHA256_SIZE];
	struct fl_mac mac;

	fl_sha256_sum(text, strlen(text), sum);
	memcpy(mac.byte, sum, sizeof(mac.byte));
	mac.byte[0] = (uint8_t)((mac.byte[0] & 0xfc) | 2); /* local, unicast */
	return mac;
}

const char *fl_bridge_of(const fl_json *record, const struct fl_interface *in)
{
	if (in->bridge || in->is_metadata || in->type != FL_INTERFACE_TAP)
		return in->bridge;
	return fl_json_text(fl_json_at(record, "host.bridge"));
}

bool fl_bridge_is_ours(const struct fl_link *link)
{
	struct fl_mac mac = mac_of(link->name);

	if (strcmp(link->kind, "bridge") != 0)
		return false;
	/* A kill between making and naming leaves no alias, but nobody else has that MAC. */
	return strcmp(link->alias, ALIAS) == 0 ||
	       (!*link->alias && memcmp(link->mac.byte, mac.byte, sizeof(mac.byte)) == 0);
}

static int check_known(const struct fl_bridge *known, const struct fl_bridge *wanted,
		       struct fl_err *err)
{
	char text[FL_CIDR_TEXT];

	if (fl_inet_equal(&known->address, &wanted->address) && known->nat == wanted->nat &&
	    known->address.prefix == wanted->address.prefix)
		return 0;
	fl_inet_print_cidr(&known->address, text);
	return fl_err_set(err, FL_ERR_EXISTS, "%s: exists with --address %s%s; remove it first "
			  "(fl-net bridge rm %s)", known->name, text, known->nat ? " --nat" : "",
			  known->name);
}

static int overlaps(const char *what, const char *name, const struct fl_cidr *address,
		    const struct fl_bridge *wanted, struct fl_err *err)
{
	char text[FL_CIDR_TEXT];

	fl_inet_print_cidr(address, text);
	return fl_err_set(err, FL_ERR_EXISTS, "%s: its net overlaps with that of %s %s (%s); "
			  "choose another net", wanted->name, what, name, text);
}

static int check_overlap(void *arg, const struct fl_bridge *other, struct fl_err *err)
{
	const struct fl_bridge *wanted = arg;

	if (strcmp(other->name, wanted->name) == 0 || !fl_known_is_here(other) ||
	    !fl_inet_overlap(&other->address, &wanted->address))
		return 0;
	return overlaps("bridge", other->name, &other->address, wanted, err);
}

/* Bridges that were made with another state folder are known by their links alone; and what the
 * host reaches by a link of its own, its gateway may be among it, it would look for on the bridge. */
static int check_links(struct fl_links *links, const struct fl_bridge *wanted, struct fl_err *err)
{
	fl_cleanup_links struct ifaddrs *list = NULL;
	struct fl_cidr address;
	struct fl_link link;

	if (getifaddrs(&list) < 0)
		return fl_err_errno(err, errno, "the host's addresses cannot be listed");
	for (const struct ifaddrs *one = list; one; one = one->ifa_next) {
		bool ours;

		if (strcmp(one->ifa_name, wanted->name) == 0 ||
		    !fl_inet_of_link(one->ifa_addr, one->ifa_netmask, &address) ||
		    !fl_inet_overlap(&address, &wanted->address))
			continue;
		ours = fl_links_get(links, one->ifa_name, &link, NULL) == 1 && fl_bridge_is_ours(&link);
		return overlaps(ours ? "bridge" : "the host's link", one->ifa_name, &address, wanted, err);
	}
	return 0;
}

/* The link's 1 found and ours, 0 missing, -1. */
static int find_link(struct fl_links *links, const char *name, struct fl_link *link,
		     struct fl_err *err)
{
	int found = fl_links_get(links, name, link, err);

	if (found != 1 || fl_bridge_is_ours(link))
		return found;
	return fl_err_set(err, FL_ERR_EXISTS, "%s: a link of that name (%s) exists and is not "
			  "ours; choose another name", name, *link->kind ? link->kind : "a device");
}

static int open_ways(const struct fl_bridge *bridge, struct fl_err *err)
{
	if (fl_nat_forwarding(bridge->address.family, true, true, err) < 0)
		return -1;
	return fl_nat_add(bridge->name, &bridge->address, err);
}

static int make(struct fl_links *links, const struct fl_bridge *bridge, struct fl_err *err)
{
	struct fl_link_change change = { .alias = ALIAS, .master = -1, .up = true };
	struct fl_mac mac = mac_of(bridge->name);
	struct fl_link link;
	int found = find_link(links, bridge->name, &link, err);

	if (found < 0 || (!found && fl_links_make_bridge(links, bridge->name, &mac, err) < 0) ||
	    fl_links_change(links, bridge->name, &change, err) < 0 ||
	    fl_links_add_address(links, bridge->name, &bridge->address, err) < 0)
		return -1;
	return bridge->nat ? open_ways(bridge, err) : 0;
}

int fl_bridge_mend(const struct fl_bridge *known, struct fl_err *err)
{
	int is_there;

	if (!fl_known_is_here(known))
		return 0;
	if (fl_nat_mend_guard(known->name, err) < 0)
		return -1;
	is_there = known->nat ? fl_nat_is_there(known->name, known->address.family, err) : 1;
	if (is_there != 0)
		return is_there < 0 ? -1 : 0;
	fl_log(FL_LOG_INFO, "%s: the rules of the bridge, or the host's forwarding, are missing and made again", known->name);
	return open_ways(known, err);
}

/* The other bridge here that wants forwarding too. */
struct partner {
	const struct fl_bridge *of;
	bool found, forward_before;
};

static int look_at_partner(void *arg, const struct fl_bridge *other, struct fl_err *err)
{
	struct partner *partner = arg;

	(void)err;
	if (strcmp(other->name, partner->of->name) == 0 || !other->nat ||
	    other->address.family != partner->of->address.family || !fl_known_is_here(other))
		return 0;
	partner->found = true;
	partner->forward_before = other->forward_before;
	return 0;
}

/* What forwarding was before we came: the first bridge saw it, the others take its word. */
static int note_forwarding(const struct fl_state *state, struct fl_bridge *bridge,
			   struct fl_err *err)
{
	struct partner partner = { .of = bridge };
	int now;

	if (!bridge->nat)
		return 0;
	if (fl_known_each(state, look_at_partner, &partner, err) < 0)
		return -1;
	now = partner.found ? partner.forward_before
			    : fl_nat_forwarding(bridge->address.family, false, false, err);
	bridge->forward_before = now == 1;
	return now < 0 ? -1 : 0;
}

/* The link knows nothing of it. */
static int keep_domain(const struct fl_state *state, const struct fl_bridge *known,
		       const char *domain, struct fl_err *err)
{
	struct fl_bridge changed = *known;

	if (strcmp(known->domain, domain) == 0)
		return 0;
	snprintf(changed.domain, sizeof(changed.domain), "%s", domain);
	return fl_known_save(state, &changed, err);
}

/* Under the lock; known is what stands on disk, or NULL. */
static int create(const struct fl_state *state, struct fl_links *links, struct fl_bridge *bridge,
		  const struct fl_bridge *known, struct fl_err *err)
{
	struct fl_link link;

	if (find_link(links, bridge->name, &link, err) < 0 ||
	    fl_known_each(state, check_overlap, bridge, err) < 0)
		return -1;
	if (known && fl_known_is_here(known)) {
		if (keep_domain(state, known, bridge->domain, err) < 0)
			return -1;
		return make(links, known, err);
	}
	if (!known && check_links(links, bridge, err) < 0)
		return -1;
	fl_known_stamp(bridge);
	if (note_forwarding(state, bridge, err) < 0 || fl_known_save(state, bridge, err) < 0)
		return -1;
	if (make(links, bridge, err) == 0)
		return 0;
	/* What could not even be begun, as without the right to, is not to stand in the way. */
	if (!known && fl_links_get(links, bridge->name, &link, NULL) == 0)
		fl_known_forget(state, bridge->name, NULL);
	return -1;
}

int fl_bridge_restore(const struct fl_state *state, struct fl_links *links,
		      const struct fl_bridge *known, struct fl_err *err)
{
	struct fl_bridge bridge = *known;

	fl_known_stamp(&bridge);
	/* In this boot and not here: it is, or was, somewhere else, and not ours to copy. */
	if (!fl_known_is_here(known) && strcmp(bridge.boot_id, known->boot_id) == 0)
		return 0;
	fl_log(FL_LOG_INFO, "%s: the bridge is missing and made again", known->name);
	return create(state, links, &bridge, known, err) < 0 ? -1 : 1;
}

static int take_domain(const char *domain, struct fl_bridge *bridge, struct fl_err *err)
{
	if (!domain || strcmp(domain, FL_BRIDGE_NO_DOMAIN) == 0)
		return 0;
	if (fl_dns_check_domain(domain, err) < 0)
		return fl_err_prefix(err, "--domain");
	snprintf(bridge->domain, sizeof(bridge->domain), "%s", domain);
	return 0;
}

static int parse(const struct fl_bridge_wish *wish, struct fl_bridge *bridge, struct fl_err *err)
{
	*bridge = (struct fl_bridge){ .nat = wish->nat };
	if (fl_known_check_name(wish->name, err) < 0)
		return -1;
	if (fl_inet_parse_bridge(wish->address, &bridge->address, err) < 0)
		return fl_err_prefix(err, "--address");
	snprintf(bridge->name, sizeof(bridge->name), "%s", wish->name);
	return take_domain(wish->domain, bridge, err);
}

int fl_bridge_create(const struct fl_state *state, const struct fl_bridge_wish *wish,
		     struct fl_err *err)
{
	struct fl_bridge bridge, known;
	struct fl_links *links;
	fl_cleanup_close int lock = -1;
	int have, rc;

	if (parse(wish, &bridge, err) < 0)
		return -1;
	lock = fl_bridge_lock(state, err);
	have = lock < 0 ? -1 : fl_bridge_load(state, wish->name, &known, err);
	if (have < 0 || (have && check_known(&known, &bridge, err) < 0))
		return -1;
	if (have && !wish->domain)
		memcpy(bridge.domain, known.domain, sizeof(bridge.domain));
	links = fl_links_open(err);
	rc = links ? create(state, links, &bridge, have ? &known : NULL, err) : -1;
	fl_links_close(links);
	return rc;
}

struct count {
	int master, count;
};

static int count_one(void *arg, const struct fl_link *link)
{
	struct count *count = arg;

	count->count += link->master == count->master;
	return 0;
}

static int check_unused(struct fl_links *links, const struct fl_link *link, struct fl_err *err)
{
	struct count count = { .master = link->index };

	if (fl_links_each(links, count_one, &count, err) < 0)
		return -1;
	if (!count.count)
		return 0;
	return fl_err_set(err, FL_ERR_PRECONDITION, "%s: %d link%s on it; take the microVMs down "
			  "first, or give --force", link->name, count.count,
			  count.count == 1 ? " is" : "s are");
}

/* known: NULL when nothing on disk says that it is ours. */
static int remove_link(struct fl_links *links, const char *name, const struct fl_bridge *known,
		       bool force, struct fl_err *err)
{
	struct fl_link link;
	int found = fl_links_get(links, name, &link, err);
	bool ours = found == 1 && fl_bridge_is_ours(&link);

	if (found != 1)
		return found;
	if (!ours && known && (force || !fl_known_is_here(known)))
		return 0; /* ours is gone; only its memory is to be removed */
	if (!ours)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: is not ours, and is left alone%s",
				  name, known ? "; --force forgets that we had one" : "");
	if (!known && !force)
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: was made with another state "
				  "folder; name that with --state-dir, or give --force", name);
	if (!force && check_unused(links, &link, err) < 0)
		return -1;
	return fl_links_remove(links, name, err);
}

static int restore_forwarding(const struct fl_state *state, const struct fl_bridge *gone,
			      struct fl_err *err)
{
	struct partner partner = { .of = gone };

	if (gone->forward_before || !fl_known_is_here(gone))
		return 0;
	if (fl_known_each(state, look_at_partner, &partner, err) < 0)
		return -1;
	if (partner.found)
		return 0;
	return fl_nat_forwarding(gone->address.family, true, false, err) < 0 ? -1 : 0;
}

static int undo(const struct fl_state *state, const char *name, const struct fl_bridge *known,
		bool force, struct fl_err *err)
{
	bool may_be_guarded = fl_nat_may_be_guarded(name);
	struct fl_links *links = fl_links_open(err);
	int rc = links ? remove_link(links, name, known, force, err) : -1;

	fl_links_close(links);
	if (rc < 0 || (!known && !force))
		return rc;
	/* After the link, which is what it guards against. */
	if (may_be_guarded && fl_nat_remove_guard(name, err) < 0)
		return -1;
	if (known && !known->nat)
		return 0;
	if (fl_nat_remove(name, err) < 0)
		return -1;
	return known ? restore_forwarding(state, known, err) : 0;
}

int fl_bridge_remove(const struct fl_state *state, const char *name, bool force,
		     struct fl_err *err)
{
	fl_cleanup_close int lock = -1;
	struct fl_bridge bridge;
	int have;

	if (fl_known_check_name(name, err) < 0)
		return -1;
	lock = fl_bridge_lock(state, err);
	have = lock < 0 ? -1 : fl_bridge_load(state, name, &bridge, err);
	if (have > 0 && !force && fl_dns_place_is_taken(name))
		return fl_err_set(err, FL_ERR_PRECONDITION, "%s: \"fl-net dns %s\" serves its names; end "
				  "that first, or give --force", name, name);
	if (have < 0 || undo(state, name, have ? &bridge : NULL, force, err) < 0)
		return -1;
	/* The memory of it goes last: a kill before leaves it to be removed again. */
	return fl_known_forget(state, name, err);
}
