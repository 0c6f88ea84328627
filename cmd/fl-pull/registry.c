/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/registry.h"

#include "cmd/fl-pull/challenge.h"
#include "common/alloc.h"
#include "common/image.h"

#include <string.h>

static const char accept_manifests[] =
	"Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
	"application/vnd.docker.distribution.manifest.list.v2+json, "
	"application/vnd.docker.distribution.manifest.v2+json";

/* Loopback is this machine: nobody listens in between. */
static bool is_loopback(const char *host)
{
	return fl_str_starts(host, "127.") || fl_str_starts(host, "localhost") ||
	       fl_str_starts(host, "[::1]");
}

void fl_registry_init(struct fl_registry *registry, const struct fl_reference *reference,
		      const struct fl_registry_options *options, const struct fl_cancel *cancel)
{
	bool plain = options->plain_http || is_loopback(reference->host);
	/* The one registry whose API is not at the host of its names. */
	const char *host = strcmp(reference->host, "docker.io") == 0 ? "registry-1.docker.io"
								     : reference->host;

	*registry = (struct fl_registry){ .name = reference->name, .cancel = cancel };
	registry->http = fl_http_create(&(struct fl_http_options){
		.agent = "fl-pull/" FL_VERSION,
		.ca_file = options->ca_file,
		.verbose = options->verbose,
	});
	registry->base = fl_asprintf("%s://%s/v2/%s", plain ? "http" : "https", host,
				     reference->name);
}

void fl_registry_finish(struct fl_registry *registry)
{
	fl_http_destroy(registry->http);
	free(registry->base);
	free(registry->authorization);
	*registry = (struct fl_registry){ 0 };
}

/* What the registry itself says of the error, for the end of a message. */
static void add_reason(const struct fl_http_transfer *transfer, struct fl_str *text)
{
	fl_cleanup_json fl_json *body =
		fl_json_parse(transfer->body.data ? transfer->body.data : "", transfer->body.len,
			      "answer", NULL);
	const fl_json *first = fl_json_item(fl_json_get(body, "errors"), 0);
	const char *message = fl_json_text(fl_json_get(first, "message"));

	if (message)
		fl_str_addf(text, " (%.200s)", message);
}

static int refuse(const struct fl_http_transfer *transfer, struct fl_err *err)
{
	fl_cleanup_str struct fl_str reason = FL_STR_INIT;
	const char *why;

	fl_str_add(&reason, "");
	add_reason(transfer, &reason);
	why = reason.data ? reason.data : "";
	switch (transfer->status) {
	case 404:
		return fl_err_set(err, FL_ERR_NOT_FOUND, "%s: the registry does not have it%s",
				  transfer->url, why);
	case 401:
		return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "%s: the registry wants a login%s",
				  transfer->url, why);
	case 403:
		return fl_err_set(err, FL_ERR_DENIED, "%s: the registry refuses%s", transfer->url,
				  why);
	case 429:
		return fl_err_set(err, FL_ERR_UNAVAILABLE,
				  "%s: the registry wants fewer requests; try later%s",
				  transfer->url, why);
	default:
		return fl_err_set(err, FL_ERR_UNAVAILABLE, "%s: the registry answers %d%s",
				  transfer->url, transfer->status, why);
	}
}

/* Asks the realm of a challenge for a token. */
static int fetch_token(struct fl_registry *registry, const char *header, struct fl_err *err)
{
	fl_cleanup_str struct fl_str url = FL_STR_INIT;
	fl_cleanup_json fl_json *body = NULL;
	struct fl_http_transfer get = { .limit = 1 << 20 };
	const char *token;
	int rc = -1;

	if (fl_challenge_token_url(header, registry->name, &url, err) < 0)
		return -1;
	get.url = url.data;
	if (fl_http_run(registry->http, &get, 1, 1, registry->cancel, err) == 0)
		rc = get.status == 200 ? 0 : refuse(&get, err);
	if (rc == 0)
		body = fl_json_parse(get.body.data ? get.body.data : "", get.body.len, url.data, err);
	fl_http_transfer_finish(&get);
	if (!body)
		return -1;
	token = fl_json_text(fl_json_get(body, "token"));
	token = token ? token : fl_json_text(fl_json_get(body, "access_token"));
	if (!token || strpbrk(token, "\r\n"))
		return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "%s: gave no token", url.data);
	free(registry->authorization);
	registry->authorization = fl_asprintf("Authorization: Bearer %s", token);
	return 0;
}

static int run_once(struct fl_registry *registry, struct fl_http_transfer *get, const char *accept,
		    struct fl_err *err)
{
	const char *headers[] = { accept, registry->authorization, NULL };

	get->headers = headers;
	return fl_http_run(registry->http, get, 1, 1, registry->cancel, err);
}

int fl_registry_manifest(struct fl_registry *registry, const char *tag_or_digest,
			 struct fl_str *text, struct fl_str *media_type, struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/manifests/%s", registry->base, tag_or_digest);
	fl_cleanup_str struct fl_str challenge = FL_STR_INIT;
	struct fl_http_transfer get = { .url = url, .limit = FL_MANIFEST_LIMIT };
	int rc = run_once(registry, &get, accept_manifests, err);

	if (rc == 0 && get.status == 401 && !registry->authorization &&
	    fl_http_header(&get, "WWW-Authenticate", &challenge)) {
		rc = fetch_token(registry, challenge.data, err);
		if (rc == 0)
			rc = run_once(registry, &get, accept_manifests, err);
	}
	if (rc == 0 && get.status != 200)
		rc = refuse(&get, err);
	if (rc == 0) {
		fl_str_add_bytes(text, get.body.data, get.body.len);
		fl_http_header(&get, "Content-Type", media_type);
	}
	fl_http_transfer_finish(&get);
	return rc;
}

void fl_registry_prepare_blob(const struct fl_registry *registry, const char *digest,
			      struct fl_http_transfer *transfer)
{
	const char **headers = fl_alloc_zero(2, sizeof(*headers));

	headers[0] = registry->authorization;
	transfer->headers = headers;
	transfer->url = fl_asprintf("%s/blobs/%s", registry->base, digest);
}

void fl_registry_finish_blob(struct fl_http_transfer *transfer)
{
	free((void *)transfer->headers);
	free((void *)transfer->url);
	fl_http_transfer_finish(transfer);
}

int fl_registry_run(struct fl_registry *registry, struct fl_http_transfer *transfers,
		    size_t count, unsigned parallel, struct fl_err *err)
{
	if (fl_http_run(registry->http, transfers, count, parallel, registry->cancel, err) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (transfers[i].status != 200)
			return refuse(&transfers[i], err);
	return 0;
}
