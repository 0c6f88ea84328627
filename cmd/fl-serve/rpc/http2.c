/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/rpc/http2.h"

#include "common/alloc.h"
#include "common/clock.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

#define SHARE_OF_ONE 4           /* a connection may hold up that part of all that may wait */
#define MIN_WAITING (256 << 10) /* so much it may always: who reads pays for no other */
#define SEND_AHEAD (128 << 10) /* bytes given to the socket's buffer at most */
#define WINDOW (1 << 20)
#define MOST_HEADERS 96

struct fl_http2 {
	struct bufferevent *bev;
	nghttp2_session *session;
	const struct fl_http2_upper *upper;
	struct fl_http2_limits limits;
	void *arg;
	struct event *flush_later;
	struct fl_exchange *exchanges;
	size_t waiting; /* bytes of its answers that are not sent */
	int64_t heard_ms; /* when the client last said anything */
	bool greeted, begun, in_session, turned_away, closing;
};

/* Of all connections. */
static size_t waiting;

bool fl_http2_is_behind(const struct fl_http2 *connection)
{
	size_t share = waiting > connection->limits.max_waiting
			       ? MIN_WAITING
			       : connection->limits.max_waiting / SHARE_OF_ONE;

	return connection->waiting > share;
}

static void count_waiting(struct fl_http2 *connection, ssize_t bytes)
{
	connection->waiting += (size_t)bytes;
	waiting += (size_t)bytes;
}

static void unlink_exchange(struct fl_http2 *connection, struct fl_exchange *exchange)
{
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		connection->exchanges = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
}

/* Of an exchange that is in no list any more. */
static void exchange_free(struct fl_exchange *exchange)
{
	exchange->connection->upper->close(exchange);
	count_waiting(exchange->connection, -(ssize_t)(exchange->out.len - exchange->out_at));
	fl_exchange_finish(exchange);
	free(exchange);
}

void fl_http2_close(struct fl_http2 *connection)
{
	struct fl_exchange *exchange;

	if (connection->closing)
		return;
	connection->closing = true;
	while ((exchange = connection->exchanges)) {
		connection->exchanges = exchange->next;
		exchange_free(exchange);
	}
	connection->upper->gone(connection, connection->arg);
	nghttp2_session_del(connection->session);
	event_free(connection->flush_later);
	bufferevent_free(connection->bev);
	free(connection);
}

/* Moves frames to the socket, as far as the reader keeps up. Frees the connection when all
 * is said. */
static void flush(struct fl_http2 *connection)
{
	struct evbuffer *out = bufferevent_get_output(connection->bev);
	const uint8_t *data;
	ssize_t got = 0;

	connection->in_session = true;
	while (evbuffer_get_length(out) < SEND_AHEAD &&
	       (got = nghttp2_session_mem_send(connection->session, &data)) > 0)
		evbuffer_add(out, data, (size_t)got);
	connection->in_session = false;
	if (got < 0 || (!nghttp2_session_want_read(connection->session) &&
			!nghttp2_session_want_write(connection->session) &&
			evbuffer_get_length(out) == 0))
		fl_http2_close(connection);
}

static void flush_event(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	flush(arg);
}

/* nghttp2 does not allow sending from inside its callbacks. */
static void want_flush(struct fl_http2 *connection)
{
	if (!connection->in_session)
		event_active(connection->flush_later, EV_TIMEOUT, 0);
}

static void refuse_http1(struct fl_http2 *connection)
{
	static const char answer[] =
		"HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\n"
		"Content-Type: text/plain\r\n\r\nThis is a gRPC endpoint: it speaks HTTP/2 only.\n";

	connection->turned_away = true;
	bufferevent_disable(connection->bev, EV_READ);
	evbuffer_add(bufferevent_get_output(connection->bev), answer, sizeof(answer) - 1);
}

static void greet(struct fl_http2 *connection)
{
	const nghttp2_settings_entry settings[] = {
		{ NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, connection->limits.max_streams },
		{ NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, connection->limits.max_header_bytes },
		{ NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW },
	};

	connection->greeted = true;
	nghttp2_submit_settings(connection->session, NGHTTP2_FLAG_NONE, settings,
				FL_COUNT(settings));
	nghttp2_session_set_local_window_size(connection->session, NGHTTP2_FLAG_NONE, 0,
					      4 * WINDOW);
}

/* Nothing is said before the client has shown that it speaks HTTP/2: one that does not is
 * answered in its own language. */
static bool is_greeted(struct fl_http2 *connection, struct evbuffer *in)
{
	char head[NGHTTP2_CLIENT_MAGIC_LEN];
	ssize_t have;

	if (connection->greeted)
		return true;
	have = evbuffer_copyout(in, head, sizeof(head));
	if (have > 0 && memcmp(head, NGHTTP2_CLIENT_MAGIC, (size_t)have) != 0)
		refuse_http1(connection);
	else if (have == sizeof(head))
		greet(connection);
	return connection->greeted;
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct fl_http2 *connection = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	ssize_t used = 0;

	connection->heard_ms = fl_clock_ms();
	if (!is_greeted(connection, in))
		return;
	connection->in_session = true;
	while (evbuffer_get_length(in) > 0 && used >= 0) {
		size_t size = evbuffer_get_contiguous_space(in);

		used = nghttp2_session_mem_recv(connection->session, evbuffer_pullup(in, (ssize_t)size),
						size);
		evbuffer_drain(in, used > 0 ? (size_t)used : size);
	}
	connection->in_session = false;
	if (used < 0)
		fl_http2_close(connection);
	else
		flush(connection);
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct fl_http2 *connection = arg;

	(void)bev;
	if (connection->turned_away)
		fl_http2_close(connection);
	else
		flush(connection);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
		fl_http2_close(arg);
}

static struct fl_exchange *exchange_of(nghttp2_session *session, int32_t id)
{
	return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct fl_http2 *connection = arg;
	struct fl_exchange *exchange;

	if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
		return 0;
	exchange = fl_alloc_zero(1, sizeof(*exchange));
	exchange->connection = connection;
	exchange->id = frame->hd.stream_id;
	exchange->began_ms = fl_clock_ms();
	exchange->next = connection->exchanges;
	if (exchange->next)
		exchange->next->previous = exchange;
	connection->exchanges = exchange;
	nghttp2_session_set_stream_user_data(session, exchange->id, exchange);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags,
		     void *arg)
{
	struct fl_http2 *connection = arg;
	struct fl_exchange *exchange = exchange_of(session, frame->hd.stream_id);

	(void)flags;
	if (!exchange || exchange->request_ended || exchange->refused)
		return 0;
	/* RFC 9113, 10.5.1: the size counts 32 bytes more per field. */
	if (exchange->text.len + name_size + value_size +
			    32 * (exchange->headers.count + 1) > connection->limits.max_header_bytes ||
	    exchange->headers.count >= MOST_HEADERS) {
		exchange->refused = true;
		return nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, exchange->id,
						 NGHTTP2_ENHANCE_YOUR_CALM);
	}
	fl_exchange_add(exchange, name, name_size, value, value_size);
	return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct fl_http2 *connection = arg;
	struct fl_exchange *exchange;

	connection->begun |= frame->hd.type == NGHTTP2_SETTINGS;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
		return 0;
	exchange = exchange_of(session, frame->hd.stream_id);
	if (!exchange || exchange->refused)
		return 0;
	if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
		connection->upper->begin(exchange);
	if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) {
		exchange->request_ended = true;
		connection->upper->end(exchange);
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
		   size_t size, void *arg)
{
	struct fl_http2 *connection = arg;
	struct fl_exchange *exchange = exchange_of(session, id);

	(void)flags;
	if (exchange && !exchange->refused)
		connection->upper->data(exchange, data, size);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
	struct fl_exchange *exchange = exchange_of(session, id);

	(void)code;
	(void)arg;
	if (exchange) {
		unlink_exchange(exchange->connection, exchange);
		exchange_free(exchange);
	}
	return 0;
}

/* An answer that did not wait for the whole request: the rest of it is not wanted. Asked
 * for earlier, the reset would overtake the answer. */
static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
	struct fl_exchange *exchange = exchange_of(session, frame->hd.stream_id);

	(void)arg;
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) && exchange &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) && !exchange->request_ended)
		nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, exchange->id,
					  NGHTTP2_NO_ERROR);
	return 0;
}

static void make_fields(const struct fl_header *headers, size_t count, nghttp2_nv *fields)
{
	for (size_t i = 0; i < count; i++)
		fields[i] = (nghttp2_nv){ (uint8_t *)headers[i].name, (uint8_t *)headers[i].value,
					  strlen(headers[i].name), strlen(headers[i].value),
					  NGHTTP2_NV_FLAG_NONE };
}

static ssize_t read_answer(nghttp2_session *session, int32_t id, uint8_t *to, size_t size,
			   uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct fl_exchange *exchange = source->ptr;
	size_t have = exchange->out.len - exchange->out_at;
	nghttp2_nv fields[8];

	(void)arg;
	if (!have && !exchange->out_ended) {
		fl_str_clear(&exchange->out);
		exchange->out_at = 0;
		exchange->connection->upper->room(exchange);
		have = exchange->out.len;
	}
	if (!have && !exchange->out_ended) {
		exchange->deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	have = have < size ? have : size;
	if (have)
		memcpy(to, exchange->out.data + exchange->out_at, have);
	exchange->out_at += have;
	count_waiting(exchange->connection, -(ssize_t)have);
	if (exchange->out_at < exchange->out.len || !exchange->out_ended)
		return (ssize_t)have;
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (exchange->trailers.count) {
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		make_fields(exchange->trailers.items, exchange->trailers.count, fields);
		nghttp2_submit_trailer(session, id, fields, exchange->trailers.count);
	}
	return (ssize_t)have;
}

void fl_exchange_respond(struct fl_exchange *exchange, const struct fl_header *headers,
			 size_t count, bool ended)
{
	nghttp2_data_provider provider = { .source.ptr = exchange, .read_callback = read_answer };
	nghttp2_nv fields[8];

	if (exchange->answered || count > FL_COUNT(fields))
		return;
	exchange->answered = true;
	make_fields(headers, count, fields);
	nghttp2_submit_response(exchange->connection->session, exchange->id, fields, count,
				ended ? NULL : &provider);
	want_flush(exchange->connection);
}

static void resume(struct fl_exchange *exchange)
{
	if (!exchange->deferred)
		return;
	exchange->deferred = false;
	nghttp2_session_resume_data(exchange->connection->session, exchange->id);
	want_flush(exchange->connection);
}

void fl_exchange_write(struct fl_exchange *exchange, const void *bytes, size_t size)
{
	fl_str_add_bytes(&exchange->out, bytes, size);
	count_waiting(exchange->connection, (ssize_t)size);
	resume(exchange);
}

void fl_exchange_end(struct fl_exchange *exchange, const struct fl_header *trailers, size_t count)
{
	if (exchange->out_ended)
		return;
	for (size_t i = 0; i < count; i++)
		FL_VEC_ADD(&exchange->trailers, ((struct fl_header){ fl_strdup(trailers[i].name),
								     fl_strdup(trailers[i].value) }));
	exchange->out_ended = true;
	resume(exchange);
}

void fl_exchange_reset(struct fl_exchange *exchange)
{
	exchange->refused = true;
	nghttp2_submit_rst_stream(exchange->connection->session, NGHTTP2_FLAG_NONE, exchange->id,
				  NGHTTP2_ENHANCE_YOUR_CALM);
	want_flush(exchange->connection);
}

static nghttp2_session *make_session(struct fl_http2 *connection)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_session *session;
	nghttp2_option *option;

	if (nghttp2_session_callbacks_new(&callbacks) || nghttp2_option_new(&option))
		abort();
	nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
	nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_sent);
	/* Answers to PING and SETTINGS that the client does not read. */
	nghttp2_option_set_max_outbound_ack(option, 256);
	nghttp2_option_set_no_closed_streams(option, 1);
	if (nghttp2_session_server_new2(&session, callbacks, connection, option))
		abort();
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_option_del(option);
	return session;
}

struct fl_http2 *fl_http2_open(struct bufferevent *bev, const struct fl_http2_upper *upper,
			       const struct fl_http2_limits *limits, void *arg)
{
	struct fl_http2 *connection = fl_alloc_zero(1, sizeof(*connection));

	connection->bev = bev;
	connection->upper = upper;
	connection->limits = *limits;
	connection->arg = arg;
	connection->heard_ms = fl_clock_ms();
	connection->session = make_session(connection);
	connection->flush_later = event_new(bufferevent_get_base(bev), -1, 0, flush_event,
					    connection);
	if (!connection->flush_later)
		abort();
	bufferevent_setcb(bev, on_read, on_write, on_event, connection);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	return connection;
}

void fl_http2_drain(struct fl_http2 *connection)
{
	/* Two steps, so that what is under way already is not lost (RFC 9113, 6.8). */
	nghttp2_submit_shutdown_notice(connection->session);
	nghttp2_submit_goaway(connection->session, NGHTTP2_FLAG_NONE,
			      nghttp2_session_get_last_proc_stream_id(connection->session),
			      NGHTTP2_NO_ERROR, NULL, 0);
	want_flush(connection);
}

void fl_http2_ping(struct fl_http2 *connection)
{
	nghttp2_submit_ping(connection->session, NGHTTP2_FLAG_NONE, NULL);
	want_flush(connection);
}

int64_t fl_http2_heard_ms(const struct fl_http2 *connection)
{
	return connection->heard_ms;
}

bool fl_http2_has_begun(const struct fl_http2 *connection)
{
	return connection->begun;
}

struct fl_exchange *fl_http2_exchanges(const struct fl_http2 *connection)
{
	return connection->exchanges;
}

void *fl_http2_arg(const struct fl_http2 *connection)
{
	return connection->arg;
}
