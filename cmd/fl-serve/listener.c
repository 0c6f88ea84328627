/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/listener.h"

#include "cmd/fl-serve/descriptors.h"
#include "cmd/fl-serve/peer.h"
#include "common/alloc.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/num.h"
#include "common/str.h"
#include "common/vec.h"

#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 512
#define PAUSE_MS 200
#define QUIET_MS 60000 /* between words about one and the same lack */

struct fl_listener {
	FL_VEC(struct evconnlistener *) sockets;
	char *path; /* of a socket file */
	fl_listener_taker *take;
	void *arg;
	bool is_handed_over; /* evhttp owns the sockets, and frees them */
	struct event *go_on; /* after a pause */
	struct fl_listener *next;
};

/* All: evhttp keeps to itself what is given to callbacks of its sockets. */
static struct fl_listener *listeners;

static bool is_room(const struct fl_listener *listener)
{
	return fl_descriptors_are_left(listener->is_handed_over ? FL_DESCRIPTORS_HTTP
								 : FL_DESCRIPTORS_GRPC);
}

static void tell_lack(void)
{
	static int64_t told_ms;
	int64_t now = fl_clock_ms();

	if (told_ms && now - told_ms < QUIET_MS)
		return;
	told_ms = now;
	fl_log(FL_LOG_WARN, "too many connections for the %u files that this process may have: new ones "
	       "wait; raise LimitNOFILE= of the unit, or \"ulimit -n\"", fl_descriptors_limit());
}

/* Who comes now waits in the kernel's queue. */
static void pause_listening(struct fl_listener *listener)
{
	struct timeval time = { 0, PAUSE_MS * 1000 };

	tell_lack();
	for (size_t i = 0; i < listener->sockets.count; i++)
		evconnlistener_disable(listener->sockets.items[i]);
	evtimer_add(listener->go_on, &time);
}

static void on_go_on(evutil_socket_t fd, short what, void *arg)
{
	struct fl_listener *listener = arg;

	(void)fd;
	(void)what;
	if (!is_room(listener)) {
		pause_listening(listener);
		return;
	}
	for (size_t i = 0; i < listener->sockets.count; i++)
		evconnlistener_enable(listener->sockets.items[i]);
}

void fl_listener_taken(struct fl_listener *listener)
{
	if (listener && !is_room(listener))
		pause_listening(listener);
}

/* The host is out of what it needs, and would say so again at once, without end. */
static void on_error(struct evconnlistener *socket, void *arg)
{
	(void)arg;
	for (struct fl_listener *one = listeners; one; one = one->next)
		for (size_t i = 0; i < one->sockets.count; i++)
			if (one->sockets.items[i] == socket)
				pause_listening(one);
}

static void accepted(struct evconnlistener *socket, evutil_socket_t fd, struct sockaddr *from,
		     int size, void *arg)
{
	struct fl_listener *listener = arg;
	char peer[FL_PEER_TEXT];

	(void)socket;
	fl_peer_print(from, (socklen_t)size, peer);
	listener->take(listener->arg, fd, peer);
	fl_listener_taken(listener);
}

/* Answers leave at once, and a peer that vanished is noticed; connections inherit both from the
 * socket that they come to (tcp(7)). */
static void add_socket(struct fl_listener *listener, struct evconnlistener *socket)
{
	int on = 1, fd = evconnlistener_get_fd(socket);

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* fails on a unix socket */
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	evconnlistener_set_error_cb(socket, on_error);
	FL_VEC_ADD(&listener->sockets, socket);
}

static int listen_at(struct fl_listener *listener, struct event_base *base,
		     const struct sockaddr *address, socklen_t size)
{
	struct evconnlistener *socket =
		evconnlistener_new_bind(base, accepted, listener,
					LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC |
						LEV_OPT_REUSEABLE,
					BACKLOG, address, (int)size);

	if (!socket)
		return -1;
	add_socket(listener, socket);
	return 0;
}

static int listen_unix(struct fl_listener *listener, struct event_base *base, const char *path,
		       struct fl_err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t before;
	int rc;

	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return fl_err_set(err, FL_ERR_INVALID, "unix:%s: a socket's path has 1 to %zu bytes",
				  path, sizeof(address.sun_path) - 1);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return fl_err_set(err, FL_ERR_EXISTS, "%s: exists and is not a socket", path);
	unlink(path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	before = umask(0117);
	rc = listen_at(listener, base, (struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (rc < 0)
		return fl_err_errno(err, errno, "unix:%s: cannot listen", path);
	listener->path = fl_strdup(path);
	return 0;
}

/* HOST and PORT; a host may stand in brackets. */
static int split(const char *address, char **host, const char **port, struct fl_err *err)
{
	const char *colon = strrchr(address, ':');
	bool brackets = *address == '[';
	uint64_t number;

	if (!colon || (brackets && colon[-1] != ']') || (!brackets && strchr(address, ':') != colon) ||
	    fl_num_u64(colon + 1, 1, 65535, &number, NULL) < 0)
		return fl_err_set(err, FL_ERR_USAGE, "\"%s\" is not an address: HOST:PORT, "
				  "[IPv6]:PORT or unix:PATH", address);
	*host = brackets ? fl_strndup(address + 1, (size_t)(colon - address) - 2)
			 : fl_strndup(address, (size_t)(colon - address));
	*port = colon + 1;
	return 0;
}

static int listen_inet(struct fl_listener *listener, struct event_base *base, const char *address,
		       struct fl_err *err)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	fl_cleanup_free char *host = NULL;
	struct addrinfo *found, *one;
	const char *port = NULL;
	int rc, saved = 0;

	if (split(address, &host, &port, err) < 0 || !host)
		return -1;
	rc = getaddrinfo(*host ? host : NULL, port, &hints, &found);
	if (rc != 0)
		return fl_err_set(err, FL_ERR_INVALID, "%s: %s", address, gai_strerror(rc));
	for (one = found; one; one = one->ai_next)
		if (listen_at(listener, base, one->ai_addr, one->ai_addrlen) < 0)
			saved = errno;
	freeaddrinfo(found);
	if (saved == EADDRINUSE || (saved && !listener->sockets.count))
		return fl_err_errno(err, saved, "%s: cannot listen", address);
	return 0;
}

static int listen_given(struct fl_listener *listener, struct event_base *base, const char *number,
			struct fl_err *err)
{
	struct evconnlistener *socket;
	uint64_t fd;

	if (fl_num_u64(number, 0, INT32_MAX, &fd, err) < 0)
		return -1;
	/* It listens already: a backlog of 0 leaves that alone. */
	socket = evconnlistener_new(base, accepted, listener,
				    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, (int)fd);
	if (!socket)
		return fl_err_errno(err, errno, "fd:%s: cannot be used", number);
	add_socket(listener, socket);
	return 0;
}

struct fl_listener *fl_listener_open(struct event_base *base, const char *address,
				     fl_listener_taker *take, void *arg, struct fl_err *err)
{
	struct fl_listener *listener = fl_alloc_zero(1, sizeof(*listener));
	int rc;

	listener->take = take;
	listener->arg = arg;
	listener->go_on = evtimer_new(base, on_go_on, listener);
	if (!listener->go_on)
		abort();
	listener->next = listeners;
	listeners = listener;
	rc = fl_str_starts(address, "unix:") ? listen_unix(listener, base, address + 5, err)
	     : fl_str_starts(address, "fd:") ? listen_given(listener, base, address + 3, err)
					     : listen_inet(listener, base, address, err);
	if (rc == 0)
		return listener;
	fl_listener_close(listener);
	return NULL;
}

void fl_listener_hand_over(struct fl_listener *listener, struct evhttp *http)
{
	listener->is_handed_over = true;
	for (size_t i = 0; i < listener->sockets.count; i++) {
		if (!evhttp_bind_listener(http, listener->sockets.items[i]))
			abort();
		evconnlistener_set_error_cb(listener->sockets.items[i], on_error);
	}
}

static void forget(const struct fl_listener *listener)
{
	struct fl_listener **at = &listeners;

	while (*at && *at != listener)
		at = &(*at)->next;
	if (*at)
		*at = listener->next;
}

void fl_listener_close(struct fl_listener *listener)
{
	if (!listener)
		return;
	forget(listener);
	event_free(listener->go_on);
	for (size_t i = 0; i < listener->sockets.count && !listener->is_handed_over; i++)
		evconnlistener_free(listener->sockets.items[i]);
	free(listener->sockets.items);
	if (listener->path)
		unlink(listener->path);
	free(listener->path);
	free(listener);
}

int fl_listener_check(const char *address, struct fl_err *err)
{
	fl_cleanup_free char *host = NULL;
	const char *port;

	return fl_str_starts(address, "unix:") || fl_str_starts(address, "fd:")
		       ? 0
		       : split(address, &host, &port, err);
}

static sa_family_t family_of(const char *number, struct sockaddr_storage *address)
{
	socklen_t size = sizeof(*address);
	uint64_t fd;

	if (fl_num_u64(number, 0, INT32_MAX, &fd, NULL) < 0 ||
	    getsockname((int)fd, (struct sockaddr *)address, &size) < 0)
		return AF_UNSPEC;
	return address->ss_family;
}

static bool is_given_local(const char *number)
{
	struct sockaddr_storage address = { 0 };
	const struct sockaddr_in *in = (const struct sockaddr_in *)&address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&address;
	sa_family_t family = family_of(number, &address);

	return family == AF_UNIX || (family == AF_INET && ntohl(in->sin_addr.s_addr) >> 24 == 127) ||
	       (family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr));
}

bool fl_listener_is_file(const char *address)
{
	struct sockaddr_storage given = { 0 };
	const struct sockaddr_un *file = (const struct sockaddr_un *)&given;

	/* One of Linux's abstract names is anybody's. */
	return fl_str_starts(address, "fd:") && family_of(address + 3, &given) == AF_UNIX &&
	       *file->sun_path;
}

bool fl_listener_is_local(const char *address)
{
	if (fl_str_starts(address, "fd:"))
		return is_given_local(address + 3);
	return fl_str_starts(address, "unix:") || fl_str_starts(address, "localhost:") ||
	       fl_str_starts(address, "127.") || fl_str_starts(address, "[::1]:");
}
