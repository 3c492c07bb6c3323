#pragma once
// libcrypto only through its high-level faces (EVP, X.509, PEM). What it offers as a macro stands below as a function.
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// A macro that casts.
static inline void daleks_x509v3_set_ctx_nodb(X509V3_CTX *context) { X509V3_set_ctx_nodb(context); }

// A macro over BIO_ctrl; the bytes belong to the BIO.
static inline long daleks_bio_memory(BIO *bio, const char **bytes) { return BIO_get_mem_data(bio, (char **)bytes); }

// OPENSSL_free is a macro that adds the file and line.
static inline void daleks_openssl_free(void *memory) { OPENSSL_free(memory); }

// A macro of flags joined by |.
static inline int daleks_selection_public_key(void) { return EVP_PKEY_PUBLIC_KEY; }

// The key-type names are macros that expand to adjacent literals, which Swift does not import.
static inline const char *daleks_param_group(void) { return OSSL_PKEY_PARAM_GROUP_NAME; }
static inline const char *daleks_param_public(void) { return OSSL_PKEY_PARAM_PUB_KEY; }
static inline const char *daleks_param_x(void) { return OSSL_PKEY_PARAM_EC_PUB_X; }
static inline const char *daleks_param_y(void) { return OSSL_PKEY_PARAM_EC_PUB_Y; }
static inline const char *daleks_param_modulus(void) { return OSSL_PKEY_PARAM_RSA_N; }
static inline const char *daleks_param_exponent(void) { return OSSL_PKEY_PARAM_RSA_E; }
