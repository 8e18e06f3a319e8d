/*
 * The control channel between a domain and the hypervisor process: messages and their transport.
 *
 * One message is one packet of a connection, whose socket is the domain's identity. Chosen at link
 * time: emu_wire_linux.c (SOCK_SEQPACKET), emu_wire_posix.c (SOCK_STREAM, a frame a message).
 * The hypervisor opens with HELLO, then answers each request in order under the request's kind; an
 * error is a bare head with `ret` < 0. UNSHARE, UNMAP and PORT_CLOSE are one way. EVENT comes
 * unasked. Bytes are the host's own order: both ends are on one machine, built from one tree.
 * Bytes on rings and notifications never pass here.
 * Invariants: every kind has one exact length (given its count) and one exact number of
 * descriptors; a receiver checks both before it looks further.
 * Source: architecture 3 ("Who is the hypervisor in an emulated run").
 */
#ifndef XENSOCK_SIM_HV_EMU_WIRE_H
#define XENSOCK_SIM_HV_EMU_WIRE_H

#include "sim/hv/hv.h"

enum {
    EMU_VERSION = 1,
    EMU_FDS_MAX = 253,       /* SCM_MAX_FD: most descriptors of one message on Linux */
    EMU_NAMES_BYTES = 32768, /* most bytes of names in one answer to STORE_LIST */
};

#define EMU_KINDS(X)                                                                               \
    X(HELLO)         /* hypervisor: struct emu_hello */                                            \
    X(SHARE)         /* emu_grant + the memory -> emu_shared */                                    \
    X(UNSHARE)       /* emu_handle, one way */                                                     \
    X(MAP)           /* emu_map -> emu_mapped + each run once */                                   \
    X(UNMAP)         /* emu_handle, one way */                                                     \
    X(PORT_ALLOC)    /* emu_port -> emu_port + receiving end, sending end */                       \
    X(PORT_BIND)     /* emu_port -> emu_port + receiving end, sending end */                       \
    X(PORT_CLOSE)    /* emu_handle, one way */                                                     \
    X(STORE_READ)    /* emu_path -> emu_value */                                                   \
    X(STORE_LIST)    /* emu_path -> emu_names */                                                   \
    X(STORE_PUBLISH) /* emu_publish -> emu_head */                                                 \
    X(STORE_WATCH)   /* emu_path -> emu_head */                                                    \
    X(STORE_UNWATCH) /* emu_cookie -> emu_head */                                                  \
    X(STORE_EVENT)   /* hypervisor: emu_cookie of the watch that fired */

enum emu_kind {
#define X(name) EMU_##name,
    EMU_KINDS(X)
#undef X
        EMU_KIND_COUNT
};

struct emu_head {
    uint32_t kind; /* enum emu_kind */
    int32_t ret;   /* answers: 0, a count, or -ERR_*; requests: 0 */
    uint64_t id;   /* the asker's, echoed; 0 in HELLO, STORE_EVENT and one-way messages */
};

struct emu_hello { /* ret -ERR_BUSY: the domain is connected already */
    struct emu_head head;
    uint32_t version;
    uint32_t domid;
};

struct emu_grant {
    struct emu_head head;
    uint32_t domid;
    uint32_t pages;
};

struct emu_handle { /* of a run, a map, or a port */
    struct emu_head head;
    uint32_t handle;
    uint32_t zero;
};

struct emu_shared { /* `count` refs are sent */
    struct emu_head head;
    uint32_t handle;
    uint32_t count;
    uint32_t refs[HV_REFS_MAX];
};

struct emu_map { /* `count` refs are sent */
    struct emu_head head;
    uint32_t domid;
    uint32_t count;
    uint32_t refs[HV_REFS_MAX];
};

/* Consecutive pages of one run; `run` is the index of its descriptor in the message. */
struct emu_piece {
    uint16_t run;
    uint16_t first_page;
    uint16_t pages;
    uint16_t run_pages;
};

struct emu_mapped { /* `count` pieces are sent */
    struct emu_head head;
    uint32_t handle;
    uint32_t count;
    struct emu_piece pieces[HV_REFS_MAX];
};

struct emu_port { /* domid: the other side; port: the remote one asked for, or the new one given */
    struct emu_head head;
    uint32_t domid;
    uint32_t port;
};

struct emu_path {
    struct emu_head head;
    uint64_t cookie; /* STORE_WATCH: comes with each STORE_EVENT; else 0 */
    char path[HV_PATH_BYTES];
};

struct emu_cookie {
    struct emu_head head;
    uint64_t cookie;
};

struct emu_publish { /* `count` nodes are sent */
    struct emu_head head;
    uint32_t count;
    uint32_t zero;
    struct hv_node nodes[HV_PUBLISH_MAX];
};

struct emu_value {
    struct emu_head head;
    char value[STEP_VALUE_BYTES];
};

struct emu_names { /* `bytes` bytes of terminated names are sent; head.ret is how many */
    struct emu_head head;
    uint32_t bytes;
    uint32_t zero;
    char names[EMU_NAMES_BYTES];
};

static_assert(sizeof(struct emu_head) == 16, "emu_head");
static_assert(sizeof(struct emu_hello) == 24, "emu_hello");
static_assert(sizeof(struct emu_grant) == 24, "emu_grant");
static_assert(sizeof(struct emu_handle) == 24, "emu_handle");
static_assert(offsetof(struct emu_shared, refs) == 24, "emu_shared");
static_assert(offsetof(struct emu_map, refs) == 24, "emu_map");
static_assert(sizeof(struct emu_piece) == 8, "emu_piece");
static_assert(offsetof(struct emu_mapped, pieces) == 24, "emu_mapped");
static_assert(sizeof(struct emu_port) == 24, "emu_port");
static_assert(sizeof(struct emu_path) == 280, "emu_path");
static_assert(sizeof(struct emu_cookie) == 24, "emu_cookie");
static_assert(sizeof(struct hv_node) == 320, "hv_node");
static_assert(offsetof(struct emu_publish, nodes) == 24, "emu_publish");
static_assert(sizeof(struct emu_value) == 80, "emu_value");
static_assert(offsetof(struct emu_names, names) == 24, "emu_names");

/* Room for any message. */
union emu_body {
    struct emu_head head;
    struct emu_hello hello;
    struct emu_grant grant;
    struct emu_handle handle;
    struct emu_shared shared;
    struct emu_map map;
    struct emu_mapped mapped;
    struct emu_port port;
    struct emu_path path;
    struct emu_cookie cookie;
    struct emu_publish publish;
    struct emu_value value;
    struct emu_names names;
};

/* A message as it was received. Who receives owns the descriptors until emu_wire_dismiss; one who
 * keeps them sets fd_count to 0. Where a connection can give half a message this keeps that half,
 * so each connection has its own, all zero at first. */
struct emu_message {
    uint32_t length;   /* UINT32_MAX: longer than any message can be */
    uint32_t fd_count; /* descriptors in `fds` */
    bool fds_lost;     /* some did not fit in our descriptor table */
    uint32_t received; /* bytes of a message under way, the frame's own too; 0: none is */
    uint32_t frame[2]; /* its length and number of descriptors, as the sender says */
    int fds[EMU_FDS_MAX];
    union emu_body body;
};

/* "SHARE" etc.; "?" for a number that is no kind. */
const char *emu_wire_name(uint32_t kind);

/* A socket for such connections, not connected, non-blocking and close-on-exec; or -1 with errno.
 * Where no flag of a call keeps SIGPIPE away, the process ignores it from now on. */
int emu_wire_socket(void);

/* The same for bytes without descriptors: xenstore's. */
int emu_wire_stream(void);

/* Take a connection from a listening one of either kind; or -1 with errno. */
int emu_wire_accept(int listener);

/* End both directions: whoever waits for this end finds it readable, and then nothing to read. */
void emu_wire_end(int socket);

/* Send some of `count` bytes over a stream: how many, or as emu_wire_send. */
int64_t emu_wire_stream_send(int socket, const void *bytes, uint32_t count);

/* Send one packet without waiting, with fd_count (0..EMU_FDS_MAX) descriptors, which stay the
 * caller's. 0; -ERR_AGAIN, nothing sent; -ERR_PIPE, the connection is gone; or so many bytes (> 0)
 * are left, the descriptors being on their way: emu_wire_send_rest is next on this connection. */
int emu_wire_send(int socket, const void *bytes, uint32_t length, const int *fds,
                  uint32_t fd_count);

/* Send the last `left` bytes of the same packet. 0, -ERR_PIPE, or how many are left now. */
int emu_wire_send_rest(int socket, const void *bytes, uint32_t length, uint32_t fd_count,
                       uint32_t left);

/* Receive one packet without waiting; its descriptors are close-on-exec. 0; -ERR_AGAIN, there is
 * none yet, or not all of it; -ERR_PIPE, the connection is gone (so does an empty packet look). */
int emu_wire_receive(int socket, struct emu_message *message);

/* Close the descriptors of a message that nobody kept, and forget half a message. */
void emu_wire_dismiss(struct emu_message *message);

#endif
