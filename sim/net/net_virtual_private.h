/*
 * What the files of net_virtual share: net_virtual.c (world, hosts, names, completions),
 * net_virtual_listen.c (addresses, handshake), net_virtual_stream.c (connected sockets),
 * net_virtual_pipe.c (bytes of one direction, and when a link brings them).
 *
 * A virtual_socket is what a token names. A virtual_conn is a connection, whose two sides outlive
 * the sockets as a kernel's do: until what was written has arrived.
 * Invariants:
 * - A host's state changes when its call is made, which is at the start of its turn; what leaves
 *   the host leaves when the call is paid for.
 * - Nothing of one host touches another but through an event of the clock.
 * - A conn lives while a side of it is open and while an event of it is scheduled.
 */
#ifndef XENSOCK_SIM_NET_NET_VIRTUAL_PRIVATE_H
#define XENSOCK_SIM_NET_NET_VIRTUAL_PRIVATE_H

#include "ringlib/err.h"
#include "sim/net/net_virtual.h"

#include <uthash.h>
#include <utlist.h>

/* A bound address; the unused bytes are 0. */
struct virtual_place {
    uint8_t ip[16]; /* IPv4: the first four */
    uint16_t family;
    uint16_t port;
};

/* The sockets bound to one port of one family, in order of binding. */
struct virtual_port {
    uint32_t key; /* family above port */
    struct virtual_socket *bound;
    UT_hash_handle hh;
};

/* One direction of a link: the fraction free_rest / rate after free_ns it can take a segment. */
struct virtual_wire {
    uint64_t free_ns;
    uint64_t free_rest;
};

/* What lies between two hosts, or between one and nobody. */
struct virtual_link {
    uint64_t key; /* both numbers, the lower one above */
    struct net_link link;
    struct virtual_wire wires[2];
    uint64_t connections; /* so far: numbers them */
    UT_hash_handle hh;
};

/* The bytes of one direction, as offsets in the stream:
 * read <= arrived <= departed <= written, and acked <= arrived, window <= read as its writer knows
 * them. [read, written) lies in a ring of `room` bytes, a power of two or 0. */
struct virtual_pipe {
    unsigned char *bytes;
    uint32_t room;
    bool cut; /* reset: what has not arrived never does */
    uint64_t written, departed, arrived, read;
    uint64_t acked, window;
    uint64_t last_arrival_ns; /* nothing arrives before it */
    struct prng prng;
};

/* What makes something complete: a call of the host itself, or the network. */
enum virtual_cause { VIRTUAL_BY_CALL, VIRTUAL_BY_NETWORK };

enum virtual_direction { VIRTUAL_IN, VIRTUAL_OUT };

/* One end of a connection. */
struct virtual_side {
    struct virtual_conn *conn;
    struct virtual_host *host; /* while open */
    struct virtual_socket *socket;
    struct virtual_side *prev, *next; /* in its listener's queue */
    struct virtual_wire *wire;
    uint16_t who;
    bool open;       /* has a socket, or waits in the queue of a listener */
    bool shut;       /* writes no more */
    bool end_sent;   /* the end of its stream is under way */
    bool ended;      /* the end of the other one's stream has arrived */
    bool reset;      /* by either side */
    int32_t told[2]; /* by direction: what the next operation is told, once; 0: nothing */
    struct virtual_pipe out;
};

struct virtual_conn {
    struct net_virtual *world;
    struct virtual_conn *prev, *next; /* in the world's */
    struct virtual_link *link;
    struct virtual_place to;
    uint64_t tried_ns; /* when the last attempt to connect left, */
    uint32_t tries;    /* how many there were */
    uint32_t holds;    /* an open side, a scheduled event: 1 each */
    struct virtual_side sides[2];
};

enum { VIRTUAL_CLIENT, VIRTUAL_SERVER };

struct virtual_completion {
    struct virtual_completion *prev, *next; /* in the host's; prev is NULL while not queued */
    struct virtual_socket *socket;
    uint64_t due_ns;
    uint64_t number; /* of the host's completions */
    enum ev_kind kind;
    int32_t ret;
};

struct virtual_transfer {
    struct virtual_completion done;
    struct shared_iov iov[2];
    uint32_t count;
    bool posted;
};

struct virtual_socket {
    struct virtual_host *host;
    uint64_t token;
    uint32_t holds;                         /* 1 while named, 1 a queued completion */
    uint64_t due_ns;                        /* of its last completion: CLOSE comes behind */
    struct virtual_side *side;              /* of a connecting or connected one */
    bool open;                              /* counted in sockets_now */
    bool connecting;                        /* CONNECT has not completed */
    bool bound, listening;                  /* at `at` */
    struct virtual_place at;                /* then, and then: */
    uint32_t backlog, queued;               /* connections in `queue` */
    struct virtual_side *queue;             /* that nobody took */
    struct virtual_socket *accepts, *polls; /* in order of submission */
    struct virtual_socket *listener;        /* of a pending ACCEPT or POLL */
    struct virtual_socket *prev, *next;     /* in the listener's accepts or polls, or the port's */
    struct virtual_completion opened;       /* CONNECT, BIND, ACCEPT or POLL */
    struct virtual_completion listened;     /* LISTEN */
    struct virtual_completion closed;       /* CLOSE */
    struct virtual_transfer transfers[2];   /* by enum virtual_direction */
    UT_hash_handle hh;
};

static_assert(sizeof(struct virtual_socket) + sizeof(struct virtual_conn) / 2 <= 1024,
              "private memory of a connected socket");

struct virtual_host {
    struct net base; /* first: struct net * is struct virtual_host * */
    struct net_virtual *world;
    char *name;
    uint32_t number; /* from 0, never used again */
    uint16_t who;
    struct vcpu *vcpu;
    uint64_t awake_ns;                  /* until then it is being woken */
    struct virtual_socket *named;       /* by token */
    struct virtual_completion *done[2]; /* by cause; in order of due_ns */
    uint64_t completions;               /* so far */
};

struct net_virtual {
    struct net_virtual_config config;
    uint32_t hosts, hosts_ever;
    uint16_t next_port; /* that a bind to port 0 tries first */
    struct virtual_link *links;
    struct virtual_port *ports;
    struct virtual_conn *conns;
    uint64_t under_way; /* events that are scheduled */
};

static inline struct virtual_host *net_virtual_host_of(struct net *net)
{
    return (struct virtual_host *)(void *)net;
}

static inline const struct virtual_host *net_virtual_host_const(const struct net *net)
{
    return (const struct virtual_host *)(const void *)net;
}

static inline struct virtual_side *net_virtual_other(struct virtual_side *side)
{
    return &side->conn->sides[side == &side->conn->sides[VIRTUAL_CLIENT]];
}

static inline uint64_t net_virtual_now_ns(const struct net_virtual *world)
{
    return vclock_now_ns(world->config.clock);
}

/* ---- net_virtual.c ---- */

/* The socket of a token, or NULL. */
struct virtual_socket *net_virtual_find(const struct virtual_host *host, uint64_t token);

/* Make a token name a new socket (asserts that it names none), to be opened by `kind`. */
struct virtual_socket *net_virtual_name(struct virtual_host *host, uint64_t token,
                                        enum ev_kind kind);

/* Count it as open. */
void net_virtual_count_open(struct virtual_socket *socket);

/* The token names nothing any more; the socket has left every list and its side. */
void net_virtual_forget(struct virtual_socket *socket);

/* Queue a completion and wake its host's vCPU for it; returns when it is due. */
uint64_t net_virtual_complete(struct virtual_completion *done, int32_t ret,
                              enum virtual_cause cause);

/* Record a change of a connection as one side sees it. */
void net_virtual_trace(struct virtual_side *side, enum trace_socket what);

/* The link between two hosts, made if there is none; `b` may be NULL: nobody. */
struct virtual_link *net_virtual_link_between(struct net_virtual *world,
                                              const struct virtual_host *a,
                                              const struct virtual_host *b);

/* ---- net_virtual_listen.c ---- */

/* Operations of net_ops. */
void net_virtual_listen_connect(struct net *net, uint64_t token, const struct call_addr *addr);
void net_virtual_listen_bind(struct net *net, uint64_t token, const struct call_addr *addr);
void net_virtual_listen_listen(struct net *net, uint64_t token, uint32_t backlog);
void net_virtual_listen_accept(struct net *net, uint64_t token, uint64_t listener);
void net_virtual_listen_poll(struct net *net, uint64_t token, uint64_t listener);

/* Take a pending ACCEPT or POLL from its listener. */
void net_virtual_listen_stop_waiting(struct virtual_socket *socket);

/* A bound socket leaves its port, and a listener resets what nobody took. */
void net_virtual_listen_close(struct virtual_socket *socket);

/* ---- net_virtual_stream.c ---- */

/* Operations of net_ops. */
void net_virtual_stream_read(struct net *net, uint64_t token, const struct shared_iov *iov,
                             uint32_t count);
void net_virtual_stream_write(struct net *net, uint64_t token, const struct shared_iov *iov,
                              uint32_t count);
void net_virtual_stream_shutdown(struct net *net, uint64_t token);

/* A side opens; it holds its conn. */
void net_virtual_stream_open(struct virtual_side *side, struct virtual_host *host);

/* A side closes, in good order unless `abort` or something unread says reset. */
void net_virtual_stream_close(struct virtual_side *side, uint64_t at_ns, bool abort);

/* Schedule an event of a side, which holds its conn until it has fired: `fire` ends with
 * net_virtual_stream_fired. */
void net_virtual_stream_at(struct virtual_side *side, uint64_t at_ns,
                           void (*fire)(void *side, uint64_t arg), uint64_t arg);

/* An event has fired: it is not under way any more, and gives up its hold. */
void net_virtual_stream_fired(struct virtual_conn *conn);

/* Give up one hold. */
void net_virtual_stream_drop(struct virtual_conn *conn);

/* ---- net_virtual_pipe.c ---- */

/* Append `bytes` bytes from iovecs that have at least so many. */
void net_virtual_pipe_put(struct virtual_pipe *pipe, const struct shared_iov *iov, uint32_t bytes);

/* Take `bytes` bytes, which have arrived, into iovecs that have room. */
void net_virtual_pipe_get(struct virtual_pipe *pipe, const struct shared_iov *iov, uint32_t bytes);

/* Lose what has not arrived, for good. */
void net_virtual_pipe_cut(struct virtual_pipe *pipe);

/* Free what it holds. */
void net_virtual_pipe_free(struct virtual_pipe *pipe);

/* Asserts that each member of a link is in its range. */
void net_virtual_pipe_check_link(const struct net_link *link);

/* When a segment of a side that is ready at `at_ns` arrives; it takes its time of the wire and its
 * random numbers. `*again`: how often it was sent again. */
uint64_t net_virtual_pipe_arrival_ns(struct virtual_side *side, uint64_t at_ns, uint32_t bytes,
                                     uint32_t *again);

/* Draw whether a segment or an attempt to connect is lost, and what is added to its delay. */
bool net_virtual_pipe_lost(struct virtual_side *side);
uint64_t net_virtual_pipe_jitter_ns(struct virtual_side *side);

#endif
