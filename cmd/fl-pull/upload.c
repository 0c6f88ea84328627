/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/upload.h"

#include "cmd/fl-pull/answer.h"
#include "cmd/fl-pull/host.h"
#include "common/alloc.h"

#include <string.h>

#define ANSWER_LIMIT (1 << 20)

int fl_upload_has(struct fl_registry *registry, const char *digest, struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/blobs/%s", registry->base, digest);
	struct fl_http_transfer head = { .url = url, .method = "HEAD", .limit = ANSWER_LIMIT };
	int rc = fl_registry_ask(registry, &head, NULL, err);

	if (rc == 0 && head.status != 200 && head.status != 404)
		rc = fl_answer_refuse(&head, err);
	fl_http_transfer_finish(&head);
	return rc < 0 ? -1 : head.status == 200;
}

/* Where the answer says that the bytes go; it may lack scheme and host. NULL with err. */
static char *location_of(const struct fl_registry *registry, const struct fl_http_transfer *answer,
			 struct fl_err *err)
{
	fl_cleanup_str struct fl_str where = FL_STR_INIT;
	const char *slash = strchr(strstr(registry->base, "://") + 3, '/');

	if (!fl_http_header(answer, "Location", &where) || !where.len) {
		fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: does not say where to send the blob",
			   answer->url);
		return NULL;
	}
	if (*where.data == '/')
		return fl_asprintf("%.*s%s", (int)(slash - registry->base), registry->base,
				   where.data);
	if (fl_str_starts(where.data, "https://") ||
	    (fl_str_starts(where.data, "http://") && fl_str_starts(registry->base, "http://")))
		return fl_str_steal(&where);
	fl_err_set(err, FL_ERR_UNAVAILABLE,
		   "%s: the blob would have to go to \"%.200s\", without TLS", answer->url,
		   where.data);
	return NULL;
}

static char *begin(struct fl_registry *registry, struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/blobs/uploads/", registry->base);
	struct fl_http_transfer post = { .url = url, .send = "", .limit = ANSWER_LIMIT };
	int rc = fl_registry_ask(registry, &post, NULL, err);
	char *where = NULL;

	if (rc == 0 && post.status != 202)
		rc = fl_answer_refuse(&post, err);
	if (rc == 0)
		where = location_of(registry, &post, err);
	fl_http_transfer_finish(&post);
	return where;
}

/* To another host the bytes go without the login. */
static int send_to(struct fl_registry *registry, const char *where, struct fl_http_transfer *put,
		   struct fl_err *err)
{
	fl_cleanup_free char *host = fl_host_of_url(where);
	fl_cleanup_free char *own = fl_host_of_url(registry->base);

	if (strcmp(host, own) == 0)
		return fl_registry_ask(registry, put, "Content-Type: application/octet-stream",
				       err);
	return fl_http_run(registry->http, put, 1, 1, registry->cancel, err);
}

int fl_upload_blob(struct fl_registry *registry, const char *digest,
		   const struct fl_http_file *blob, struct fl_err *err)
{
	fl_cleanup_free char *where = begin(registry, err);
	fl_cleanup_str struct fl_str url = FL_STR_INIT;
	struct fl_http_transfer put = { .file = blob, .limit = ANSWER_LIMIT };
	int rc;

	if (!where)
		return -1;
	fl_str_addf(&url, "%s%sdigest=", where, strchr(where, '?') ? "&" : "?");
	fl_http_escape(digest, &url);
	put.url = url.data;
	rc = send_to(registry, where, &put, err);
	if (rc == 0 && put.status != 201)
		rc = fl_answer_refuse(&put, err);
	fl_http_transfer_finish(&put);
	return rc;
}

int fl_upload_manifest(struct fl_registry *registry, const char *tag, const char *media_type,
		       const struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/manifests/%s", registry->base, tag);
	fl_cleanup_free char *type = fl_asprintf("Content-Type: %s", media_type);
	struct fl_http_transfer put = { .url = url, .method = "PUT", .send = text->data,
					.send_size = text->len, .limit = ANSWER_LIMIT };
	int rc = fl_registry_ask(registry, &put, type, err);

	if (rc == 0 && put.status != 201)
		rc = fl_answer_refuse(&put, err);
	fl_http_transfer_finish(&put);
	return rc;
}
