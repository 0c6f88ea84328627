/* SPDX-License-Identifier: MPL-2.0 */
#include "common/ecdsa.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#define P256 "prime256v1"

/* NULL when it is none. */
static EVP_PKEY *read_key(const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
	char group[32] = "";

	BIO_free(bio);
	if (key && (!EVP_PKEY_is_a(key, "EC") ||
		    !EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) ||
		    strcmp(group, P256) != 0)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

int fl_ecdsa_verify(const char *key_pem, const void *data, size_t size, const void *signature,
		    size_t signature_size, struct fl_err *err)
{
	EVP_PKEY *key = read_key(key_pem);
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	int good = 0;

	if (!context)
		abort();
	if (key && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1)
		good = EVP_DigestVerify(context, signature, signature_size, data, size) == 1;
	EVP_MD_CTX_free(context);
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (!key)
		return fl_err_set(err, FL_ERR_INVALID, "not a public key on P-256 in PEM form");
	return good;
}
