/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-serve/tls.h"

#include "cmd/fl-serve/peer.h"
#include "common/alloc.h"
#include "common/log.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <unistd.h>

struct fl_tls {
	SSL_CTX *context;
};

static int complain(const char *file, const char *what, struct fl_err *err)
{
	char why[200] = "unknown";
	unsigned long code = ERR_peek_last_error();

	if (code)
		ERR_error_string_n(code, why, sizeof(why));
	ERR_clear_error();
	return fl_err_set(err, FL_ERR_INVALID, "%s: %s: %s", file, what, why);
}

/* The client's list: a length in front of each name (RFC 7301). */
static int choose(SSL *ssl, const unsigned char **out, unsigned char *out_size,
		  const unsigned char *in, unsigned in_size, void *arg)
{
	(void)ssl;
	for (const char *const *name = arg; *name; name++)
		for (unsigned at = 0; at < in_size && at + in[at] < in_size; at += in[at] + 1u)
			if (in[at] == strlen(*name) && memcmp(in + at + 1, *name, in[at]) == 0) {
				*out = in + at + 1;
				*out_size = in[at];
				return SSL_TLSEXT_ERR_OK;
			}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static void print_peer(const SSL *ssl, char text[static FL_PEER_TEXT])
{
	struct sockaddr_storage peer;
	socklen_t size = sizeof(peer);

	if (getpeername(SSL_get_fd(ssl), (struct sockaddr *)&peer, &size) == 0)
		fl_peer_print((struct sockaddr *)&peer, size, text);
	else
		strcpy(text, "a client"); /* which has left */
}

/* What OpenSSL means, in words that say where to look. */
static const char *hint_of(unsigned long code)
{
	switch (ERR_GET_REASON(code)) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
		return " (it speaks no TLS)";
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
		return " (it does not trust this server's certificate: it needs the CA's)";
	case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
		return " (--tls-client-validate asks for one that --tls-client-ca signed)";
	default:
		return "";
	}
}

/* Who never gets as far as a request is in no other log. A client that just closes, as the probes of a
 * load balancer do, is not spoken of. */
static void on_info(const SSL *ssl, int where, int rc)
{
	unsigned long code = ERR_peek_last_error();
	char peer[FL_PEER_TEXT];

	if (where != SSL_CB_ACCEPT_EXIT || rc > 0 || !code ||
	    ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		return;
	print_peer(ssl, peer);
	fl_log(FL_LOG_WARN, "%s: turned away, TLS: %s%s", peer, ERR_reason_error_string(code), hint_of(code));
}

/* OpenSSL's words for a file that is not there are about itself. */
static int need(const char *file, struct fl_err *err)
{
	if (!file || access(file, R_OK) == 0)
		return 0;
	return fl_err_errno(err, errno, "%s: cannot be read", file);
}

static int load(SSL_CTX *context, const struct fl_tls_files *files, struct fl_err *err)
{
	if (need(files->cert, err) < 0 || need(files->key, err) < 0 ||
	    need(files->client_ca, err) < 0)
		return -1;
	if (SSL_CTX_use_certificate_chain_file(context, files->cert) != 1)
		return complain(files->cert, "the certificate cannot be used", err);
	if (SSL_CTX_use_PrivateKey_file(context, files->key, SSL_FILETYPE_PEM) != 1)
		return complain(files->key, "the key cannot be used", err);
	if (SSL_CTX_check_private_key(context) != 1)
		return complain(files->key, "is not the certificate's key", err);
	if (!files->client_ca)
		return 0;
	if (SSL_CTX_load_verify_locations(context, files->client_ca, NULL) != 1)
		return complain(files->client_ca, "the clients' CA cannot be used", err);
	SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(files->client_ca));
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	return 0;
}

struct fl_tls *fl_tls_create(const struct fl_tls_files *files, struct fl_err *err)
{
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	struct fl_tls *tls;

	if (!context)
		abort();
	if (load(context, files, err) < 0) {
		SSL_CTX_free(context);
		return NULL;
	}
	tls = fl_alloc_zero(1, sizeof(*tls));
	tls->context = context;
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_info_callback(context, on_info);
	SSL_CTX_set_alpn_select_cb(context, choose, (void *)files->alpn);
	/* A connection that rests needs no buffers; tickets would only cost memory. */
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_num_tickets(context, 0);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	return tls;
}

void fl_tls_free(struct fl_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->context);
	free(tls);
}

struct bufferevent *fl_tls_accept(struct fl_tls *tls, struct event_base *base, int fd)
{
	SSL *ssl = SSL_new(tls->context);
	struct bufferevent *bev = NULL;

	if (ssl)
		bev = bufferevent_openssl_socket_new(base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING,
						     BEV_OPT_CLOSE_ON_FREE);
	if (!bev) {
		SSL_free(ssl);
		close(fd);
		return NULL;
	}
	/* Clients often just close. */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}
