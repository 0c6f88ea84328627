/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Signatures: ECDSA over P-256 with SHA-256 (FIPS 186-5), as DER. Owner of libcrypto's keys.
 *
 *     int good = fl_ecdsa_verify(pem, data, size, signature, signature_size, err);
 */
#pragma once

#include "common/err.h"

/* 1 the signature is the key's, 0 it is not, -1: FL_ERR_INVALID when key_pem is no public key
 * (PEM, SubjectPublicKeyInfo) on P-256. */
int fl_ecdsa_verify(const char *key_pem, const void *data, size_t size, const void *signature,
		    size_t signature_size, struct fl_err *err);
