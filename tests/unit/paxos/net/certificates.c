// SPDX-License-Identifier: Apache-2.0
// Certificates made while a test runs: see the header.
#include "tests/unit/paxos/net/certificates.h"

#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/cmocka_test.h"

enum { NODES = 3, DAY_S = 24 * 60 * 60 };

static void must(int code)
{
    if (code < 0)
        fail_msg("%s", gnutls_strerror(code));
}

static gnutls_x509_privkey_t make_key(void)
{
    gnutls_x509_privkey_t key;

    must(gnutls_x509_privkey_init(&key));
    must(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    return key;
}

// A certificate that is not signed yet.
static gnutls_x509_crt_t make_certificate(gnutls_x509_privkey_t key, const char *name)
{
    static unsigned serial;
    gnutls_x509_crt_t certificate;
    unsigned char number[] = {1, (unsigned char)++serial};

    must(gnutls_x509_crt_init(&certificate));
    must(gnutls_x509_crt_set_version(certificate, 3));
    must(gnutls_x509_crt_set_serial(certificate, number, sizeof number));
    must(gnutls_x509_crt_set_activation_time(certificate, time(NULL) - DAY_S));
    must(gnutls_x509_crt_set_expiration_time(certificate, time(NULL) + DAY_S));
    must(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name,
                                       (unsigned)strlen(name)));
    must(gnutls_x509_crt_set_key(certificate, key));
    return certificate;
}

static void write_file(const char *path, const gnutls_datum_t *text)
{
    char temporary[FILE_PATH_MAX + 8];

    // In another file, so that the one that is replaced is seen to be another.
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *file = fopen(temporary, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text->data, 1, text->size, file), text->size);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(temporary, path), 0);
}

static void write_certificate(const char *path, gnutls_x509_crt_t certificate)
{
    gnutls_datum_t text;

    must(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_PEM, &text));
    write_file(path, &text);
    gnutls_free(text.data);
}

static void write_key(const char *path, gnutls_x509_privkey_t key)
{
    gnutls_datum_t text;

    must(gnutls_x509_privkey_export2(key, GNUTLS_X509_FMT_PEM, &text));
    write_file(path, &text);
    gnutls_free(text.data);
}

struct authority {
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t certificate;
};

static struct authority make_authority(void)
{
    struct authority authority = {.key = make_key()};

    authority.certificate = make_certificate(authority.key, "authority");
    must(gnutls_x509_crt_set_ca_status(authority.certificate, 1));
    must(gnutls_x509_crt_set_key_usage(authority.certificate, GNUTLS_KEY_KEY_CERT_SIGN));
    must(gnutls_x509_crt_sign2(authority.certificate, authority.certificate, authority.key,
                               GNUTLS_DIG_SHA256, 0));
    return authority;
}

static void free_authority(struct authority *authority)
{
    gnutls_x509_crt_deinit(authority->certificate);
    gnutls_x509_privkey_deinit(authority->key);
}

static void make_node(char paths[3][FILE_PATH_MAX], const struct authority *authority,
                      const char *host)
{
    gnutls_x509_privkey_t key = make_key();
    gnutls_x509_crt_t certificate = make_certificate(key, "a node");

    must(gnutls_x509_crt_set_subject_alt_name(certificate, GNUTLS_SAN_DNSNAME, host,
                                              (unsigned)strlen(host), GNUTLS_FSAN_SET));
    must(gnutls_x509_crt_sign2(certificate, authority->certificate, authority->key,
                               GNUTLS_DIG_SHA256, 0));
    write_certificate(paths[0], certificate);
    write_key(paths[1], key);
    write_certificate(paths[2], authority->certificate);
    gnutls_x509_crt_deinit(certificate);
    gnutls_x509_privkey_deinit(key);
}

void certificates_init(struct certificates *certificates)
{
    static const char *const names[3] = {"certificate", "key", "authority"};

    snprintf(certificates->directory, FILE_PATH_MAX, "/tmp/curlew-certificates-XXXXXX");
    assert_non_null(mkdtemp(certificates->directory));
    for (int node = 1; node <= NODES; node++) {
        for (int i = 0; i < 3; i++)
            snprintf(certificates->paths[node][i], FILE_PATH_MAX, "%.80s/%d-%s.pem",
                     certificates->directory, node, names[i]);
    }
}

void certificates_deinit(struct certificates *certificates)
{
    for (int node = 1; node <= NODES; node++) {
        for (int i = 0; i < 3; i++)
            unlink(certificates->paths[node][i]);
    }
    assert_int_equal(rmdir(certificates->directory), 0);
}

void certificates_make(struct certificates *certificates, const char *host)
{
    struct authority authority = make_authority();

    for (int node = 1; node <= NODES; node++)
        make_node(certificates->paths[node], &authority, host);
    free_authority(&authority);
}

void certificates_make_stray(struct certificates *certificates, uint16_t node, const char *host)
{
    char trusted[FILE_PATH_MAX + 8];
    struct authority authority = make_authority();

    snprintf(trusted, sizeof trusted, "%s.kept", certificates->paths[node][2]);
    assert_int_equal(rename(certificates->paths[node][2], trusted), 0);
    make_node(certificates->paths[node], &authority, host);
    // The stray trusts the others, so that it is they who refuse.
    assert_int_equal(rename(trusted, certificates->paths[node][2]), 0);
    free_authority(&authority);
}

struct peer_tls certificates_of(const struct certificates *certificates, uint16_t node)
{
    return (struct peer_tls){.certificate = certificates->paths[node][0],
                             .key = certificates->paths[node][1],
                             .authority = certificates->paths[node][2]};
}
