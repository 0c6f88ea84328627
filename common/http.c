/* SPDX-License-Identifier: MPL-2.0 */
#include "common/http.h"

#include "common/alloc.h"
#include "common/log.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define OTHER_BODY_LIMIT (64 << 10)

struct fl_http {
	struct fl_http_options options;
	CURLM *multi;
};

/* One transfer under way. */
struct running {
	struct fl_http_transfer *transfer;
	struct fl_err *err;
	CURL *easy;
	struct curl_slist *headers;
	uint64_t received;
	bool failed; /* err is set by a callback */
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

static size_t on_body(char *data, size_t one, size_t size, void *arg)
{
	struct running *run = arg;
	struct fl_http_transfer *transfer = run->transfer;
	long status = 0;
	int rc;

	(void)one;
	curl_easy_getinfo(run->easy, CURLINFO_RESPONSE_CODE, &status);
	run->received += size;
	if (status / 100 != 2 || !transfer->write)
		return keep_body(run, data, size, status / 100 == 2) < 0 ? fail(run) : size;
	if (transfer->limit && run->received > transfer->limit)
		rc = fl_err_set(run->err, FL_ERR_CORRUPT, "%s: more than the expected %llu bytes came",
				transfer->url, (unsigned long long)transfer->limit);
	else
		rc = transfer->write(transfer->arg, data, size, run->err);
	return rc < 0 ? fail(run) : size;
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

/* Logins, as headers and in a proxy's address, and the queries of signed addresses. */
static bool may_hold_secret(const char *line)
{
	static const char *const words[] = { "auth", "cookie", "proxy env variable", "@", "?" };

	for (size_t i = 0; i < FL_COUNT(words); i++)
		if (strcasestr(line, words[i]))
			return true;
	return false;
}

static int on_debug(CURL *easy, curl_infotype type, char *data, size_t size, void *arg)
{
	fl_cleanup_free char *line = NULL;

	(void)easy;
	(void)arg;
	if (type != CURLINFO_TEXT || !size)
		return 0;
	line = fl_strndup(data, size - 1);
	if (!may_hold_secret(line))
		fl_log(FL_LOG_DEBUG, "http: %s", line);
	return 0;
}

static void set_request(const struct fl_http_transfer *transfer, CURL *easy)
{
	bool is_safe = strncasecmp(transfer->url, "https:", 6) == 0;

	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, is_safe ? "https" : "http,https");
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, transfer->send ? 0L : 1L);
	curl_easy_setopt(easy, CURLOPT_MAXREDIRS, 10L);
	if (transfer->send) {
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->send);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)transfer->send_size);
	}
	if (transfer->method)
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

static void set_options(struct fl_http *http, struct running *run)
{
	CURL *easy = run->easy;

	curl_easy_setopt(easy, CURLOPT_URL, run->transfer->url);
	curl_easy_setopt(easy, CURLOPT_USERAGENT, http->options.agent);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	set_request(run->transfer, easy);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 30L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L << 10);
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

static void start(struct fl_http *http, struct fl_http_transfer *transfer, struct fl_err *err)
{
	struct running *run = fl_alloc_zero(1, sizeof(*run));

	run->transfer = transfer;
	run->err = err;
	run->easy = curl_easy_init();
	if (!run->easy)
		abort();
	transfer->state = run;
	fl_str_clear(&transfer->body);
	set_options(http, run);
	curl_multi_add_handle(http->multi, run->easy);
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
	run->transfer->status = (int)status;
	if (code == CURLE_OK)
		return 0;
	if (run->failed)
		return -1;
	if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
		return fl_err_set(run->err, FL_ERR_INVALID, "%s: %s", url, why);
	return fl_err_set(run->err, FL_ERR_UNAVAILABLE, "%s: %s", url, why);
}

/* Ends what has finished; -1 at the first failure. */
static int collect(struct fl_http *http, size_t *active)
{
	struct running *run;
	CURLMsg *message;
	int left, rc = 0;

	while (rc == 0 && (message = curl_multi_info_read(http->multi, &left))) {
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &run);
		rc = judge(run, message->data.result);
		end(http, run->transfer);
		--*active;
	}
	return rc;
}

static void sleep_until_ready(struct fl_http *http, const struct fl_cancel *cancel)
{
	struct curl_waitfd extra[2] = {
		{ .fd = fl_cancel_signal_fd(), .events = CURL_WAIT_POLLIN },
		{ .fd = cancel ? cancel->fd : -1, .events = CURL_WAIT_POLLIN },
	};
	unsigned first = extra[0].fd < 0, past = extra[1].fd < 0 ? 1 : 2;

	curl_multi_poll(http->multi, extra + first, past > first ? past - first : 0, 1000, NULL);
}

int fl_http_run(struct fl_http *http, struct fl_http_transfer *transfers, size_t count,
		unsigned parallel, const struct fl_cancel *cancel, struct fl_err *err)
{
	size_t next = 0, active = 0;
	int rc = 0, running;

	while (rc == 0 && (next < count || active)) {
		for (; next < count && active < parallel; active++)
			start(http, &transfers[next++], err);
		curl_multi_perform(http->multi, &running);
		rc = collect(http, &active);
		if (rc == 0)
			rc = fl_cancel_check(cancel, err);
		if (rc == 0 && active && running)
			sleep_until_ready(http, cancel);
	}
	for (size_t i = 0; i < next; i++)
		end(http, &transfers[i]);
	return rc;
}

void fl_http_transfer_finish(struct fl_http_transfer *transfer)
{
	fl_str_finish(&transfer->body);
	fl_str_finish(&transfer->headers_text);
}

bool fl_http_header(const struct fl_http_transfer *transfer, const char *name, struct fl_str *out)
{
	const char *line = transfer->headers_text.data;
	size_t len = strlen(name);
	bool found = false;

	for (; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (strncasecmp(line, name, len) != 0 || line[len] != ':')
			continue;
		line += len + 1;
		line += strspn(line, " \t");
		fl_str_add(out, found ? ", " : "");
		fl_str_add_bytes(out, line, strcspn(line, "\r\n"));
		found = true;
	}
	return found;
}

void fl_http_escape(const char *text, struct fl_str *out)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-._~";

	for (; *text; text++) {
		if (strchr(plain, *text))
			fl_str_add_bytes(out, text, 1);
		else
			fl_str_addf(out, "%%%02X", (unsigned char)*text);
	}
}
