/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-provision/certificate.h"

#include "common/alloc.h"
#include "common/inet.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SERIAL_SIZE 16
#define DAY (24 * 60 * 60)

static void free_key(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static void free_cert(X509 **cert)
{
	X509_free(*cert);
}

static void free_bio(BIO **bio)
{
	BIO_free(*bio);
}

#define CLEANUP_KEY FL_CLEANUP(free_key)
#define CLEANUP_CERT FL_CLEANUP(free_cert)
#define CLEANUP_BIO FL_CLEANUP(free_bio)

static int failed(const char *what, struct fl_err *err)
{
	return fl_err_set(err, FL_ERR_SYSTEM, "certificate: %s", what);
}

static EVP_PKEY *read_key(const struct fl_str *pem)
{
	BIO *bio CLEANUP_BIO = BIO_new_mem_buf(pem->data, (int)pem->len);

	return bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
}

static X509 *read_cert(const struct fl_str *pem)
{
	BIO *bio CLEANUP_BIO = pem->len < INT_MAX ? BIO_new_mem_buf(pem->data, (int)pem->len) : NULL;

	return bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;
}

static void take_text(BIO *bio, struct fl_str *out)
{
	char *data;
	long size = BIO_get_mem_data(bio, &data);

	fl_str_add_bytes(out, data, size > 0 ? (size_t)size : 0);
}

int fl_certificate_make_key(struct fl_str *key, struct fl_err *err)
{
	EVP_PKEY *made CLEANUP_KEY = EVP_EC_gen("P-256");
	BIO *bio CLEANUP_BIO = BIO_new(BIO_s_mem());

	if (!made || !bio || !PEM_write_bio_PKCS8PrivateKey(bio, made, NULL, NULL, 0, NULL, NULL))
		return failed("a key cannot be made", err);
	take_text(bio, key);
	return 0;
}

static bool set_serial(X509 *cert)
{
	unsigned char bytes[SERIAL_SIZE];
	BIGNUM *number = NULL;
	bool good;

	if (RAND_bytes(bytes, sizeof(bytes)) != 1)
		return false;
	bytes[0] = (bytes[0] & 0x7f) | 1; /* positive, and never zero (RFC 5280, 4.1.2.2) */
	number = BN_bin2bn(bytes, sizeof(bytes), NULL);
	good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
	BN_free(number);
	return good;
}

static bool add_extension(X509 *cert, X509 *issuer, int which, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *extension;
	bool good;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &ctx, which, value);
	good = extension && X509_add_ext(cert, extension, -1);
	X509_EXTENSION_free(extension);
	return good;
}

static bool is_address(const char *host)
{
	struct fl_cidr cidr;

	return !strchr(host, '/') && fl_inet_parse_cidr(host, &cidr, NULL) == 0;
}

/* "a,10.0.0.1" as "DNS:a,IP:10.0.0.1". */
static void print_hosts(const char *hosts, struct fl_str *out)
{
	while (*hosts) {
		size_t len = strcspn(hosts, ",");
		fl_cleanup_free char *host = fl_strndup(hosts, len);

		fl_str_addf(out, "%s%s:%s", out->len ? "," : "", is_address(host) ? "IP" : "DNS",
			    host);
		hosts += len + (hosts[len] == ',');
	}
}

static bool add_extensions(X509 *cert, X509 *issuer, const struct fl_certificate *want)
{
	fl_cleanup_str struct fl_str hosts = FL_STR_INIT;

	if (want->hosts)
		print_hosts(want->hosts, &hosts);
	return add_extension(cert, issuer, NID_basic_constraints,
			     want->is_ca ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
	       add_extension(cert, issuer, NID_key_usage,
			     want->is_ca ? "critical,keyCertSign,cRLSign"
					 : "critical,digitalSignature") &&
	       add_extension(cert, issuer, NID_subject_key_identifier, "hash") &&
	       (want->is_ca || add_extension(cert, issuer, NID_authority_key_identifier, "keyid")) &&
	       (want->is_ca || add_extension(cert, issuer, NID_ext_key_usage,
					     want->is_server ? "serverAuth" : "clientAuth")) &&
	       (!hosts.len || add_extension(cert, issuer, NID_subject_alt_name, hosts.data));
}

/* An hour back, for clients whose clock is late. */
static bool set_times(X509 *cert, unsigned days)
{
	return X509_gmtime_adj(X509_getm_notBefore(cert), -60 * 60) &&
	       X509_time_adj_ex(X509_getm_notAfter(cert), (int)days, 0, NULL);
}

static bool fill(X509 *cert, X509 *issuer, EVP_PKEY *key, const struct fl_certificate *want)
{
	X509_NAME *name = X509_get_subject_name(cert);

	return X509_set_version(cert, X509_VERSION_3) && set_serial(cert) &&
	       set_times(cert, want->days) &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)want->name, -1, -1, 0) &&
	       X509_set_issuer_name(cert, X509_get_subject_name(issuer)) &&
	       X509_set_pubkey(cert, key) && add_extensions(cert, issuer, want);
}

int fl_certificate_make(const struct fl_certificate *want, const struct fl_str *key,
			const struct fl_str *ca, const struct fl_str *ca_key, struct fl_str *cert,
			struct fl_err *err)
{
	EVP_PKEY *own CLEANUP_KEY = read_key(key);
	EVP_PKEY *signer CLEANUP_KEY = ca_key ? read_key(ca_key) : NULL;
	X509 *issuer CLEANUP_CERT = ca ? read_cert(ca) : NULL;
	X509 *made CLEANUP_CERT = X509_new();
	BIO *bio CLEANUP_BIO = BIO_new(BIO_s_mem());

	if (!own || (ca_key && !signer) || (ca && !issuer))
		return fl_err_set(err, FL_ERR_INVALID, "certificate: the key of \"%s\", or its CA, "
				  "cannot be read; PEM without a password is wanted", want->name);
	if (!made || !bio || !fill(made, issuer ? issuer : made, own, want) ||
	    !X509_sign(made, signer ? signer : own, EVP_sha256()) || !PEM_write_bio_X509(bio, made))
		return failed("it cannot be made", err);
	take_text(bio, cert);
	return 0;
}

static bool is_for(X509 *cert, const char *hosts)
{
	while (hosts && *hosts) {
		size_t len = strcspn(hosts, ",");
		fl_cleanup_free char *host = fl_strndup(hosts, len);
		int fits = is_address(host) ? X509_check_ip_asc(cert, host, 0)
					    : X509_check_host(cert, host, len, 0, NULL);

		if (fits != 1)
			return false;
		hosts += len + (hosts[len] == ',');
	}
	return true;
}

bool fl_certificate_fits(const struct fl_str *cert, const struct fl_str *key)
{
	EVP_PKEY *own CLEANUP_KEY = read_key(key);
	X509 *have CLEANUP_CERT = read_cert(cert);

	return own && have && X509_check_private_key(have, own) == 1;
}

bool fl_certificate_is_good(const struct fl_str *cert, const struct fl_str *key,
			    const struct fl_str *ca, const char *hosts, unsigned days_left)
{
	X509 *issuer CLEANUP_CERT = read_cert(ca), *have CLEANUP_CERT = read_cert(cert);
	time_t then = time(NULL) + (time_t)days_left * DAY;

	return issuer && have && (!key || fl_certificate_fits(cert, key)) &&
	       X509_verify(have, X509_get0_pubkey(issuer)) == 1 &&
	       X509_cmp_time(X509_get0_notAfter(have), &then) > 0 && is_for(have, hosts);
}
