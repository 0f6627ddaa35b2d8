/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS by GnuTLS. The library (0.9.75) can have one certificate for its whole life, and only
 * requests that of a client: so each connection is given its credentials here, and what the
 * client shows is verified here, at every request.
 */
#include "daemon/http_tls.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { PEM_MAX = 1 << 20, CHAIN_MAX = 8, COMMON_NAME = 65 };

struct http_tls {
	unsigned refs;
	gnutls_certificate_credentials_t credentials;
	gnutls_x509_trust_list_t clients; /* NULL: no certificate is asked for */
	time_t expires;                   /* the certificate; 0: it does not say */
};

time_t http_tls_expires(const struct http_tls *tls)
{
	return tls->expires;
}

struct http_tls *http_tls_ref(struct http_tls *tls)
{
	tls->refs++;
	return tls;
}

void http_tls_unref(struct http_tls *tls)
{
	if (!tls || --tls->refs)
		return;
	gnutls_certificate_free_credentials(tls->credentials);
	if (tls->clients)
		gnutls_x509_trust_list_deinit(tls->clients, 1);
	free(tls);
}

static gnutls_datum_t datum(const struct text *text)
{
	return (gnutls_datum_t){(unsigned char *)(uintptr_t)text_str(text), (unsigned)text->len};
}

static int read_pem(const char *path, mode_t forbidden, const char *at, struct text *pem,
		    struct errs *errs)
{
	struct err err;
	int rc = file_read(path, PEM_MAX, forbidden, pem, &err);

	return rc ? errs_add(errs, rc, "", at, "%s", err.sentence) : 0;
}

static void free_certificates(gnutls_x509_crt_t *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
}

/* A client would say it, but perhaps not to him who can help. */
static void note_times(struct http_tls *tls, const char *path, const gnutls_datum_t *pem)
{
	gnutls_x509_crt_t *list;
	unsigned count;
	time_t now = time(NULL);

	if (gnutls_x509_crt_list_import2(&list, &count, pem, GNUTLS_X509_FMT_PEM, 0) < 0)
		return;
	if (count)
		tls->expires = gnutls_x509_crt_get_expiration_time(list[0]);
	if (count && tls->expires < now)
		log_warning("%s: the certificate has expired", path);
	else if (count && gnutls_x509_crt_get_activation_time(list[0]) > now)
		log_warning("%s: the certificate is not valid yet", path);
	free_certificates(list, count);
}

static int load_certificate(struct http_tls *tls, const struct http_access_config *config,
			    struct errs *errs)
{
	cleanup_text struct text certificate = {0}, key = {0};
	int rc = read_pem(config->certificate, 0, HTTP_AT_CERTIFICATE, &certificate, errs);
	/* a group of its own may read keys */
	int key_rc = read_pem(config->key, 0007, HTTP_AT_KEY, &key, errs);

	if (rc || key_rc)
		return rc ? rc : key_rc;
	gnutls_datum_t certificate_pem = datum(&certificate), key_pem = datum(&key);
	rc = gnutls_certificate_set_x509_key_mem2(tls->credentials, &certificate_pem, &key_pem,
						  GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_memset(key.s, 0, key.len);
	if (rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		return errs_add(errs, -EINVAL, "", HTTP_AT_KEY,
				"%s: the key does not fit the certificate %s", config->key,
				config->certificate);
	if (rc < 0)
		return errs_add(errs, -EINVAL, "", HTTP_AT_CERTIFICATE, "%s with the key %s: %s",
				config->certificate, config->key, gnutls_strerror(rc));
	note_times(tls, config->certificate, &certificate_pem);
	return 0;
}

static int load_clients(struct http_tls *tls, const struct http_access_config *config,
			struct errs *errs)
{
	cleanup_text struct text ca = {0};
	int rc = read_pem(config->client_ca, 0, HTTP_AT_CLIENT_CA, &ca, errs);

	if (rc < 0)
		return rc;
	gnutls_datum_t pem = datum(&ca);
	if (gnutls_x509_trust_list_init(&tls->clients, 0) < 0)
		out_of_memory(sizeof(*tls));
	rc = gnutls_x509_trust_list_add_trust_mem(tls->clients, &pem, NULL, GNUTLS_X509_FMT_PEM,
						  GNUTLS_TL_NO_DUPLICATES, 0);
	/* these tell clients whose certificates are welcome */
	if (rc > 0)
		rc = gnutls_certificate_set_x509_trust_mem(tls->credentials, &pem,
							   GNUTLS_X509_FMT_PEM);
	if (rc <= 0)
		return errs_add(errs, -EINVAL, "", HTTP_AT_CLIENT_CA, "%s: %s", config->client_ca,
				rc ? gnutls_strerror(rc) : "there is no certificate in it");
	return 0;
}

int http_tls_load(struct http_tls **loaded, const struct http_access_config *config,
		  struct errs *errs)
{
	*loaded = NULL;
	if (!*config->certificate && !*config->key && !*config->client_ca)
		return 0;
	if (!*config->certificate || !*config->key)
		return errs_add(errs, -EINVAL, "",
				*config->certificate ? HTTP_AT_KEY : HTTP_AT_CERTIFICATE,
				"TLS needs a certificate and its key");
	struct http_tls *tls = xcalloc(1, sizeof(*tls));
	tls->refs = 1;
	if (gnutls_certificate_allocate_credentials(&tls->credentials) < 0)
		out_of_memory(sizeof(*tls));
	int rc = load_certificate(tls, config, errs);
	int clients_rc = *config->client_ca ? load_clients(tls, config, errs) : 0;
	if (rc || clients_rc) {
		http_tls_unref(tls);
		return -EINVAL;
	}
	*loaded = tls;
	return 0;
}

int http_tls_no_certificate(unused_ gnutls_session_t session, unused_ const gnutls_datum_t *names,
			    unused_ int n_names, unused_ const gnutls_pk_algorithm_t *algorithms,
			    unused_ int n_algorithms, unused_ gnutls_pcert_st **certificates,
			    unused_ unsigned *n_certificates, unused_ gnutls_privkey_t *key)
{
	return -1;
}

bool http_tls_begin(struct http_tls *tls, gnutls_session_t session)
{
	if (gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials) < 0)
		return false;
	if (tls->clients)
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUEST);
	return true;
}

static const char *fault_of(unsigned status)
{
	if (status & GNUTLS_CERT_EXPIRED)
		return "the client certificate has expired";
	if (status & GNUTLS_CERT_NOT_ACTIVATED)
		return "the client certificate is not valid yet";
	if (status & (GNUTLS_CERT_SIGNER_NOT_FOUND | GNUTLS_CERT_SIGNER_NOT_CA))
		return "the client certificate is of no authority that is known here";
	if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		return "the client certificate is not meant for clients";
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return "the client certificate uses a weak algorithm";
	return "the client certificate does not verify";
}

/* NULL, or what is wrong with the chain. */
static const char *verify(const struct http_tls *tls, gnutls_x509_crt_t *chain, unsigned count)
{
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	unsigned status = GNUTLS_CERT_INVALID;
	int rc = gnutls_x509_trust_list_verify_crt2(tls->clients, chain, count, &purpose, 1,
						    GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM),
						    &status, NULL);

	return rc < 0 || status ? fault_of(status) : NULL;
}

static bool read_common_name(gnutls_x509_crt_t certificate, char name[static COMMON_NAME])
{
	char other[COMMON_NAME];
	size_t size = COMMON_NAME, other_size = sizeof(other);

	if (gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name,
					  &size) < 0 ||
	    size == 0 || strlen(name) != size)
		return false;
	return gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 1, 0, other,
					     &other_size) == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static bool has_name(const struct http_names *names, const char *name)
{
	for (size_t i = 0; i < names->len; i++)
		if (strcmp(names->v[i], name) == 0)
			return true;
	return false;
}

static enum http_role role_of(const struct http_access_config *config, const char *name)
{
	for (const char *const *as = (const char *const[]){name, "*", NULL}; *as; as++) {
		if (has_name(&config->admins, *as))
			return HTTP_ROLE_ADMIN;
		if (has_name(&config->readers, *as))
			return HTTP_ROLE_READ;
	}
	return HTTP_ROLE_NONE;
}

static void judge(const struct http_tls *tls, const struct http_access_config *config,
		  gnutls_x509_crt_t *chain, unsigned count, struct http_caller *caller)
{
	char name[COMMON_NAME];

	caller->fault = verify(tls, chain, count);
	if (caller->fault)
		return;
	if (!read_common_name(chain[0], name)) {
		caller->fault = "the client certificate has not one common name";
		return;
	}
	snprintf(caller->name, sizeof(caller->name), "certificate %s", name);
	caller->role = role_of(config, name);
	if (caller->role == HTTP_ROLE_NONE)
		caller->fault = "the client certificate's name has no role here";
}

void http_tls_caller(const struct http_tls *tls, const struct http_access_config *config,
		     gnutls_session_t session, struct http_caller *caller)
{
	unsigned count = 0, imported = 0;
	const gnutls_datum_t *shown = gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t chain[CHAIN_MAX];

	if (!tls->clients || !shown || !count)
		return;
	caller->fault = "the client certificate cannot be read";
	for (; imported < count && imported < CHAIN_MAX; imported++) {
		if (gnutls_x509_crt_init(&chain[imported]) < 0)
			break;
		if (gnutls_x509_crt_import(chain[imported], &shown[imported], GNUTLS_X509_FMT_DER) <
		    0) {
			gnutls_x509_crt_deinit(chain[imported]);
			break;
		}
	}
	if (imported == count)
		judge(tls, config, chain, count, caller);
	for (unsigned i = 0; i < imported; i++)
		gnutls_x509_crt_deinit(chain[i]);
}
