// SPDX-License-Identifier: Apache-2.0
// GnuTLS, version 1.3 of the protocol only: both ends are this program. Each connection holds on to the
// credentials that it began with.
#include "paxos/net/tls.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/memory.h"

enum { FILES = 3, PROBLEM_MAX = 200 };

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

// By what a file is known to be the one that was read.
struct stamp {
    struct timespec changed;
    ino_t inode;
    off_t size;
};

struct credentials {
    unsigned references;
    gnutls_certificate_credentials_t gnutls;
};

struct tls_context {
    const char *paths[FILES]; // certificate, key, authority; borrowed
    struct stamp stamps[FILES];
    struct credentials *credentials;
    bool complained; // the files on disk cannot be used, which was logged
};

struct tls {
    gnutls_session_t session;
    struct credentials *credentials;
    int fd;
    int error; // errno of the last read or write on fd
    char problem[PROBLEM_MAX];
};

// ---- Files -------------------------------------------------------------------------------------

static void release(struct credentials *credentials)
{
    if (credentials == NULL || --credentials->references > 0)
        return;
    gnutls_certificate_free_credentials(credentials->gnutls);
    free(credentials);
}

// A change while the files are read shows at the next comparison, since this comes first.
static void take_stamps(const struct tls_context *context, struct stamp stamps[FILES])
{
    memset(stamps, 0, FILES * sizeof *stamps);
    for (int i = 0; i < FILES; i++) {
        struct stat status;

        if (stat(context->paths[i], &status) != 0)
            continue;
        stamps[i].changed = status.st_mtim;
        stamps[i].inode = status.st_ino;
        stamps[i].size = status.st_size;
    }
}

static bool stamps_equal(const struct stamp *a, const struct stamp *b)
{
    for (int i = 0; i < FILES; i++) {
        if (a[i].inode != b[i].inode || a[i].size != b[i].size ||
            a[i].changed.tv_sec != b[i].changed.tv_sec ||
            a[i].changed.tv_nsec != b[i].changed.tv_nsec)
            return false;
    }
    return true;
}

static enum error read_files(struct tls_context *context, struct failure *failure)
{
    struct credentials *credentials = memory_zalloc(sizeof *credentials);
    const char *const *paths = context->paths;

    credentials->references = 1;
    ASSERT(gnutls_certificate_allocate_credentials(&credentials->gnutls) == 0);
    int wrong = gnutls_certificate_set_x509_key_file(credentials->gnutls, paths[0], paths[1],
                                                     GNUTLS_X509_FMT_PEM);
    int trusted =
        gnutls_certificate_set_x509_trust_file(credentials->gnutls, paths[2], GNUTLS_X509_FMT_PEM);
    if (wrong >= 0 && trusted > 0) {
        release(context->credentials);
        context->credentials = credentials;
        return ERROR_OK;
    }
    release(credentials);
    if (wrong < 0)
        return failure_set(failure, ERROR_IO,
                           "the certificate %s with the key %s cannot be used between nodes: %s",
                           paths[0], paths[1], gnutls_strerror(wrong));
    return failure_set(failure, ERROR_IO,
                       "the authority's certificates in %s cannot be used between nodes: %s",
                       paths[2], trusted < 0 ? gnutls_strerror(trusted) : "there are none");
}

static void refresh(struct tls_context *context)
{
    struct stamp stamps[FILES];
    struct failure failure;
    char quoted[LOG_QUOTED_MAX];

    take_stamps(context, stamps);
    if (stamps_equal(stamps, context->stamps))
        return;
    if (read_files(context, &failure) == ERROR_OK) {
        memcpy(context->stamps, stamps, sizeof stamps);
        context->complained = false;
        log_write(LOG_INFO, "the certificate of this node was read again", "file=%s",
                  context->paths[0]);
    } else if (!context->complained) {
        context->complained = true;
        log_write(LOG_ERROR, "new TLS files cannot be used; the earlier ones stay", "reason=%s",
                  log_quote(quoted, failure.text));
    }
}

enum error tls_context_open(const struct peer_tls *files, struct tls_context **context,
                            struct failure *failure)
{
    bool none = files->certificate == NULL && files->key == NULL && files->authority == NULL;
    bool all = files->certificate != NULL && files->key != NULL && files->authority != NULL;

    if (none) {
        *context = NULL;
        return ERROR_OK;
    }
    if (!all)
        return failure_set(failure, ERROR_IO,
                           "TLS between nodes needs a certificate, its key and the authority's "
                           "certificate, all three");
    struct tls_context *made = memory_zalloc(sizeof *made);
    made->paths[0] = files->certificate;
    made->paths[1] = files->key;
    made->paths[2] = files->authority;
    take_stamps(made, made->stamps);
    enum error error = read_files(made, failure);
    if (error == ERROR_OK)
        *context = made;
    else
        tls_context_free(made);
    return error;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    release(context->credentials);
    free(context);
}

// ---- A connection ------------------------------------------------------------------------------

static ssize_t pull(gnutls_transport_ptr_t transport, void *into, size_t size)
{
    struct tls *tls = transport;

    ssize_t got = recv(tls->fd, into, size, 0);
    tls->error = got < 0 ? errno : 0;
    gnutls_transport_set_errno(tls->session, tls->error);
    return got;
}

static ssize_t push(gnutls_transport_ptr_t transport, const void *data, size_t length)
{
    struct tls *tls = transport;

    ssize_t done = send(tls->fd, data, length, MSG_NOSIGNAL);
    tls->error = done < 0 ? errno : 0;
    gnutls_transport_set_errno(tls->session, tls->error);
    return done;
}

// GnuTLS wants to know whether a read would wait; it never should, as the loop has asked already.
static int pull_timeout(gnutls_transport_ptr_t transport, unsigned timeout_ms)
{
    (void)transport;
    (void)timeout_ms;
    return 1;
}

struct tls *tls_new(struct tls_context *context, int fd, const char *host)
{
    static const gnutls_datum_t h2 = {.data = (unsigned char *)(uintptr_t) "h2", .size = 2};
    unsigned flags = GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS;

    if (context == NULL)
        return NULL;
    refresh(context);
    struct tls *tls = memory_zalloc(sizeof *tls);
    tls->fd = fd;
    tls->credentials = context->credentials;
    tls->credentials->references++;
    flags |= host != NULL ? GNUTLS_CLIENT : GNUTLS_SERVER;
    ASSERT(gnutls_init(&tls->session, flags) == 0);
    ASSERT(gnutls_priority_set_direct(tls->session, priorities, NULL) == 0);
    ASSERT(gnutls_credentials_set(tls->session, GNUTLS_CRD_CERTIFICATE, tls->credentials->gnutls) ==
           0);
    ASSERT(gnutls_alpn_set_protocols(tls->session, &h2, 1, GNUTLS_ALPN_MANDATORY) == 0);
    if (host == NULL)
        gnutls_certificate_server_set_request(tls->session, GNUTLS_CERT_REQUIRE);
    gnutls_session_set_verify_cert(tls->session, host, 0);
    gnutls_transport_set_ptr(tls->session, tls);
    gnutls_transport_set_pull_function(tls->session, pull);
    gnutls_transport_set_push_function(tls->session, push);
    gnutls_transport_set_pull_timeout_function(tls->session, pull_timeout);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    gnutls_deinit(tls->session);
    release(tls->credentials);
    free(tls);
}

// Why the other side's certificate is not accepted, in GnuTLS's words.
static void describe_certificate(struct tls *tls)
{
    unsigned status = gnutls_session_get_verify_cert_status(tls->session);
    gnutls_datum_t text;

    if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509, &text, 0) != 0)
        return;
    while (text.size > 0 && strchr(". ", text.data[text.size - 1]) != NULL)
        text.size--;
    snprintf(tls->problem, sizeof tls->problem, "TLS: %.*s", (int)text.size, text.data);
    gnutls_free(text.data);
}

static void describe(struct tls *tls, int code)
{
    const char *text = gnutls_strerror(code);

    if (code == GNUTLS_E_UNEXPECTED_PACKET || code == GNUTLS_E_UNEXPECTED_PACKET_LENGTH ||
        code == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
        text = "the other side does not speak it as this node does";
    snprintf(tls->problem, sizeof tls->problem, "TLS: %s", text);
    if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
        snprintf(tls->problem, sizeof tls->problem, "TLS: the other side says: %s",
                 gnutls_alert_get_name(gnutls_alert_get(tls->session)));
    if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR)
        describe_certificate(tls);
}

// Gives errno for a failure of GnuTLS, and remembers what it means.
static int errno_of(struct tls *tls, int code)
{
    if (code == GNUTLS_E_AGAIN || code == GNUTLS_E_INTERRUPTED)
        return EAGAIN;
    if (tls->error != 0)
        return tls->error;
    if (code == GNUTLS_E_PREMATURE_TERMINATION)
        return ECONNRESET;
    describe(tls, code);
    return EPROTO;
}

static bool speaks_h2(struct tls *tls)
{
    gnutls_datum_t chosen;

    return gnutls_alpn_get_selected_protocol(tls->session, &chosen) == 0 && chosen.size == 2 &&
           memcmp(chosen.data, "h2", 2) == 0;
}

// Tells the other side what is wrong. What it has sent meanwhile is read, as the kernel would else let
// a reset overtake what is told.
static void complain(struct tls *tls, int code)
{
    uint8_t ignored[4096];

    gnutls_alert_send_appropriate(tls->session, code);
    for (int i = 0; i < 16 && recv(tls->fd, ignored, sizeof ignored, 0) > 0; i++)
        ;
}

enum tls_step tls_handshake(struct tls *tls)
{
    int code;

    do
        code = gnutls_handshake(tls->session);
    while (code < 0 && code != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(code));
    if (code == GNUTLS_E_AGAIN)
        return gnutls_record_get_direction(tls->session) == 1 ? TLS_WANTS_WRITE : TLS_WANTS_READ;
    if (code == 0 && speaks_h2(tls))
        return TLS_DONE;
    if (code == 0)
        code = GNUTLS_E_NO_APPLICATION_PROTOCOL;
    int error = errno_of(tls, code);
    if (error == EPROTO)
        complain(tls, code);
    errno = error;
    return TLS_FAILED;
}

ssize_t tls_read(struct tls *tls, void *into, size_t size)
{
    ssize_t got;

    do
        got = gnutls_record_recv(tls->session, into, size);
    while (got < 0 && got != GNUTLS_E_AGAIN && !gnutls_error_is_fatal((int)got));
    if (got >= 0)
        return got;
    errno = errno_of(tls, (int)got);
    return -1;
}

ssize_t tls_write(struct tls *tls, const void *data, size_t length)
{
    const uint8_t *at = data;
    size_t done = 0;

    while (done < length) {
        ssize_t part = gnutls_record_send(tls->session, at + done, length - done);
        if (part < 0 && done > 0)
            break;
        if (part < 0) {
            errno = errno_of(tls, (int)part);
            return -1;
        }
        done += (size_t)part;
    }
    return (ssize_t)done;
}

void tls_bye(struct tls *tls)
{
    gnutls_bye(tls->session, GNUTLS_SHUT_WR);
}

const char *tls_problem(const struct tls *tls)
{
    return tls->problem[0] != '\0' ? tls->problem : "TLS failed";
}
