/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-pull/auth.h"

#include "cmd/fl-pull/answer.h"
#include "cmd/fl-pull/challenge.h"
#include "cmd/fl-pull/host.h"
#include "common/alloc.h"
#include "common/base64.h"
#include "common/json.h"

#define TOKEN_LIMIT (1 << 20)

static void set_header(struct fl_auth *auth, const char *scheme, const char *value)
{
	fl_secret_free(auth->header);
	auth->header = fl_asprintf("Authorization: %s %s", scheme, value);
}

static int look_up(struct fl_auth *auth, struct fl_err *err)
{
	int have;

	if (auth->has_looked)
		return 0;
	have = fl_credentials_find(auth->options, auth->host, auth->name, &auth->login, err);
	auth->has_looked = have >= 0;
	auth->has_login |= have == 1;
	return have < 0 ? -1 : 0;
}

static char *basic(const struct fl_credentials *login)
{
	fl_cleanup_secret struct fl_str both = FL_STR_INIT;
	struct fl_str value = FL_STR_INIT;

	fl_str_addf(&both, "%s:%s", login->user, login->password);
	fl_base64_encode(both.data, both.len, &value);
	return fl_str_steal(&value);
}

static int answer_basic(struct fl_auth *auth, struct fl_err *err)
{
	char *value;

	if (!auth->login.user)
		return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "the registry wants a login; use "
				  "\"fl-pull login %s\"", auth->host);
	value = basic(&auth->login);
	set_header(auth, "Basic", value);
	fl_secret_free(value);
	return 0;
}

/* A token server that is reached without TLS would read out the login to everybody. */
static int check_realm(const struct fl_auth *auth, const char *realm, struct fl_err *err)
{
	fl_cleanup_free char *host = fl_host_of_url(realm);

	if (fl_str_starts(realm, "https://"))
		return 0;
	if (!fl_str_starts(realm, "http://"))
		return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "\"%.100s\" is not the address of a "
				  "token server", realm);
	if (auth->is_plain || fl_host_is_loopback(host))
		return 0;
	return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "the registry names a token server without "
			  "TLS, %.100s; with --plain-http it is used all the same", realm);
}

static void add_field(struct fl_str *out, const char *name, const char *value)
{
	fl_str_addf(out, "%s%s=", out->len ? "&" : "", name);
	fl_http_escape(value, out);
}

/* service and scope; who asks without a repository wants no right but to be known. */
static void add_wish(const struct fl_auth *auth, const struct fl_challenge *challenge,
		     struct fl_str *out)
{
	fl_cleanup_free char *scope = NULL;

	if (challenge->service.len)
		add_field(out, "service", challenge->service.data);
	if (auth->name && !challenge->scope.len)
		scope = fl_asprintf("repository:%s:%s", auth->name, auth->actions);
	if (scope || challenge->scope.len)
		add_field(out, "scope", scope ? scope : challenge->scope.data);
}

/* With an identity token: OAuth 2's form. Else the address with a query, and the login as
 * header when there is one. */
static int ask_token_server(struct fl_auth *auth, const struct fl_challenge *challenge,
			    struct fl_http_transfer *ask, struct fl_err *err)
{
	fl_cleanup_secret struct fl_str header = FL_STR_INIT, form = FL_STR_INIT;
	fl_cleanup_str struct fl_str query = FL_STR_INIT, url = FL_STR_INIT;
	const char *headers[] = { NULL, NULL };

	add_wish(auth, challenge, &query);
	fl_str_add(&query, "");
	fl_str_add(&url, challenge->realm.data);
	if (auth->login.identity_token) {
		fl_str_addf(&form, "%s%sgrant_type=refresh_token&client_id=fl-pull", query.data,
			    query.len ? "&" : "");
		add_field(&form, "refresh_token", auth->login.identity_token);
		ask->send = form.data;
		ask->send_size = form.len;
	} else if (query.len) {
		fl_str_addf(&url, "%s%s", strchr(url.data, '?') ? "&" : "?", query.data);
	}
	if (!ask->send && auth->login.user) {
		char *value = basic(&auth->login);
		fl_str_addf(&header, "Authorization: Basic %s", value);
		fl_secret_free(value);
		headers[0] = header.data;
	}
	ask->url = url.data;
	ask->headers = headers;
	if (fl_http_run(auth->http, ask, 1, 1, auth->cancel, err) < 0)
		return -1;
	return ask->status == 200 ? 0 : fl_answer_refuse(ask, err);
}

static int take_token(struct fl_auth *auth, const struct fl_http_transfer *ask,
		      const char *realm, struct fl_err *err)
{
	fl_cleanup_json fl_json *body = fl_json_parse(ask->body.data ? ask->body.data : "",
						      ask->body.len, "answer", NULL);
	const char *token = fl_json_text(fl_json_get(body, "token"));

	token = token ? token : fl_json_text(fl_json_get(body, "access_token"));
	if (!token || !*token || strpbrk(token, "\r\n"))
		return fl_err_set(err, FL_ERR_UNAUTHENTICATED, "%.200s: gave no token", realm);
	set_header(auth, "Bearer", token);
	return 0;
}

static int answer_bearer(struct fl_auth *auth, const struct fl_challenge *challenge,
			 struct fl_err *err)
{
	struct fl_http_transfer ask = { .limit = TOKEN_LIMIT };
	int rc;

	if (auth->login.registry_token) {
		set_header(auth, "Bearer", auth->login.registry_token);
		return 0;
	}
	if (check_realm(auth, challenge->realm.data, err) < 0)
		return -1;
	rc = ask_token_server(auth, challenge, &ask, err);
	if (rc == 0)
		rc = take_token(auth, &ask, challenge->realm.data, err);
	if (ask.body.data)
		explicit_bzero(ask.body.data, ask.body.len);
	fl_http_transfer_finish(&ask);
	if (rc < 0 && auth->has_login)
		return fl_err_prefix(err, "the login for %s was not taken", auth->host);
	return rc;
}

int fl_auth_answer(struct fl_auth *auth, const char *challenges, struct fl_err *err)
{
	fl_cleanup_challenge struct fl_challenge challenge = { 0 };

	if (fl_challenge_parse(challenges, &challenge, err) < 0 || look_up(auth, err) < 0)
		return -1;
	return challenge.is_bearer ? answer_bearer(auth, &challenge, err)
				   : answer_basic(auth, err);
}

void fl_auth_finish(struct fl_auth *auth)
{
	fl_credentials_finish(&auth->login);
	fl_secret_free(auth->header);
	auth->header = NULL;
}
