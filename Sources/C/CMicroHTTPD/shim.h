#pragma once
// libmicrohttpd with faces that Swift can call: its start and its questions are variadic. The Swift files that import
// this module do not import Glibc, since types of the C library reached through two modules are ambiguous; what they
// need of it has a face here.
#include <microhttpd.h>
#include <gnutls/gnutls.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct daleks_mhd_options {
    unsigned flags;
    void *context;
    MHD_AccessHandlerCallback access;
    void *(*target)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    size_t (*unescape)(void *context, struct MHD_Connection *connection, char *text);
    gnutls_certificate_retrieve_function2 *certificate;
    unsigned connections_max;
    unsigned timeout_seconds;
    unsigned threads;
    size_t arena_bytes;
    const char *tls_priorities;
};

// The daemon has no listening socket: connections are handed to it, so that accepting can stop without a race.
static inline struct MHD_Daemon *daleks_mhd_start(const struct daleks_mhd_options *o) {
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)o->certificate},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)o->tls_priorities},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)o->threads, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    return MHD_start_daemon(
        o->flags | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, o->access, o->context,
        MHD_OPTION_URI_LOG_CALLBACK, o->target, o->context,
        MHD_OPTION_UNESCAPE_CALLBACK, o->unescape, o->context,
        MHD_OPTION_NOTIFY_COMPLETED, o->completed, o->context,
        MHD_OPTION_NOTIFY_CONNECTION, o->connection, o->context,
        MHD_OPTION_CONNECTION_LIMIT, o->connections_max,
        MHD_OPTION_CONNECTION_TIMEOUT, o->timeout_seconds,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, o->arena_bytes,
        // A pool of one thread is refused; one thread is what there is without a pool.
        MHD_OPTION_ARRAY, o->threads > 1 ? pool : none,
        MHD_OPTION_ARRAY, o->certificate ? tls : none,
        MHD_OPTION_END);
}

static inline int daleks_mhd_socket(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static inline void *daleks_mhd_socket_context(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static inline size_t daleks_mhd_header_bytes(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

// The status of the answer that was queued, ours or the library's own; 0 where there is none.
static inline unsigned daleks_mhd_status(struct MHD_Connection *connection) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_HTTP_STATUS);
    return info ? info->http_status : 0;
}

static inline int daleks_mhd_add_connection(
    struct MHD_Daemon *daemon, int fd, const void *address, unsigned address_bytes) {
    return MHD_add_connection(daemon, fd, (const struct sockaddr *)address, (socklen_t)address_bytes) == MHD_YES;
}

// One certificate chain and its key, as GnuTLS wants them when a client says hello.
struct daleks_tls {
    gnutls_pcert_st chain[8];
    unsigned count;
    gnutls_privkey_t key;
};

static inline void daleks_tls_free(struct daleks_tls *tls) {
    if (!tls) return;
    for (unsigned i = 0; i < tls->count; i++) gnutls_pcert_deinit(&tls->chain[i]);
    if (tls->key) gnutls_privkey_deinit(tls->key);
    free(tls);
}

// Whether the key signs for the certificate.
static inline int daleks_tls_matches(struct daleks_tls *tls) {
    unsigned char mine[64], theirs[64];
    size_t mine_bytes = sizeof mine, theirs_bytes = sizeof theirs;
    gnutls_pubkey_t public_key;
    if (gnutls_pubkey_init(&public_key) < 0) return 0;
    int ok = gnutls_pubkey_import_privkey(public_key, tls->key, 0, 0) >= 0
        && gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256, mine, &mine_bytes) >= 0
        && gnutls_pubkey_get_key_id(tls->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, theirs, &theirs_bytes) >= 0
        && mine_bytes == theirs_bytes && memcmp(mine, theirs, mine_bytes) == 0;
    gnutls_pubkey_deinit(public_key);
    return ok;
}

// Null where the texts are no chain and key that belong together; then *error says why, unless the two do not match.
static inline struct daleks_tls *daleks_tls_load(
    const void *chain, size_t chain_bytes, const void *key, size_t key_bytes, int *error) {
    struct daleks_tls *tls = calloc(1, sizeof *tls);
    *error = 0;
    if (!tls) return NULL;
    gnutls_datum_t chain_text = {(unsigned char *)chain, (unsigned)chain_bytes};
    gnutls_datum_t key_text = {(unsigned char *)key, (unsigned)key_bytes};
    unsigned count = 8;
    *error = gnutls_pcert_list_import_x509_raw(tls->chain, &count, &chain_text, GNUTLS_X509_FMT_PEM,
                                               GNUTLS_X509_CRT_LIST_FAIL_IF_UNSORTED);
    if (*error >= 0) {
        *error = 0;
        tls->count = count;
        *error = gnutls_privkey_init(&tls->key);
    }
    if (*error >= 0) *error = gnutls_privkey_import_x509_raw(tls->key, &key_text, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (*error >= 0 && tls->count > 0 && daleks_tls_matches(tls)) return tls;
    daleks_tls_free(tls);
    return NULL;
}

static inline gnutls_pcert_st *daleks_tls_chain(struct daleks_tls *tls) { return tls->chain; }

// Linux's readiness interface, which Swift's Glibc module leaves out.
#include <sys/epoll.h>
#include <sys/eventfd.h>

#define DALEKS_EPOLL_BATCH 64

struct daleks_epoll_marks {
    unsigned long long marks[DALEKS_EPOLL_BATCH];
};

static inline int daleks_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

static inline int daleks_epoll_add(int epoll, int fd, unsigned long long mark, unsigned events) {
    struct epoll_event event = {.events = events, .data = {.u64 = mark}};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static inline int daleks_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

// The marks of what is ready.
static inline int daleks_epoll_wait(int epoll, unsigned long long *marks, int milliseconds) {
    struct epoll_event events[DALEKS_EPOLL_BATCH];
    int count = epoll_wait(epoll, events, DALEKS_EPOLL_BATCH, milliseconds);
    for (int i = 0; i < count; i++) marks[i] = events[i].data.u64;
    return count;
}

static const unsigned daleks_epoll_readable = EPOLLIN;
// Once, when the peer closed its sending side or all of the connection.
static const unsigned daleks_epoll_peer_closed = EPOLLRDHUP | EPOLLONESHOT;

static inline int daleks_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

static inline int daleks_accept(int fd, void *address, unsigned *address_bytes) {
    return accept4(fd, (struct sockaddr *)address, (socklen_t *)address_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static inline int daleks_stream_socket(int family) {
    return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static inline int daleks_duplicate(int fd) { return fcntl(fd, F_DUPFD_CLOEXEC, 0); }
