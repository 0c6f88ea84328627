/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/registry.h"

#include "cmd/fl-pull/answer.h"
#include "cmd/fl-pull/host.h"
#include "common/alloc.h"
#include "common/image.h"

#include <string.h>

static const char accept_manifests[] = "Accept: application/vnd.oci.image.index.v1+json, "
				       "application/vnd.oci.image.manifest.v1+json, "
				       "application/vnd.docker.distribution.manifest.list.v2+json, "
				       "application/vnd.docker.distribution.manifest.v2+json";

/* The one registry whose API is not at the host of its names. */
static const char *api_host(const char *host)
{
	return strcmp(host, "docker.io") == 0 ? "registry-1.docker.io" : host;
}

void fl_registry_options_finish(struct fl_registry_options *options)
{
	fl_config_finish(&options->config);
}

/* What was said of the host, else by how it can be reached: loopback has nobody in between. */
static bool is_plain(const struct fl_registry_options *options, const struct fl_host_config *said,
		     const char *host)
{
	if (options->plain_http || said->plain_http)
		return options->plain_http || fl_json_bool(said->plain_http);
	return !options->ca_file && !said->ca_file && fl_host_is_loopback(host);
}

void fl_registry_init(struct fl_registry *registry, const char *host, const char *name,
		      const struct fl_registry_options *options, const struct fl_cancel *cancel)
{
	struct fl_host_config said = fl_config_host(&options->config, host);
	bool plain = is_plain(options, &said, host);

	*registry = (struct fl_registry){ .cancel = cancel, .no_proxy = fl_host_without_proxy() };
	registry->http = fl_http_create(&(struct fl_http_options){
		.agent = "fl-pull/" FL_VERSION,
		.ca_file = options->ca_file ? options->ca_file : said.ca_file,
		.cert_file = said.cert_file,
		.key_file = said.key_file,
		.skip_verify = said.skip_verify,
		.no_proxy = registry->no_proxy,
		.retries = options->retries,
		.rate = options->rate,
		.verbose = options->verbose,
	});
	registry->base = fl_asprintf("%s://%s/v2/%s", plain ? "http" : "https", api_host(host),
				     name ? name : "");
	registry->auth = (struct fl_auth){
		.http = registry->http,
		.host = host,
		.name = name,
		.actions = "pull",
		.is_plain = plain,
		.options = &options->credentials,
		.cancel = cancel,
	};
}

void fl_registry_finish(struct fl_registry *registry)
{
	fl_auth_finish(&registry->auth);
	fl_http_destroy(registry->http);
	free(registry->base);
	free(registry->no_proxy);
	*registry = (struct fl_registry){ 0 };
}

/* The header to send, if any, for the time of one run. */
struct headers {
	const char *lines[3];
};

static struct headers headers_of(const struct fl_registry *registry, const char *accept)
{
	struct headers headers = { { accept ? accept : registry->auth.header } };

	if (accept)
		headers.lines[1] = registry->auth.header;
	return headers;
}

/* What the user can do about it; "" when nothing is known. */
static const char *advice(enum fl_http_tls tls)
{
	switch (tls) {
	case FL_HTTP_TLS_UNTRUSTED:
		return "; --ca-file, or \"ca-file\" for the host in the registries file, names whom to trust";
	case FL_HTTP_TLS_WHO_ARE_YOU:
		return "; it wants another client certificate, or any: \"cert-file\" and \"key-file\" for "
		       "the host in the registries file";
	case FL_HTTP_TLS_NONE:
		return "; it speaks no TLS: --plain-http, or \"plain-http: true\" for the host in the "
		       "registries file";
	default:
		return "";
	}
}

static int run_once(struct fl_registry *registry, struct fl_http_transfer *get, const char *accept,
		    struct fl_err *err)
{
	struct headers headers = headers_of(registry, accept);
	struct fl_err why = { 0 };

	get->headers = headers.lines;
	if (fl_http_run(registry->http, get, 1, 1, registry->cancel, &why) == 0)
		return 0;
	return fl_err_set(err, why.kind, "%s%s", why.text, advice(get->tls));
}

/* Answers the challenge of a transfer that ended with 401. */
static int answer(struct fl_registry *registry, const struct fl_http_transfer *transfer,
		  struct fl_err *err)
{
	fl_cleanup_str struct fl_str challenges = FL_STR_INIT;

	if (!fl_http_header(transfer, "WWW-Authenticate", &challenges))
		return fl_answer_refuse(transfer, err);
	return fl_auth_answer(&registry->auth, challenges.data, err);
}

/* Status 401 in spite of an answer. */
static int refuse(const struct fl_registry *registry, const struct fl_http_transfer *transfer,
		  struct fl_err *err)
{
	fl_answer_refuse(transfer, err);
	if (transfer->status == 401 && registry->auth.has_login)
		fl_err_prefix(err, "the login for %s was not taken", registry->auth.host);
	return -1;
}

int fl_registry_ask(struct fl_registry *registry, struct fl_http_transfer *transfer,
		    const char *header, struct fl_err *err)
{
	if (run_once(registry, transfer, header, err) < 0)
		return -1;
	if (transfer->status == 401 && (answer(registry, transfer, err) < 0 ||
					run_once(registry, transfer, header, err) < 0))
		return -1;
	return transfer->status == 401 ? refuse(registry, transfer, err) : 0;
}

static int run(struct fl_registry *registry, struct fl_http_transfer *get, const char *accept,
	       struct fl_err *err)
{
	if (fl_registry_ask(registry, get, accept, err) < 0)
		return -1;
	if (get->status != 200)
		return refuse(registry, get, err);
	return fl_answer_check(get, err);
}

/* What is small, into text; status: what the registry answered. */
static int get_small(struct fl_registry *registry, const char *url, const char *accept,
		     struct fl_str *text, int *status, struct fl_err *err)
{
	struct fl_http_transfer get = { .url = url, .limit = FL_MANIFEST_LIMIT };
	int rc = run(registry, &get, accept, err);

	if (rc == 0)
		fl_str_add_bytes(text, get.body.data, get.body.len);
	*status = get.status;
	fl_http_transfer_finish(&get);
	return rc;
}

int fl_registry_manifest(struct fl_registry *registry, const char *tag_or_digest,
			 struct fl_str *text, struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/manifests/%s", registry->base, tag_or_digest);
	int status;

	return get_small(registry, url, accept_manifests, text, &status, err);
}

int fl_registry_referrers(struct fl_registry *registry, const char *digest, struct fl_str *text,
			  struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/referrers/%s", registry->base, digest);
	int status;

	if (get_small(registry, url, accept_manifests, text, &status, err) == 0)
		return 0;
	/* Older ones have their own ways to say that they do not know the request. */
	if (status == 400 || status == 405 || status == 406 || status == 501)
		fl_err_set(err, FL_ERR_NOT_FOUND, "%s: the registry does not list referrers", url);
	return -1;
}

int fl_registry_small_blob(struct fl_registry *registry, const char *digest, struct fl_str *text,
			   struct fl_err *err)
{
	fl_cleanup_free char *url = fl_asprintf("%s/blobs/%s", registry->base, digest);
	int status;

	return get_small(registry, url, NULL, text, &status, err);
}

int fl_registry_check_login(struct fl_registry *registry, struct fl_err *err)
{
	struct fl_http_transfer get = { .url = registry->base, .limit = 1 << 20 };
	int rc = run(registry, &get, NULL, err);

	fl_http_transfer_finish(&get);
	return rc;
}

void fl_registry_prepare_blob(const struct fl_registry *registry, const char *digest,
			      struct fl_http_transfer *transfer)
{
	transfer->url = fl_asprintf("%s/blobs/%s", registry->base, digest);
}

void fl_registry_finish_blob(struct fl_http_transfer *transfer)
{
	free((void *)transfer->url);
	fl_http_transfer_finish(transfer);
}

static int run_all(struct fl_registry *registry, struct fl_http_transfer *transfers, size_t count,
		   unsigned parallel, struct fl_err *err)
{
	struct headers headers = headers_of(registry, NULL);

	for (size_t i = 0; i < count; i++)
		transfers[i].headers = headers.lines;
	return fl_http_run(registry->http, transfers, count, parallel, registry->cancel, err);
}

/* Moves those that ended with 401 to the front; how many. */
static size_t unauthorized_first(struct fl_http_transfer *transfers, size_t count)
{
	size_t front = 0;

	for (size_t i = 0; i < count; i++)
		if (transfers[i].status == 401) {
			struct fl_http_transfer one = transfers[i];
			transfers[i] = transfers[front];
			transfers[front++] = one;
		}
	return front;
}

int fl_registry_run(struct fl_registry *registry, struct fl_http_transfer *transfers,
		    size_t count, unsigned parallel, struct fl_err *err)
{
	size_t again;

	if (run_all(registry, transfers, count, parallel, err) < 0)
		return -1;
	/* Tokens end while large images come in. */
	again = unauthorized_first(transfers, count);
	if (again && (answer(registry, &transfers[0], err) < 0 ||
		      run_all(registry, transfers, again, parallel, err) < 0))
		return -1;
	for (size_t i = 0; i < count; i++)
		if (transfers[i].status != 200)
			return refuse(registry, &transfers[i], err);
	return 0;
}
