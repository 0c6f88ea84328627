/* SPDX-License-Identifier: MPL-2.0 */
#include "common/publish.h"

#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/num.h"
#include "common/str.h"

#include <arpa/inet.h>
#include <string.h>

static int wrong(const char *text, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not [ADDRESS:]PORT:TO[/udp], such as 8080:80",
			  text);
}

static bool take_port(const char *text, uint16_t *port)
{
	uint64_t value;

	if (!text || fl_num_u64(text, 1, 65535, &value, NULL) < 0)
		return false;
	*port = (uint16_t)value;
	return true;
}

static bool take_protocol(char *text, bool *udp)
{
	char *slash = strchr(text, '/');

	*udp = slash && strcmp(slash, "/udp") == 0;
	if (slash && !*udp && strcmp(slash, "/tcp") != 0)
		return false;
	if (slash)
		*slash = 0;
	return true;
}

static int parse(const char *text, struct fl_publish *one, struct fl_err *err)
{
	fl_cleanup_free char *copy = fl_strdup(text);
	char *parts[3] = { NULL }, *rest = copy;
	size_t count = 0;
	struct in_addr address;

	*one = (struct fl_publish){ .port = 0 };
	if (!take_protocol(copy, &one->udp))
		return wrong(text, err);
	while (rest && count < FL_COUNT(parts))
		parts[count++] = strsep(&rest, ":");
	if (rest || count < 2 || !take_port(parts[count - 1], &one->to) ||
	    !take_port(parts[count - 2], &one->port))
		return wrong(text, err);
	if (count == 3 && inet_pton(AF_INET, parts[0], &address) != 1)
		return wrong(text, err);
	if (count == 3)
		inet_ntop(AF_INET, &address, one->address, sizeof(one->address));
	return 1;
}

int fl_publish_next(const char **at, struct fl_publish *one, struct fl_err *err)
{
	fl_cleanup_free char *text = NULL;

	if (!*at)
		return 0;
	text = fl_str_cut(at, ',');
	return parse(text, one, err);
}

bool fl_publish_overlap(const struct fl_publish *a, const struct fl_publish *b)
{
	return a->port == b->port && a->udp == b->udp &&
	       (!*a->address || !*b->address || strcmp(a->address, b->address) == 0);
}

const char *fl_publish_protocol(const struct fl_publish *one)
{
	return one->udp ? "udp" : "tcp";
}
