/* SPDX-License-Identifier: MPL-2.0 */
#include "common/egress.h"

#include "common/alloc.h"
#include "common/num.h"
#include "common/str.h"

#include <string.h>

static int wrong(const char *text, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_INVALID, "\"%s\" is not ADDRESS[/PREFIX][:PORT[/tcp|/udp]], such "
			  "as 10.0.0.0/8 or 192.0.2.1:443", text);
}

static void take_protocol(char *text, struct fl_egress *one)
{
	bool tcp = fl_str_ends(text, "/tcp"), udp = fl_str_ends(text, "/udp");

	one->tcp = !udp;
	one->udp = !tcp;
	if (tcp || udp)
		text[strlen(text) - strlen("/tcp")] = 0;
}

/* Cuts the port off; NULL: there is none. */
static char *cut_port(char **text)
{
	char *colon = strrchr(*text, ':');
	size_t len;

	if (**text != '[') {
		if (!colon || strchr(*text, ':') != colon)
			return NULL;
		*colon = 0;
		return colon + 1;
	}
	len = strcspn(*text, "]");
	if ((*text)[len] && (*text)[len + 1] == ':') {
		(*text)[len] = 0;
		(*text)++;
		return *text + len + 1;
	}
	return NULL;
}

static int parse(const char *text, struct fl_egress *one, struct fl_err *err)
{
	fl_cleanup_free char *copy = fl_strdup(text);
	char *address = copy, *port;
	struct fl_cidr given;
	uint64_t number = 0;

	*one = (struct fl_egress){ .port = 0 };
	take_protocol(copy, one);
	port = cut_port(&address);
	if (fl_inet_parse_cidr(address, &given, NULL) < 0 ||
	    (port && fl_num_u64(port, 1, 65535, &number, NULL) < 0) ||
	    (!port && !(one->tcp && one->udp)))
		return wrong(text, err);
	one->port = (uint16_t)number;
	fl_inet_nth(&given, 0, &one->to);
	return 1;
}

int fl_egress_next(const char **at, struct fl_egress *one, struct fl_err *err)
{
	fl_cleanup_free char *text = NULL;

	if (!*at)
		return 0;
	text = fl_str_cut(at, ',');
	return parse(text, one, err);
}
