/* SPDX-License-Identifier: MPL-2.0 */
/* Whether taps can be made, and whether packets get from them to anywhere. */
#include "cmd/fl/doctor/finding.h"

#include "common/alloc.h"
#include "common/io.h"
#include "common/json.h"
#include "common/path.h"
#include "common/proc.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#define ANSWER_MS 3000

/* A tap that is not made persistent goes with its descriptor. */
void fl_check_tun(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_close int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	struct ifreq request = { .ifr_name = "fldoctor%d", .ifr_flags = IFF_TAP | IFF_NO_PI };

	(void)state_dir;
	if (fd < 0)
		fl_finding_set(finding, FL_FINDING_BAD,
			       errno == EACCES ? "be root, or let all open it: chmod 0666 /dev/net/tun"
					       : "modprobe tun, as root",
			       "/dev/net/tun cannot be opened: %s", strerror(errno));
	else if (ioctl(fd, TUNSETIFF, &request) < 0)
		fl_finding_set(finding, FL_FINDING_BAD,
			       "run fl-net as root, or give it the capability CAP_NET_ADMIN",
			       "no tap can be made: %s", strerror(errno));
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "taps can be made");
}

/* Docker sets this policy, by whichever iptables there is. */
static bool forward_drops(void)
{
	static const char *const nft[] = { "nft", "list", "chain", "ip", "filter", "FORWARD", NULL };
	static const char *const iptables[] = { "iptables", "-S", "FORWARD", NULL };
	static const char *const legacy[] = { "iptables-legacy", "-S", "FORWARD", NULL };
	const char *const *const ways[] = { nft, iptables, legacy };

	for (size_t i = 0; i < FL_COUNT(ways); i++) {
		fl_cleanup_str struct fl_str out = FL_STR_INIT;

		if (fl_proc_ask(ways[i], ANSWER_MS, &out, NULL) < 0)
			continue;
		if (strstr(out.data, "-P FORWARD DROP") || strstr(out.data, "policy drop"))
			return true;
	}
	return false;
}

static bool forwards(void)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;

	return fl_io_read_file(AT_FDCWD, "/proc/sys/net/ipv4/ip_forward", 16, &text, NULL) == 0 &&
	       text.len && text.data[0] == '1';
}

#define LET_THROUGH                                                                             \
	"iptables -I DOCKER-USER -i BRIDGE -j ACCEPT; iptables -I DOCKER-USER -o BRIDGE -j ACCEPT " \
	"(without Docker: the same in FORWARD)"

void fl_check_forward(const char *state_dir, struct fl_finding *finding)
{
	(void)state_dir;
	if (geteuid() != 0)
		fl_finding_set(finding, FL_FINDING_POOR, "ask as root",
			       "only root sees whether the firewall drops forwarded packets");
	else if (forward_drops())
		fl_finding_set(finding, FL_FINDING_POOR, LET_THROUGH,
			       "the FORWARD chain drops what nobody lets through, as Docker sets it: "
			       "guests do not get beyond their bridge");
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "the FORWARD chain does not drop by default%s",
			       forwards() ? "" : "; net.ipv4.ip_forward is 0: a bridge with --nat sets it, "
						 "and --publish on any other needs it");
}

void fl_check_bridge_netfilter(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	bool on = fl_io_read_file(AT_FDCWD, "/proc/sys/net/bridge/bridge-nf-call-iptables", 16,
				  &text, NULL) == 0 && text.len && text.data[0] == '1';

	(void)state_dir;
	if (on && forward_drops())
		fl_finding_set(finding, FL_FINDING_BAD,
			       "sysctl net.bridge.bridge-nf-call-iptables=0, or " LET_THROUGH,
			       "what goes between two guests on a bridge passes the FORWARD chain, "
			       "which drops it");
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL, "%s",
			       on ? "bridged packets pass the firewall, which lets them through"
				  : "bridged packets do not pass the firewall");
}

static bool has_domain(int folder, const char *file)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	fl_cleanup_json fl_json *known = NULL;

	if (!fl_str_ends(file, ".json") || fl_io_read_file(folder, file, 65536, &text, NULL) < 0)
		return false;
	known = fl_json_parse(text.data, text.len, file, NULL);
	return fl_json_text(fl_json_get(known, "domain")) != NULL;
}

/* Whether a bridge of ours is to serve names. */
static bool wants_names(const char *state_dir)
{
	fl_cleanup_free char *path = fl_asprintf("%s/net", state_dir);
	fl_cleanup_dir DIR *dir = opendir(path);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (has_domain(dirfd(dir), entry->d_name))
			return true;
	return false;
}

void fl_check_names(const char *state_dir, struct fl_finding *finding)
{
	fl_cleanup_free char *program = fl_path_find_program("dnsmasq");

	if (!program)
		program = fl_path_find_program("/usr/sbin/dnsmasq");
	if (program)
		fl_finding_set(finding, FL_FINDING_OK, NULL,
			       "dnsmasq is there, to serve microVMs' names (fl-net dns)");
	else if (wants_names(state_dir))
		fl_finding_set(finding, FL_FINDING_POOR, "apt install --no-install-recommends dnsmasq-base",
			       "a bridge has a domain, and without dnsmasq nobody serves the names under it");
	else
		fl_finding_set(finding, FL_FINDING_OK, NULL,
			       "no bridge has a domain: microVMs' names need no dnsmasq");
}
