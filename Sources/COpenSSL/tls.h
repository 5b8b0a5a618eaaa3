// OpenSSL's libssl for Swift: what its macros hide, and TLS over a socket. Source: RFC 8446, 5246.
#pragma once
#include <features.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

// ---- The socket under a session. OpenSSL's own would draw SIGPIPE, which is the application's.

static inline int holdfast_bio_read(BIO *bio, char *bytes, int count) {
    ssize_t result;
    int fd = (int)(intptr_t)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    do result = recv(fd, bytes, (size_t)count, 0); while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EAGAIN) BIO_set_retry_read(bio);
    if (result == 0) BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)result;
}

static inline int holdfast_bio_write(BIO *bio, const char *bytes, int count) {
    ssize_t result;
    int fd = (int)(intptr_t)BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    do result = send(fd, bytes, (size_t)count, MSG_NOSIGNAL); while (result < 0 && errno == EINTR);
    if (result < 0 && errno == EAGAIN) BIO_set_retry_write(bio);
    return (int)result;
}

static inline long holdfast_bio_control(BIO *bio, int command, long number, void *pointer) {
    (void)number, (void)pointer;
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return 0;
}

// The methods of such a socket; NULL for want of memory.
static inline BIO_METHOD *holdfast_bio_method(void) {
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (!method) return NULL;
    BIO_meth_set_read(method, holdfast_bio_read);
    BIO_meth_set_write(method, holdfast_bio_write);
    BIO_meth_set_ctrl(method, holdfast_bio_control);
    return method;
}

// ---- Contexts

// The only names a peer may offer, in the form of the protocol: a length, then the name.
static const unsigned char holdfast_alpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

static inline int holdfast_choose_alpn(
    SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
    unsigned int offered_length, void *context) {
    (void)ssl, (void)context;
    // Without an overlap the handshake ends: RFC 7301, section 3.2.
    return SSL_select_next_proto((unsigned char **)chosen, length, holdfast_alpn,
        sizeof holdfast_alpn, offered, offered_length) == OPENSSL_NPN_NEGOTIATED
        ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A key with a pass phrase must not make a server ask a terminal.
static inline int holdfast_no_phrase(char *text, int count, int writes, void *context) {
    (void)text, (void)count, (void)writes, (void)context;
    return -1;
}

// TLS 1.2 and 1.3, ciphers with forward secrecy and authenticated encryption alone.
static inline SSL_CTX *holdfast_tls_context(int is_server) {
    SSL_CTX *context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
    if (!context) return NULL;
    int good = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1
        && SSL_CTX_set_cipher_list(context,
            "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
            "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
            "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305") == 1;
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
        | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_passwd_cb(context, holdfast_no_phrase);
    // Tickets resume sessions without a table that clients could fill.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (is_server) {
        SSL_CTX_set_alpn_select_cb(context, holdfast_choose_alpn, NULL);
        good = good && SSL_CTX_set_session_id_context(
            context, (const unsigned char *)"holdfast", 8) == 1;
    } else {
        good = good && SSL_CTX_set_alpn_protos(
            context, holdfast_alpn, sizeof holdfast_alpn) == 0;
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    }
    if (good) return context;
    SSL_CTX_free(context);
    return NULL;
}

// Asks every client for a certificate of these authorities; 1 when the file is good.
static inline int holdfast_tls_require_clients(SSL_CTX *context, const char *file) {
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(file);
    if (!names) return 0;
    SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    return SSL_CTX_load_verify_locations(context, file, NULL);
}

// Seconds until a context's own certificate ends; negative when it has.
static inline long holdfast_tls_seconds_left(const SSL_CTX *context) {
    int days = 0, seconds = 0;
    X509 *certificate = SSL_CTX_get0_certificate(context);
    if (!certificate || !ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(certificate)))
        return 0;
    return days * 86400L + seconds;
}

// ---- Sessions

// A session over a descriptor, which stays the caller's; NULL for want of memory.
static inline SSL *holdfast_tls_session(SSL_CTX *context, const BIO_METHOD *method, int fd) {
    SSL *ssl = SSL_new(context);
    BIO *bio = BIO_new(method);
    if (!ssl || !bio) {
        SSL_free(ssl);
        BIO_free(bio);
        return NULL;
    }
    BIO_set_data(bio, (void *)(intptr_t)fd);
    BIO_set_init(bio, 1);
    SSL_set_bio(ssl, bio, bio);
    return ssl;
}

// Makes a client's session verify that the server is this host, a name or a numeric address.
static inline int holdfast_tls_expect(SSL *ssl, const char *host, int is_numeric) {
    SSL_set_connect_state(ssl);
    if (is_numeric) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) && SSL_set_tlsext_host_name(ssl, host);
}

// What a call gave: a count above 0, or one of these; then the queue of errors and errno say why.
enum {
    holdfast_tls_wants_read = 0,
    holdfast_tls_wants_write = -1,
    holdfast_tls_ended = -2,
    holdfast_tls_failed = -3
};

static inline ssize_t holdfast_tls_result(SSL *ssl, int result, int *error) {
    *error = errno;
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ: return holdfast_tls_wants_read;
    case SSL_ERROR_WANT_WRITE: return holdfast_tls_wants_write;
    case SSL_ERROR_ZERO_RETURN: return holdfast_tls_ended;
    case SSL_ERROR_SYSCALL: return holdfast_tls_failed;
    default:
        *error = 0;
        return holdfast_tls_failed;
    }
}

// The queue of errors must be empty before each call: SSL_get_error(3).
static inline ssize_t holdfast_tls_shake(SSL *ssl, int *error) {
    ERR_clear_error();
    errno = 0;
    int result = SSL_do_handshake(ssl);
    return result == 1 ? 1 : holdfast_tls_result(ssl, result, error);
}

static inline ssize_t holdfast_tls_read(SSL *ssl, void *bytes, size_t count, int *error) {
    size_t done = 0;
    ERR_clear_error();
    errno = 0;
    int result = SSL_read_ex(ssl, bytes, count, &done);
    return result == 1 ? (ssize_t)done : holdfast_tls_result(ssl, result, error);
}

static inline ssize_t holdfast_tls_write(SSL *ssl, const void *bytes, size_t count, int *error) {
    size_t done = 0;
    ERR_clear_error();
    errno = 0;
    int result = SSL_write_ex(ssl, bytes, count, &done);
    return result == 1 ? (ssize_t)done : holdfast_tls_result(ssl, result, error);
}

// Tells the peer that no more comes; 1 when that is said.
static inline ssize_t holdfast_tls_end(SSL *ssl, int *error) {
    ERR_clear_error();
    errno = 0;
    int result = SSL_shutdown(ssl);
    return result >= 0 ? 1 : holdfast_tls_result(ssl, result, error);
}

// The DNS names of the peer's certificate, separated by ", ", into text of count bytes.
static inline void holdfast_tls_peer_names(SSL *ssl, char *text, size_t count) {
    size_t used = 0;
    text[0] = 0;
    // That of the peer itself is told only once it has verified; the chain is there before.
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    if (!chain || sk_X509_num(chain) == 0) return;
    const X509 *certificate = sk_X509_value(chain, 0);
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_DNS) continue;
        size_t length = (size_t)ASN1_STRING_length(name->d.dNSName);
        if (used + length + 3 > count) break;
        if (used > 0) memcpy(text + used, ", ", 2), used += 2;
        memcpy(text + used, ASN1_STRING_get0_data(name->d.dNSName), length);
        text[used += length] = 0;
    }
    GENERAL_NAMES_free(names);
}
