/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/download.h"

#include "common/alloc.h"
#include "common/http.h"
#include "common/io.h"
#include "common/log.h"
#include "common/sha256.h"

#include <fcntl.h>
#include <string.h>

#define LARGEST ((uint64_t)256 << 20)

static int take_bytes(void *arg, const void *data, size_t size, struct fl_err *err)
{
	(void)err;
	fl_str_add_bytes(arg, data, size);
	return 0;
}

static bool is_loopback(const char *url)
{
	static const char *const hosts[] = { "http://127.0.0.1", "http://localhost", "http://[::1]" };

	for (size_t i = 0; i < FL_COUNT(hosts); i++)
		if (fl_str_starts(url, hosts[i]) && strchr(":/", url[strlen(hosts[i])]))
			return true;
	return false;
}

static int fetch(const struct fl_host *host, const char *url, struct fl_str *bytes,
		 struct fl_err *err)
{
	struct fl_http_transfer get = { .url = url, .write = take_bytes, .arg = bytes,
					.limit = LARGEST };
	struct fl_http *http;
	int rc;

	if (!fl_str_starts(url, "https://") && !is_loopback(url))
		return fl_err_set(err, FL_ERR_INVALID, "%s: only https:// is fetched", url);
	http = fl_http_create(&(struct fl_http_options){ .agent = "fl-provision",
							 .ca_file = host->ca_file });
	fl_log(FL_LOG_INFO, "fetches %s", url);
	rc = fl_http_run(http, &get, 1, 1, NULL, err);
	if (rc == 0 && get.status != 200)
		rc = fl_err_set(err, get.status == 404 ? FL_ERR_NOT_FOUND : FL_ERR_UNAVAILABLE,
				"%s: the server answers with status %d", url, get.status);
	fl_http_transfer_finish(&get);
	fl_http_destroy(http);
	return rc;
}

static int check_digest(const char *name, const char *sha256, const struct fl_str *bytes,
			struct fl_err *err)
{
	char hex[FL_SHA256_HEX];

	fl_sha256_hex(bytes->data, bytes->len, hex);
	if (strcmp(hex, sha256) == 0)
		return 0;
	return fl_err_set(err, FL_ERR_CORRUPT, "%s: its sha256 is %s, and not %s; nothing of it is "
			  "used", name, hex, sha256);
}

int fl_download(const struct fl_host *host, const char *url, const char *name, const char *sha256,
		struct fl_str *bytes, struct fl_err *err)
{
	const char *from = host->offline ? host->offline : host->mirror ? host->mirror : url;
	bool has_slash = fl_str_ends(from, "/");
	fl_cleanup_free char *place = fl_asprintf("%s%s%s", from, has_slash ? "" : "/", name);

	fl_str_add(bytes, "");
	if (host->offline ? fl_io_read_file(AT_FDCWD, place, LARGEST, bytes, err) < 0
			  : fetch(host, place, bytes, err) < 0)
		return -1;
	return check_digest(place, sha256, bytes, err);
}

char *fl_download_listed(const struct fl_host *host, const char *name)
{
	fl_cleanup_free char *path =
		fl_asprintf("%s/SHA256SUMS", host->offline ? host->offline : "");
	fl_cleanup_str struct fl_str text = FL_STR_INIT;
	char *save = NULL;

	if (!host->offline || fl_io_read_file(AT_FDCWD, path, 1 << 20, &text, NULL) < 0 || !text.len)
		return NULL;
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (strspn(line, "0123456789abcdef") == FL_SHA256_HEX - 1 &&
		    strlen(line) > FL_SHA256_HEX + 1 && strcmp(line + FL_SHA256_HEX + 1, name) == 0)
			return fl_strndup(line, FL_SHA256_HEX - 1);
	return NULL;
}
