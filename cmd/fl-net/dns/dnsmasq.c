/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/dns/dnsmasq.h"

#include "cmd/fl-net/dns/table.h"
#include "common/alloc.h"
#include "common/atomic.h"
#include "common/io.h"
#include "common/path.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define PROGRAM "dnsmasq"
#define DEBIAN "/usr/sbin/dnsmasq" /* which PATH often lacks for those who are not root */
#define LEASE "12h"
#define START_MS 10000
#define LOOK_EVERY_MS 2

#define MAY(capability) (UINT64_C(1) << (capability))

static const struct {
	const char *file, *what;
	uint64_t capabilities; /* ports; ARP of who has no address yet; what IPv6 routers say */
} jobs[] = {
	[FL_DNSMASQ_NAMES] = { "names.conf", "answers for names", MAY(CAP_NET_BIND_SERVICE) },
	[FL_DNSMASQ_ADDRESSES] = { "addresses.conf", "hands out addresses",
				   MAY(CAP_NET_BIND_SERVICE) | MAY(CAP_NET_ADMIN) | MAY(CAP_NET_RAW) },
};

char *fl_dnsmasq_find(const char *named, struct fl_err *err)
{
	char *found = fl_path_find_program(named ? named : PROGRAM);

	if (!found && !named)
		found = fl_path_find_program(DEBIAN);
	if (!found)
		fl_err_set(err, FL_ERR_UNSUPPORTED, "%s: there is no such program; install the package "
			   "dnsmasq-base%s", named ? named : PROGRAM, named ? ", or name another" : "");
	return found;
}

/* Whether there is somebody else that a root could become: not so in a user namespace that has
 * root alone. */
static bool has_others(void)
{
	fl_cleanup_str struct fl_str map = FL_STR_INIT;
	unsigned inside, outside, count;

	return fl_io_read_file(AT_FDCWD, "/proc/self/uid_map", 4096, &map, NULL) < 0 || !map.data ||
	       sscanf(map.data, "%u %u %u", &inside, &outside, &count) != 3 || count > 1;
}

/* dnsmasq could become another by itself, and then would not end with us. false: it is as we are. */
static bool find_user(const struct fl_dnsmasq *dnsmasq, struct fl_proc_user *user)
{
	const struct passwd *found = getpwnam("dnsmasq");

	if (!found)
		found = getpwnam("nobody");
	if (geteuid() != 0 || !has_others() || !found)
		return false;
	*user = (struct fl_proc_user){ found->pw_uid, found->pw_gid, jobs[dnsmasq->job].capabilities };
	return true;
}

static void add_common(const struct fl_dnsmasq_setting *setting, struct fl_str *out)
{
	fl_str_addf(out, "interface=%s\nexcept-interface=lo\nbind-dynamic\nlog-facility=-\npid-file=\n"
		    "user=root\ngroup=\n", setting->bridge->name);
}

/* Without a time to live: who asks again is told what is so then. */
static void add_names(const struct fl_dnsmasq_setting *setting, struct fl_str *out)
{
	fl_str_addf(out, "no-dhcp-interface=%s\nno-hosts\naddn-hosts=%s/%s\nlocal=/%s/\ndomain-needed\n"
		    "bogus-priv\n", setting->bridge->name, setting->place->path, fl_dns_file_names[FL_DNS_NAMES],
		    setting->bridge->domain);
	if (!setting->upstream)
		return;
	fl_str_add(out, "no-resolv\n");
	for (size_t i = 0; i < fl_json_count(setting->upstream); i++)
		fl_str_addf(out, "server=%s\n", fl_json_text(fl_json_item(setting->upstream, i)));
}

/* The records say who has what: nobody else is served, and nothing has to be remembered. Clones of
 * one disk call themselves the same: the MAC alone counts. */
static void add_addresses(const struct fl_dnsmasq_setting *setting, struct fl_str *out)
{
	const struct fl_bridge *bridge = setting->bridge;
	struct fl_cidr net;
	char text[FL_CIDR_TEXT];

	fl_inet_nth(&bridge->address, 0, &net);
	fl_inet_print_address(&net, text);
	fl_str_addf(out, "port=0\ndhcp-range=%s,static,", text);
	if (net.family == AF_INET6)
		fl_str_addf(out, "%u," LEASE "\nenable-ra\n", net.prefix);
	else
		fl_str_add(out, LEASE "\n");
	fl_str_addf(out, "dhcp-ignore=tag:!known\ndhcp-ignore-clid\ndhcp-authoritative\nno-ping\n"
		    "leasefile-ro\nquiet-dhcp\nquiet-dhcp6\nquiet-ra\ndhcp-hostsfile=%s/%s\n"
		    "dhcp-optsfile=%s/%s\n", setting->place->path, fl_dns_file_names[FL_DNS_LEASES],
		    setting->place->path, fl_dns_file_names[FL_DNS_OPTIONS]);
}

/* Before it has said what SIGHUP means to it, that would kill it. */
static bool takes_signals(const struct fl_proc *child)
{
	fl_cleanup_free char *path = fl_asprintf("/proc/%d/status", (int)child->pid);
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	const char *at;
	uint64_t caught;

	return fl_io_read_file(AT_FDCWD, path, 65536, &text, NULL) == 0 && text.data &&
	       (at = strstr(text.data, "\nSigCgt:")) && sscanf(at, " SigCgt: %" SCNx64, &caught) == 1 &&
	       (caught & UINT64_C(1) << (SIGHUP - 1));
}

static int wait_ready(struct fl_dnsmasq *dnsmasq, struct fl_err *err)
{
	for (int waited = 0; waited < START_MS; waited += LOOK_EVERY_MS) {
		if (fl_dnsmasq_check(dnsmasq, err) < 0)
			return -1;
		if (takes_signals(&dnsmasq->child))
			return 0;
		if (fl_cancel_wait(NULL, -1, LOOK_EVERY_MS, err) < 0)
			return -1;
	}
	return fl_err_set(err, FL_ERR_TIMEOUT, "dnsmasq, which %s: does not start", jobs[dnsmasq->job].what);
}

int fl_dnsmasq_start(struct fl_dnsmasq *dnsmasq, const struct fl_dnsmasq_setting *setting,
		     struct fl_err *err)
{
	const char *file = jobs[dnsmasq->job].file;
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_free char *option = fl_asprintf("--conf-file=%s/%s", setting->place->path, file);
	fl_cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	const char *argv[] = { setting->program, "--keep-in-foreground", option, NULL };
	struct fl_proc_spec spec = { .argv = argv, .in = null, .out = null, .errfd = -1,
				     .die_with_parent = true };
	struct fl_proc_user user;

	if (find_user(dnsmasq, &user))
		spec.user = &user;
	add_common(setting, &text);
	if (dnsmasq->job == FL_DNSMASQ_NAMES)
		add_names(setting, &text);
	else
		add_addresses(setting, &text);
	if (null < 0)
		return fl_err_errno(err, errno, "/dev/null: cannot be opened");
	if (fl_atomic_write(setting->place->dirfd, file, 0644, text.data, text.len, false, err) < 0 ||
	    fl_proc_spawn(&dnsmasq->child, &spec, err) < 0)
		return -1;
	return wait_ready(dnsmasq, err);
}

void fl_dnsmasq_reload(struct fl_dnsmasq *dnsmasq)
{
	fl_proc_signal(&dnsmasq->child, SIGHUP);
}

int fl_dnsmasq_check(struct fl_dnsmasq *dnsmasq, struct fl_err *err)
{
	int status;

	if (dnsmasq->child.pid <= 0)
		return 0;
	status = dnsmasq->child.pidfd < 0 ? 0 : fl_proc_wait(&dnsmasq->child, 0, NULL);
	if (status < 0)
		return 0;
	return fl_err_set(err, FL_ERR_UNAVAILABLE, "dnsmasq, which %s, ended (status %d); what it said "
			  "stands above", jobs[dnsmasq->job].what, status);
}

void fl_dnsmasq_finish(struct fl_dnsmasq *dnsmasq)
{
	fl_proc_finish(&dnsmasq->child);
	dnsmasq->child = (struct fl_proc){ .pidfd = -1 };
}
