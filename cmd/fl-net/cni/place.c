/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/place.h"

#include "cmd/fl-net/cni/plugin.h"
#include "cmd/fl-net/netns.h"
#include "cmd/fl-net/taps.h"
#include "common/alloc.h"
#include "common/log.h"
#include "common/state.h"

#include <string.h>

#define INNER "guest" /* the pair's end in the network namespace */

char *fl_place_netns(const char *container)
{
	fl_cleanup_free char *run = fl_state_run_folder();

	return fl_asprintf("%s/netns/%s", run, container);
}

static void tap_name(const char *container, char name[static FL_LINK_NAME])
{
	fl_cleanup_free char *uid = fl_strndup(container, FL_ULID_TEXT - 1);
	struct fl_mac mac;

	fl_taps_derive(uid, container + FL_ULID_TEXT, FL_INTERFACE_TAP, name, &mac);
}

/* The end on the host: as the tap is called, with another beginning. */
static void outer_name(const char *container, char name[static FL_LINK_NAME])
{
	char tap[FL_LINK_NAME];

	tap_name(container, tap);
	snprintf(name, FL_LINK_NAME, "flveth%.9s", tap + strlen("fltap"));
}

static int make_pair(struct fl_links *host, struct fl_links *inside, int netns, const char *outer,
		     struct fl_err *err)
{
	struct fl_link link;
	int here = fl_links_get(host, outer, &link, err), there;

	if (here > 0 && strcmp(link.kind, "veth") != 0)
		return fl_err_set(err, FL_ERR_EXISTS, "%s: a link of that name exists and belongs to "
				  "another; remove it with \"ip link del %s\"", outer, outer);
	there = here < 0 ? -1 : fl_links_get(inside, INNER, &link, err);
	if (there < 0 || (here > 0 && there > 0))
		return there < 0 ? -1 : 0;
	/* Half a pair is one of another network namespace, which is going. */
	if (fl_links_remove(host, outer, err) < 0)
		return -1;
	return fl_links_make_veth(host, outer, INNER, netns, err);
}

/* Whoever sent them something would be heard by the guest, and its router's word by the host. */
static void hush(const char *link)
{
	struct fl_err why = { 0 };

	if (fl_links_refuse_ip6(link, &why) < 0)
		fl_log(FL_LOG_WARN, "%s", why.text);
}

static int join_all(struct fl_links *host, struct fl_links *inside, const char *outer,
		    const char *tap, unsigned mtu, struct fl_err *err)
{
	struct fl_link_change up = { .master = -1, .mtu = mtu, .up = true };

	hush(outer);
	hush(tap);
	if (fl_links_change(host, outer, &up, err) < 0 || fl_links_change(inside, INNER, &up, err) < 0)
		return -1;
	if (fl_links_redirect(inside, INNER, FL_CNI_INTERFACE, err) < 0 ||
	    fl_links_redirect(inside, FL_CNI_INTERFACE, INNER, err) < 0)
		return -1;
	return fl_links_redirect(host, outer, tap, err) < 0
		       ? -1
		       : fl_links_redirect(host, tap, outer, err);
}

int fl_place_join(const char *container, const char *tap, unsigned mtu, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_place_netns(container);
	fl_cleanup_close int netns = fl_netns_open(path, err);
	struct fl_links *inside = netns < 0 ? NULL : fl_netns_links(netns, err);
	struct fl_links *host = inside ? fl_links_open(err) : NULL;
	char outer[FL_LINK_NAME];
	int rc = -1;

	outer_name(container, outer);
	if (host)
		rc = make_pair(host, inside, netns, outer, err);
	if (rc == 0)
		rc = join_all(host, inside, outer, tap, mtu, err);
	fl_links_close(host);
	fl_links_close(inside);
	return rc;
}

/* The tap stays, when it is on a bridge from now on: what comes in from it is not to be lost. */
static int let_tap_go(struct fl_links *host, const char *container, struct fl_err *err)
{
	char tap[FL_LINK_NAME], uid[FL_ULID_TEXT];
	struct fl_link link;
	int found;

	tap_name(container, tap);
	found = fl_links_get(host, tap, &link, err);
	if (found <= 0)
		return found;
	return fl_taps_owner(&link, uid) ? fl_links_let_go(host, tap, err) : 0;
}

int fl_place_remove(const char *container, struct fl_err *err)
{
	fl_cleanup_free char *path = fl_place_netns(container);
	struct fl_links *host = fl_links_open(err);
	char outer[FL_LINK_NAME];
	int rc = -1;

	outer_name(container, outer);
	if (host)
		rc = let_tap_go(host, container, err);
	if (rc == 0)
		rc = fl_links_remove(host, outer, err);
	fl_links_close(host);
	return rc < 0 ? -1 : fl_netns_remove(path, err);
}
