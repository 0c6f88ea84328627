/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/resolv.h"

#include "common/inet.h"
#include "common/io.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define MOST 3 /* what resolvers read */
#define LIMIT (1 << 20)

static bool is_reachable(const char *text, int family)
{
	struct fl_cidr address;
	const uint8_t *b = address.byte;

	if (strchr(text, '/') || fl_inet_parse_cidr(text, &address, NULL) < 0 ||
	    address.family != family)
		return false;
	if (family == AF_INET)
		return b[0] != 127 && b[0] != 0;
	return b[0] != 0 && !(b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

static void take_line(char *line, int family, fl_json *servers)
{
	char *rest, *word = strtok_r(line, " \t\r", &rest);

	if (!word || strcmp(word, "nameserver") != 0)
		return;
	word = strtok_r(NULL, " \t\r", &rest);
	if (word && is_reachable(word, family) && fl_json_count(servers) < MOST)
		fl_json_add(servers, fl_json_new_text(word));
}

static void read_file(const char *path, int family, fl_json *servers)
{
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char *line, *rest;

	if (fl_io_read_file(AT_FDCWD, path, LIMIT, &text, NULL) < 0)
		return;
	line = strtok_r(text.data, "\n", &rest);
	for (; line; line = strtok_r(NULL, "\n", &rest))
		take_line(line, family, servers);
}

fl_json *fl_resolv_servers(int family)
{
	fl_json *servers = fl_json_new_array();

	read_file("/etc/resolv.conf", family, servers);
	/* Where a stub on loopback stands in there, systemd keeps the real ones aside. */
	if (!fl_json_count(servers))
		read_file("/run/systemd/resolve/resolv.conf", family, servers);
	return servers;
}
