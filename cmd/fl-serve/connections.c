/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/connections.h"

#include "cmd/fl-serve/rpc/grpc.h"
#include "common/alloc.h"
#include "common/clock.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADERS (16 << 10)
#define SWEEP_SECONDS 5
#define FIRST_WORDS_MS 10000 /* to the end of the handshakes */
#define REQUEST_MS 60000     /* to the end of a request */
#define PONG_MS 20000        /* to any sign of life */

struct connection {
	struct fl_rpc_connection rpc; /* first: calls look for it */
	struct fl_connections *all;
	struct fl_http2 *http2;
	struct connection *previous, *next;
	int64_t since_ms, busy_ms; /* accepted; seen with a call */
	int64_t asked_ms;          /* for a sign of life; 0: not */
	bool drained;
	char *peer;
};

struct fl_connections {
	const struct fl_config *config;
	struct event_base *base;
	struct event *sweep;
	struct fl_http2_upper upper;
	struct fl_rpc *rpc;
	struct connection *first;
	unsigned count;
};

static void gone(struct fl_http2 *http2, void *arg)
{
	struct connection *connection = arg;

	(void)http2;
	if (connection->previous)
		connection->previous->next = connection->next;
	else
		connection->all->first = connection->next;
	if (connection->next)
		connection->next->previous = connection->previous;
	connection->all->count--;
	free(connection->peer);
	free(connection);
}

bool fl_connections_may(const struct fl_connections *all, const char *peer)
{
	unsigned count = 0;

	for (const struct connection *one = all->first; one; one = one->next)
		count += strcmp(one->peer, peer) == 0;
	return all->count < all->config->max_connections &&
	       count < all->config->max_connections_per_peer;
}

void fl_connections_add(struct fl_connections *all, struct bufferevent *bev, const char *peer,
			bool is_trusted)
{
	const struct fl_http2_limits limits = { all->config->max_streams, MAX_HEADERS,
						FL_MAX_WAITING };
	struct connection *connection = fl_alloc_zero(1, sizeof(*connection));
	struct timeval time = { SWEEP_SECONDS, 0 };

	connection->peer = fl_strdup(peer);
	connection->rpc = (struct fl_rpc_connection){ all->rpc, connection->peer, is_trusted, 0 };
	connection->all = all;
	connection->since_ms = connection->busy_ms = fl_clock_ms();
	connection->next = all->first;
	if (connection->next)
		connection->next->previous = connection;
	all->first = connection;
	all->count++;
	connection->http2 = fl_http2_open(bev, &all->upper, &limits, connection);
	if (!evtimer_pending(all->sweep, NULL))
		evtimer_add(all->sweep, &time);
}

static bool has_late_request(const struct connection *connection, int64_t now)
{
	struct fl_exchange *exchange = fl_http2_exchanges(connection->http2);

	for (; exchange; exchange = exchange->next)
		if (!exchange->request_ended && !exchange->answered &&
		    now - exchange->began_ms > REQUEST_MS)
			return true;
	return false;
}

/* A client whose machine was switched off says nothing, not even that it leaves. */
static bool is_dead(struct connection *connection, int64_t now)
{
	int64_t heard = fl_http2_heard_ms(connection->http2);
	int64_t silence = (int64_t)connection->all->config->keepalive * 1000;

	/* On one machine the answer comes in the millisecond of the question. */
	if (heard >= connection->asked_ms)
		connection->asked_ms = 0;
	if (connection->asked_ms)
		return now - connection->asked_ms > PONG_MS;
	if (silence && now - heard > silence) {
		connection->asked_ms = now;
		fl_http2_ping(connection->http2);
	}
	return false;
}

static void drain_idle(struct connection *connection, int64_t now)
{
	int64_t rest = (int64_t)connection->all->config->idle * 1000;

	if (fl_http2_exchanges(connection->http2))
		connection->busy_ms = now;
	if (!rest || connection->drained || now - connection->busy_ms <= rest)
		return;
	connection->drained = true;
	fl_http2_drain(connection->http2);
}

/* Whoever connects and says nothing, or a request a byte at a time, is shown the door. */
static void look_after(struct connection *connection, int64_t now)
{
	bool is_mute = !fl_http2_has_begun(connection->http2) &&
		       now - connection->since_ms > FIRST_WORDS_MS;

	if (is_mute || has_late_request(connection, now) || is_dead(connection, now))
		fl_http2_close(connection->http2);
	else
		drain_idle(connection, now);
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
	struct fl_connections *all = arg;
	struct timeval time = { SWEEP_SECONDS, 0 };
	int64_t now = fl_clock_ms();

	(void)fd;
	(void)what;
	for (struct connection *one = all->first, *next; one; one = next) {
		next = one->next;
		look_after(one, now);
	}
	if (all->first)
		evtimer_add(all->sweep, &time);
}

void fl_connections_drain(struct fl_connections *all)
{
	for (struct connection *one = all->first; one; one = one->next) {
		fl_rpc_stop_streams(one->http2);
		fl_http2_drain(one->http2);
	}
}

bool fl_connections_are_gone(const struct fl_connections *all)
{
	return !all->first;
}

struct fl_connections *fl_connections_create(const struct fl_config *config,
					     struct event_base *base, struct fl_rpc *rpc)
{
	struct fl_connections *all = fl_alloc_zero(1, sizeof(*all));

	all->config = config;
	all->base = base;
	all->rpc = rpc;
	all->upper = fl_rpc_upper(gone);
	all->sweep = evtimer_new(base, on_sweep, all);
	if (!all->sweep)
		abort();
	return all;
}

void fl_connections_destroy(struct fl_connections *all)
{
	if (!all)
		return;
	while (all->first)
		fl_http2_close(all->first->http2);
	event_free(all->sweep);
	free(all);
}
