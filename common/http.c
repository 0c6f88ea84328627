/* SPDX-License-Identifier: MPL-2.0 */
#include "common/http.h"

#include "common/alloc.h"
#include "common/clock.h"
#include "common/log.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define OTHER_BODY_LIMIT (64 << 10)

#define FIRST_PAUSE_MS 500
#define LONGEST_PAUSE_MS 30000
#define LONGEST_SLEEP_MS 1000
#define LONGEST_WISH_S 60 /* of Retry-After */
#define GOOD_TRY (1 << 20)
#define LATE_US 100000 /* that a rate makes up for */

struct fl_http {
	struct fl_http_options options;
	CURLM *multi;
	int64_t free_us; /* with a rate: when the next bytes may come */
};

/* One transfer under way. */
struct running {
	struct fl_http *http;
	struct fl_http_transfer *transfer;
	struct fl_err *err;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t sent;    /* of a file */
	uint64_t from;    /* where this try began in the body */
	uint64_t skip;    /* bytes to pass over: the range was not minded */
	bool judged;      /* whether it was is known */
	unsigned tries;   /* that failed */
	int64_t again_ms; /* waits for this time to be tried again; 0: under way */
	bool is_held;     /* has bytes that the rate does not allow yet */
	bool failed;      /* err is set by a callback */
	char message[CURL_ERROR_SIZE];
};

struct fl_http *fl_http_create(const struct fl_http_options *options)
{
	struct fl_http *http = fl_alloc_zero(1, sizeof(*http));

	curl_global_init(CURL_GLOBAL_DEFAULT);
	http->options = *options;
	http->multi = curl_multi_init();
	if (!http->multi)
		abort();
	return http;
}

void fl_http_destroy(struct fl_http *http)
{
	if (!http)
		return;
	curl_multi_cleanup(http->multi);
	curl_global_cleanup();
	free(http);
}

static size_t fail(struct running *run)
{
	run->failed = true;
	return CURL_WRITEFUNC_ERROR;
}

static int keep_body(struct running *run, const char *data, size_t size, bool wanted)
{
	struct fl_http_transfer *transfer = run->transfer;
	size_t limit = wanted && transfer->limit ? transfer->limit : OTHER_BODY_LIMIT;

	if (transfer->body.len + size <= limit) {
		fl_str_add_bytes(&transfer->body, data, size);
		return 0;
	}
	if (!wanted)
		return 0;
	return fl_err_set(run->err, FL_ERR_CORRUPT, "%s: the answer is larger than %zu bytes",
			  transfer->url, limit);
}

/* The answer to a range is the range, or all. */
static int judge_range(struct running *run, long status)
{
	fl_cleanup_str struct fl_str range = FL_STR_INIT;
	fl_cleanup_free char *wanted = fl_asprintf("bytes %llu-", (unsigned long long)run->from);

	if (run->judged)
		return 0;
	run->judged = true;
	run->skip = status == 206 ? 0 : run->from;
	if (status != 206 || (fl_http_header(run->transfer, "Content-Range", &range) &&
			      fl_str_starts(range.data, wanted)))
		return 0;
	return fl_err_set(run->err, FL_ERR_CORRUPT, "%s: wanted %s, another part came (%.60s)",
			  run->transfer->url, wanted, range.len ? range.data : "unnamed");
}

static int pass_on(struct running *run, long status, const char *data, size_t size)
{
	struct fl_http_transfer *transfer = run->transfer;
	size_t skipped;

	if (run->from && judge_range(run, status) < 0)
		return -1;
	skipped = run->skip < size ? run->skip : size;
	run->skip -= skipped;
	size -= skipped;
	if (!size)
		return 0;
	transfer->received += size;
	if (transfer->limit && transfer->received > transfer->limit)
		return fl_err_set(run->err, FL_ERR_CORRUPT,
				  "%s: more than the expected %llu bytes came", transfer->url,
				  (unsigned long long)transfer->limit);
	return transfer->write(transfer->arg, data + skipped, size, run->err);
}

/* Whether the bytes may be taken now; all that were taken move the time for the next ones. What is
 * late is made up for: waking takes a millisecond, and bytes come 16 KiB at a time. */
static bool rate_allows(struct fl_http *http, size_t size)
{
	int64_t now = fl_clock_us();

	if (!http->options.rate)
		return true;
	if (now < http->free_us)
		return false;
	if (http->free_us < now - LATE_US)
		http->free_us = http->free_us ? now - LATE_US : now;
	http->free_us += (int64_t)(1e6 * (double)size / (double)http->options.rate);
	return true;
}

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	struct running *run = arg;
	long status = 0;

	(void)one;
	if (!rate_allows(run->http, size)) {
		run->is_held = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status / 100 != 2 || !run->transfer->write)
		return keep_body(run, data, size, status / 100 == 2) < 0 ? fail(run) : size;
	return pass_on(run, status, data, size) < 0 ? fail(run) : size;
}

static size_t on_header(char *data, size_t one, size_t size, void *arg)
{
	struct running *run = arg;

	(void)one;
	/* A status line starts the next answer after a redirection or "100 Continue". */
	if (size > 5 && strncmp(data, "HTTP/", 5) == 0)
		fl_str_clear(&run->transfer->headers_text);
	if (run->transfer->headers_text.len + size <= OTHER_BODY_LIMIT)
		fl_str_add_bytes(&run->transfer->headers_text, data, size);
	return size;
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	fl_cleanup_free char *line = fl_strndup(data, size ? size - 1 : 0);

	(void)easy;
	(void)arg;
	if (type != CURLINFO_TEXT)
		return 0;
	if (!fl_http_may_hold_secret(line))
		fl_log(FL_LOG_DEBUG, "http: %s", line);
	return 0;
}

static size_t on_send(char *buffer, size_t one, size_t size, void *arg)
{
	struct running *run = arg;
	const struct fl_http_file *file = run->transfer->file;
	uint64_t left = file->size - run->sent;
	ssize_t got;

	(void)one; /* it is 1 */
	size = size < left ? size : left;
	got = size ? pread(file->fd, buffer, size, (off_t)(file->offset + run->sent)) : 0;
	if (got < 0 || (size && got == 0)) {
		fl_err_set(run->err, FL_ERR_CORRUPT, "%s: what is to be sent cannot be read whole",
			   run->transfer->url);
		run->failed = true;
		return CURL_READFUNC_ABORT;
	}
	run->sent += (uint64_t)got;
	if (file->sent)
		file->sent(file->arg, run->sent);
	return (size_t)got;
}

static int on_rewind(void *arg, curl_off_t offset, int origin)
{
	struct running *run = arg;

	if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > run->transfer->file->size)
		return CURL_SEEKFUNC_FAIL;
	run->sent = (uint64_t)offset;
	return CURL_SEEKFUNC_OK;
}

static void set_file(struct running *run)
{
	CURL *easy = run->easy;

	curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_READDATA, run);
	curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_rewind);
	curl_easy_setopt(easy, CURLOPT_SEEKDATA, run);
	curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)run->transfer->file->size);
	curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
}

static void set_request(const struct fl_http_transfer *transfer, CURL *easy)
{
	bool is_safe = strncasecmp(transfer->url, "https:", 6) == 0;
	bool is_sent = transfer->send || transfer->file;

	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_safe ? "https" : "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, is_sent ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
	if (transfer->send) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->send);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)transfer->send_size);
	}
	if (transfer->method && strcmp(transfer->method, "HEAD") == 0)
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
	else if (transfer->method)
		curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method);
}

static void set_tls(const struct fl_http_options *options, CURL *easy)
{
	if (options->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, options->ca_file);
		curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
	}
	if (options->cert_file)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, options->cert_file);
	if (options->key_file)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, options->key_file);
	if (options->skip_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

/* Pieces that a rate allows a few times a second. */
static long buffer_size(const struct fl_http_options *options)
{
	uint64_t size = options->rate / 8;

	if (!options->rate || size > 256 << 10)
		return 256 << 10;
	return size < 1024 ? 1024 : (long)size;
}

static void set_options(struct fl_http *http, struct running *run)
{
	CURL *easy = run->easy;

	curl_easy_setopt(easy, CURLOPT_URL, run->transfer->url);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, http->options.agent);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_NOPROXY, http->options.no_proxy);
	set_request(run->transfer, easy);
	if (run->transfer->file)
		set_file(run);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 30L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, buffer_size(&http->options));
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, run);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, run->message);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, run);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, run);
	set_tls(&http->options, easy);
	if (http->options.verbose) {
		curl_easy_setopt(easy, CURLOPT_VERBOSE, 1L);
		curl_easy_setopt(easy, CURLOPT_DEBUGFUNCTION, on_debug);
	}
	for (const char *const *h = run->transfer->headers; h && *h; h++)
		run->headers = curl_slist_append(run->headers, *h);
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, run->headers);
}

static void begin_try(struct fl_http *http, struct running *run)
{
	struct fl_http_transfer *transfer = run->transfer;
	char range[32];

	fl_str_clear(&transfer->body);
	run->from = transfer->received;
	run->skip = 0;
	run->again_ms = 0;
	run->judged = run->is_held = false;
	*run->message = 0;
	snprintf(range, sizeof(range), "%llu-", (unsigned long long)run->from);
	curl_easy_setopt(run->easy, CURLOPT_RANGE, run->from ? range : NULL);
	curl_multi_add_handle(http->multi, run->easy);
}

static void start(struct fl_http *http, struct fl_http_transfer *transfer, struct fl_err *err)
{
	struct running *run = fl_alloc_zero(1, sizeof(*run));

	run->http = http;
	run->transfer = transfer;
	run->err = err;
	run->easy = curl_easy_init();
	if (!run->easy)
		abort();
	transfer->state = run;
	set_options(http, run);
	begin_try(http, run);
}

static void end(struct fl_http *http, struct fl_http_transfer *transfer)
{
	struct running *run = transfer->state;

	if (!run)
		return;
	curl_multi_remove_handle(http->multi, run->easy);
	curl_easy_cleanup(run->easy);
	curl_slist_free_all(run->headers);
	free(run);
	transfer->state = NULL;
}

static int judge(struct running *run, CURLcode code)
{
	const char *url = run->transfer->url;
	const char *why = *run->message ? run->message : curl_easy_strerror(code);
	long status = 0;

	curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	run->transfer->status = run->from && status == 206 ? 200 : (int)status;
	if (code == CURLE_OK || run->failed)
		return code == CURLE_OK ? 0 : -1;
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
		return fl_err_set(run->err, FL_ERR_INVALID, "%s: %s", url, why);
	run->transfer->tls = fl_http_tls_of(why);
	return fl_err_set(run->err, FL_ERR_UNAVAILABLE, "%s: %s", url, why);
}

static bool is_passing(CURLcode code, long status)
{
	static const CURLcode cuts[] = {
		CURLE_PARTIAL_FILE, CURLE_RECV_ERROR,         CURLE_SEND_ERROR, CURLE_GOT_NOTHING,
		CURLE_HTTP2,        CURLE_OPERATION_TIMEDOUT, CURLE_HTTP2_STREAM,
	};
	static const long faults[] = { 408, 429, 500, 502, 503, 504 };

	for (size_t i = 0; code != CURLE_OK && i < FL_COUNT(cuts); i++)
		if (cuts[i] == code)
			return true;
	for (size_t i = 0; code == CURLE_OK && i < FL_COUNT(faults); i++)
		if (faults[i] == status)
			return true;
	return false;
}

/* Whether it is tried again, after a pause. */
static bool put_off(const struct fl_http *http, struct running *run, CURLcode code)
{
	const struct fl_http_transfer *transfer = run->transfer;
	curl_off_t wish = 0;
	int64_t pause = FIRST_PAUSE_MS;
	long status = 0;

	curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(run->easy, CURLINFO_RETRY_AFTER, &wish);
	if (transfer->received >= run->from + GOOD_TRY)
		run->tries = 0;
	if (run->failed || transfer->file || !is_passing(code, status) ||
	    run->tries >= http->options.retries || wish > LONGEST_WISH_S)
		return false;
	for (unsigned i = 0; i < run->tries && pause < LONGEST_PAUSE_MS; i++)
		pause *= 2;
	pause = wish > 0 ? wish * 1000 : pause < LONGEST_PAUSE_MS ? pause : LONGEST_PAUSE_MS;
	run->tries++;
	run->is_held = false; /* what this try held is gone with it */
	run->again_ms = fl_clock_ms() + pause;
	fl_log(FL_LOG_DEBUG, "%s: %s (status %ld); try %u of %u in %lld ms, from byte %llu",
	       transfer->url, code ? curl_easy_strerror(code) : "a fault", status, run->tries + 1,
	       http->options.retries + 1, (long long)pause, (unsigned long long)transfer->received);
	return true;
}

/* Ends what has finished; -1 at the first failure. */
static int collect(struct fl_http *http, size_t *active)
{
	struct running *run;
	CURLMsg *message;
	CURLcode code;
	int left, rc = 0;

	while (rc == 0 && (message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &run);
		code = message->data.result;
		curl_multi_remove_handle(http->multi, run->easy);
		if (put_off(http, run, code))
			continue;
		rc = judge(run, code);
		end(http, run->transfer);
		--*active;
	}
	return rc;
}

/* How long a transfer waits yet; what does not wait may be slept over for longest. */
static int64_t left_ms(const struct running *run)
{
	int64_t until = !run ? 0 : run->is_held ? run->http->free_us / 1000 + 1 : run->again_ms;

	return until ? until - fl_clock_ms() : LONGEST_SLEEP_MS;
}

static void let_go_on(struct running *run)
{
	if (!run->is_held) {
		begin_try(run->http, run);
		return;
	}
	/* Bytes may come, and be held again, before it returns. */
	run->is_held = false;
	curl_easy_pause(run->easy, CURLPAUSE_CONT);
}

static void go_on(struct fl_http_transfer *transfers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (left_ms(transfers[i].state) <= 0)
			let_go_on(transfers[i].state);
}

/* Until the first that waits by now may go on. */
static int may_sleep_ms(const struct fl_http_transfer *transfers, size_t count)
{
	int64_t most = LONGEST_SLEEP_MS;

	for (size_t i = 0; i < count; i++)
		if (left_ms(transfers[i].state) < most)
			most = left_ms(transfers[i].state);
	return most > 0 ? (int)most : 0;
}

static void sleep_until_ready(struct fl_http *http, int most_ms, const struct fl_cancel *cancel)
{
	struct curl_waitfd extra[2] = {
		{ .fd = fl_cancel_signal_fd(), .events = CURL_WAIT_POLLIN },
		{ .fd = cancel ? cancel->fd : -1, .events = CURL_WAIT_POLLIN },
	};
	unsigned first = extra[0].fd < 0, past = extra[1].fd < 0 ? 1 : 2;

	curl_multi_poll(http->multi, extra + first, past > first ? past - first : 0, most_ms, NULL);
}

int fl_http_run(struct fl_http *http, struct fl_http_transfer *transfers, size_t count,
		unsigned parallel, const struct fl_cancel *cancel, struct fl_err *err)
{
	size_t next = 0, active = 0;
	int rc = 0, running;

	while (rc == 0 && (next < count || active)) {
		for (; next < count && active < parallel; active++)
			start(http, &transfers[next++], err);
		go_on(transfers, next);
		curl_multi_perform(http->multi, &running);
		rc = collect(http, &active);
		if (rc == 0)
			rc = fl_cancel_check(cancel, err);
		if (rc == 0 && active && (next == count || active == parallel))
			sleep_until_ready(http, may_sleep_ms(transfers, next), cancel);
	}
	for (size_t i = 0; i < next; i++)
		end(http, &transfers[i]);
	return rc;
}
