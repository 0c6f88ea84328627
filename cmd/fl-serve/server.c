/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/server.h"

#include "cmd/fl-serve/access.h"
#include "cmd/fl-serve/connections.h"
#include "cmd/fl-serve/http/web.h"
#include "cmd/fl-serve/listener.h"
#include "cmd/fl-serve/rate.h"
#include "cmd/fl-serve/services.h"
#include "cmd/fl-serve/tls.h"
#include "cmd/fl-serve/wire/api.h"
#include "common/alloc.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/manager.h"

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define MAX_MESSAGE (4 << 20)   /* flintlock's, and grpc-go's */
#define STOP_SECONDS 20
#define LOCK_MS 1000 /* for the end of one that was killed */

static const char *const alpn[] = { "h2", NULL };
static const char *const web_alpn[] = { "http/1.1", NULL };

struct fl_server_inner {
	struct event_base *base;
	struct event *signals[3], *journal, *news, *stop, *stopping, *watchdog;
	bool was_idle;
	struct fl_listener *grpc, *local; /* local: NULL when there is none */
	struct fl_tls *tls, *web_tls;
	struct fl_web *web;
	struct fl_rpc *rpc;
	struct fl_connections *connections;
	int lock; /* of the state folder; -1: not held */
};

static void take(struct fl_server_inner *inner, int fd, const char *peer, struct fl_tls *tls,
		 bool is_trusted)
{
	struct bufferevent *bev;

	if (!fl_connections_may(inner->connections, peer)) {
		fl_log(FL_LOG_WARN, "%s: turned away, too many connections", peer);
		close(fd);
		return;
	}
	bev = tls ? fl_tls_accept(tls, inner->base, fd)
		  : bufferevent_socket_new(inner->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (bev)
		fl_connections_add(inner->connections, bev, peer, is_trusted);
}

static void take_grpc(void *arg, int fd, const char *peer)
{
	struct fl_server *server = arg;

	take(server->inner, fd, peer, server->inner->tls, false);
}

static void take_local(void *arg, int fd, const char *peer)
{
	struct fl_server *server = arg;

	take(server->inner, fd, peer, NULL, true);
}

/* Two looks in a row: what was answered last has left by then. */
static void on_stopping(evutil_socket_t fd, short what, void *arg)
{
	struct fl_server *server = arg;
	bool is_idle = fl_connections_are_gone(server->inner->connections) &&
		       fl_web_is_idle(server->inner->web);

	(void)fd;
	(void)what;
	if (is_idle && server->inner->was_idle)
		event_base_loopexit(server->inner->base, NULL);
	server->inner->was_idle = is_idle;
}

static void on_stop_late(evutil_socket_t fd, short what, void *arg)
{
	struct fl_server *server = arg;

	(void)fd;
	(void)what;
	event_base_loopexit(server->inner->base, NULL);
}

static void on_stop(evutil_socket_t fd, short what, void *arg)
{
	struct fl_server *server = arg;
	struct timeval time = { STOP_SECONDS, 0 }, soon = { 0, 50000 };

	(void)what;
	if (server->stopping) { /* asked twice: at once */
		event_base_loopexit(server->inner->base, NULL);
		return;
	}
	fl_log(FL_LOG_INFO, "%s: calls that run are finished, new ones are refused",
	       strsignal((int)fd));
	server->stopping = true;
	fl_manager_tell("STOPPING=1");
	fl_listener_close(server->inner->grpc);
	fl_listener_close(server->inner->local);
	server->inner->grpc = server->inner->local = NULL;
	fl_health_changed(server);
	fl_host_stopping(server);
	fl_connections_drain(server->inner->connections);
	server->inner->stop = evtimer_new(server->inner->base, on_stop_late, server);
	evtimer_add(server->inner->stop, &time);
	server->inner->stopping = event_new(server->inner->base, -1, EV_PERSIST, on_stopping, server);
	evtimer_add(server->inner->stopping, &soon);
}

/* For gRPC and for the web, which agree on other protocols; both NULL without TLS. */
static int read_tls(const struct fl_config *config, struct fl_tls *pair[2], struct fl_err *err)
{
	struct fl_tls_files files = { config->cert, config->key, config->client_ca, alpn };

	pair[0] = pair[1] = NULL;
	if (!config->cert)
		return 0;
	pair[0] = fl_tls_create(&files, err);
	files.alpn = web_alpn;
	pair[1] = pair[0] ? fl_tls_create(&files, err) : NULL;
	if (pair[1])
		return 0;
	fl_tls_free(pair[0]);
	return -1;
}

static int open_tls(struct fl_server *server, struct fl_err *err)
{
	struct fl_tls *fresh[2];

	if (read_tls(server->config, fresh, err) < 0)
		return -1;
	fl_tls_free(server->inner->tls);
	fl_tls_free(server->inner->web_tls);
	server->inner->tls = fresh[0];
	server->inner->web_tls = fresh[1];
	return 0;
}

static struct fl_tokens *read_tokens(const struct fl_config *config, struct fl_err *err)
{
	struct fl_tokens *tokens = fl_tokens_create();

	if ((!config->token || fl_tokens_add(tokens, config->token, "*", "*", err) == 0) &&
	    (!config->token_file || fl_tokens_read(tokens, config->token_file, err) == 0))
		return tokens;
	fl_tokens_free(tokens);
	return NULL;
}

int fl_server_check(const struct fl_config *config, struct fl_err *err)
{
	struct fl_tokens *tokens = read_tokens(config, err);
	struct fl_tls *pair[2];

	if (!tokens)
		return -1;
	fl_tokens_free(tokens);
	if (read_tls(config, pair, err) < 0)
		return -1;
	fl_tls_free(pair[0]);
	fl_tls_free(pair[1]);
	return 0;
}

static int reload(struct fl_server *server, struct fl_err *err)
{
	struct fl_tokens *tokens = read_tokens(server->config, err);

	bool debug = server->config->log.debug;

	if (!tokens || fl_logging_reopen(&server->config->log, err) < 0 ||
	    (server->config->reread_debug &&
	     server->config->reread_debug(server->config->reread_arg, &debug, err) < 0) ||
	    open_tls(server, err) < 0) {
		fl_tokens_free(tokens);
		return -1;
	}
	fl_logging_set_debug(debug);
	fl_tokens_replace(server->tokens, tokens);
	event_active(server->inner->news, EV_TIMEOUT, 0);
	return 0;
}

static void on_reload(evutil_socket_t fd, short what, void *arg)
{
	struct fl_err err;

	(void)fd;
	(void)what;
	if (reload(arg, &err) < 0)
		fl_log(FL_LOG_ERROR, "reload: %s; what was there stays", err.text);
	else
		fl_log(FL_LOG_INFO, "reload: tokens, certificates and verbosity are read again");
}

static void on_journal(evutil_socket_t fd, short what, void *arg)
{
	struct fl_server *server = arg;

	(void)fd;
	(void)what;
	fl_index_refresh(server->index);
}

static void on_change(void *arg, struct fl_index_entry *entry, bool is_gone)
{
	struct fl_server *server = arg;

	if (is_gone)
		fl_jobs_forget(server->jobs, entry);
}

/* Whoever looked into the index first has read the lines: in the middle of a call, perhaps. */
static void on_news(void *arg)
{
	struct fl_server *server = arg;

	event_active(server->inner->news, EV_TIMEOUT, 0);
}

static void tell_news(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fl_host_woken(arg);
}

static void open_rpc(struct fl_server *server)
{
	struct fl_rpc_options options = {
		.base = server->inner->base,
		.types = server->types,
		.gate = fl_access_gate(server),
		.max_message = MAX_MESSAGE,
		.max_waiting = FL_MAX_WAITING,
		.server = server,
	};

	server->inner->rpc = fl_rpc_create(&options);
	server->inner->connections =
		fl_connections_create(server->config, server->inner->base, server->inner->rpc);
	fl_services_add(server->inner->rpc);
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	fl_manager_tell("WATCHDOG=1");
}

/* Twice as often as it is asked for. */
static void open_watchdog(struct fl_server_inner *inner)
{
	uint64_t every = fl_manager_watchdog_us() / 2;
	struct timeval time = { (time_t)(every / 1000000), (suseconds_t)(every % 1000000) };

	if (!every)
		return;
	inner->watchdog = event_new(inner->base, -1, EV_PERSIST, on_watchdog, NULL);
	if (!inner->watchdog)
		abort();
	evtimer_add(inner->watchdog, &time);
}

static void open_events(struct fl_server *server)
{
	struct fl_server_inner *inner = server->inner;

	inner->signals[0] = evsignal_new(inner->base, SIGTERM, on_stop, server);
	inner->signals[1] = evsignal_new(inner->base, SIGINT, on_stop, server);
	inner->signals[2] = evsignal_new(inner->base, SIGHUP, on_reload, server);
	for (size_t i = 0; i < FL_COUNT(inner->signals); i++)
		evsignal_add(inner->signals[i], NULL);
	inner->journal = event_new(inner->base, fl_index_fd(server->index), EV_READ | EV_PERSIST,
				   on_journal, server);
	event_add(inner->journal, NULL);
	inner->news = evtimer_new(inner->base, tell_news, server);
	if (!inner->news)
		abort();
	fl_index_on_news(server->index, on_news, server);
	open_watchdog(inner);
}

static int open_vms(struct fl_server *server, struct fl_err *err)
{
	const struct fl_config *config = server->config;

	if (fl_state_open(&server->state, config->state_dir, true, err) < 0)
		return -1;
	server->inner->lock = fl_lock_file(server->state.dirfd, "serve.lock", FL_LOCK_EXCLUSIVE,
					   LOCK_MS, err);
	if (server->inner->lock < 0)
		return err->kind == FL_ERR_BUSY
			       ? fl_err_set(err, FL_ERR_BUSY, "%s: another fl-serve serves this state "
					    "folder; end it, or give another --state-dir",
					    server->state.dir)
			       : fl_err_prefix(err, "%s", server->state.dir);
	server->index = fl_index_open(&server->state,
				      fl_types_find(server->types, "flintlock.types.MicroVM"), err);
	if (!server->index)
		return -1;
	server->jobs = fl_jobs_create(&(struct fl_jobs_options){
		.base = server->inner->base, .state = &server->state, .index = server->index,
		.accel = config->accel, .qemu = config->qemu, .most = config->jobs,
		.most_retries = config->most_retries });
	fl_index_watch(server->index, on_change, server);
	return 0;
}

struct fl_server *fl_server_create(const struct fl_config *config, struct fl_err *err)
{
	struct fl_server *server = fl_alloc_zero(1, sizeof(*server));

	/* Large answers are rare, and go back to the system when they are sent. */
	mallopt(M_MMAP_THRESHOLD, 256 << 10);
	mallopt(M_TRIM_THRESHOLD, 256 << 10);
	server->config = config;
	server->state.dirfd = -1;
	server->inner = fl_alloc_zero(1, sizeof(*server->inner));
	server->inner->lock = -1;
	server->inner->base = event_base_new();
	if (!server->inner->base)
		abort();
	server->types = fl_types_load(fl_api_bytes, fl_api_size);
	server->rate = fl_rate_create(config->max_requests);
	server->tokens = read_tokens(config, err);
	if (!server->tokens || open_tls(server, err) < 0 || open_vms(server, err) < 0) {
		fl_server_free(server);
		return NULL;
	}
	open_rpc(server);
	open_events(server);
	return server;
}

int fl_server_run(struct fl_server *server, struct fl_err *err)
{
	server->inner->grpc = fl_listener_open(server->inner->base, server->config->grpc_endpoint,
					       take_grpc, server, err);
	if (!server->inner->grpc)
		return -1;
	if (server->config->local_endpoint) {
		server->inner->local = fl_listener_open(server->inner->base, server->config->local_endpoint,
							take_local, server, err);
		if (!server->inner->local)
			return -1;
	}
	server->inner->web = fl_web_open(server, server->inner->rpc, server->inner->base,
					 &server->inner->web_tls, err);
	if (!server->inner->web)
		return -1;
	fl_log(FL_LOG_INFO, "%s: listening for gRPC%s", server->config->grpc_endpoint,
	       server->inner->tls ? " (TLS)" : "");
	if (server->config->local_endpoint)
		fl_log(FL_LOG_INFO, "%s: listening for gRPC of who may use the socket's file",
		       server->config->local_endpoint);
	if (server->config->http_endpoint)
		fl_log(FL_LOG_INFO, "%s: listening for HTTP%s", server->config->http_endpoint,
		       server->inner->web_tls ? " (TLS)" : "");
	if (server->config->debug_endpoint)
		fl_log(FL_LOG_INFO, "%s: listening for metrics and health", server->config->debug_endpoint);
	fl_manager_tell("READY=1");
	fl_jobs_resume(server->jobs);
	signal(SIGPIPE, SIG_IGN); /* a client that left is an error of its connection */
	event_base_dispatch(server->inner->base);
	return 0;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

static void free_events(struct fl_server_inner *inner)
{
	for (size_t i = 0; i < FL_COUNT(inner->signals); i++)
		free_event(inner->signals[i]);
	free_event(inner->journal);
	free_event(inner->news);
	free_event(inner->stop);
	free_event(inner->stopping);
	free_event(inner->watchdog);
}

static void free_inner(struct fl_server_inner *inner)
{
	fl_listener_close(inner->grpc);
	fl_listener_close(inner->local);
	fl_rpc_destroy(inner->rpc);
	fl_tls_free(inner->tls);
	fl_tls_free(inner->web_tls);
	event_base_free(inner->base);
	if (inner->lock >= 0)
		close(inner->lock);
	free(inner);
}

void fl_server_free(struct fl_server *server)
{
	if (!server)
		return;
	fl_web_close(server->inner->web);
	fl_connections_destroy(server->inner->connections);
	free_events(server->inner);
	fl_jobs_destroy(server->jobs);
	fl_index_close(server->index);
	free_inner(server->inner);
	fl_tokens_free(server->tokens);
	fl_rate_free(server->rate);
	fl_types_free(server->types);
	fl_state_close(&server->state);
	free(server);
}
