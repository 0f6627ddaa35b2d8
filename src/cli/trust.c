/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificates of the command line, looked at before a connection fails because of them. */
#include "cli/trust.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/arena.h"

static void free_certificates(gnutls_certificate_credentials_t *held)
{
	gnutls_certificate_free_credentials(*held);
}

int trust_check(const struct credentials *credentials, struct err *err)
{
	const char *cacert = credentials->cacert, *cert = credentials->cert;
	const char *key = credentials->key ? credentials->key : cert;
	__attribute__((cleanup(free_certificates))) gnutls_certificate_credentials_t held = NULL;

	if (gnutls_certificate_allocate_credentials(&held) != 0)
		out_of_memory(sizeof(held));
	int count = cacert ? gnutls_certificate_set_x509_trust_file(held, cacert,
								    GNUTLS_X509_FMT_PEM)
			   : 1;
	if (count <= 0)
		return err_set(err, -EINVAL, "--cacert %s: there is no certificate in it", cacert);
	int rc = cert ? gnutls_certificate_set_x509_key_file(held, cert, key, GNUTLS_X509_FMT_PEM)
		      : 0;
	if (rc < 0 && !credentials->key)
		return err_set(err, -EINVAL, "--cert %s, without --key: %s", cert,
			       gnutls_strerror(rc));
	if (rc < 0)
		return err_set(err, -EINVAL, "--cert %s, --key %s: %s", cert, key,
			       gnutls_strerror(rc));
	return 0;
}

void trust_add_cause(struct text *out, unsigned status)
{
	gnutls_datum_t words = {0};

	if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &words, 0) != 0)
		return;
	text_add(out, (const char *)words.data);
	gnutls_free(words.data);
	while (out->len && out->s[out->len - 1] == ' ')
		text_cut(out, out->len - 1);
}
