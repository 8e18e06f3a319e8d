/*
 * Forwarding: connections beside a guest, each joined to a socket of the guest's frontend, so that
 * programs that know nothing of the protocol speak through it.
 *
 * Knows no loop, clock or descriptor: the program's side is a socket seam of its own (net.h), the
 * other side the frontend's calls. What comes in on one side goes out on the other, through one
 * buffer a direction: whoever is slow holds up the other, and nothing else.
 * Ends: the peer's end of stream reaches the program, which may go on sending. The program's own
 * end cannot be told where the dialect has no shutdown: it is held until the peer ends too, or is
 * silent for `hold_ns`, or the room is needed; while the program takes bytes, it is not silence.
 * Of a service, which as a rule has closed altogether, a fiftieth of that is enough.
 * Whatever breaks on one side ends the other at once: the program's with a reset, the socket with
 * what it has not sent yet. A target that cannot be reached is a reset, too, and so is one that
 * does not answer in time; until then those have at most half of the room for CONNECTs. Source:
 * protocol.md 7 (24); RFC 9293 3.6.
 */
#ifndef XENSOCK_SIM_RUN_FORWARD_H
#define XENSOCK_SIM_RUN_FORWARD_H

#include "frontend/fe.h"
#include "sim/run/exec.h"

enum {
    FORWARD_RULES_MAX = 64,
    FORWARD_FLOW_BYTES = 65536,
    FORWARD_BACKLOG = 1024, /* beside the guest, and to be asked of a backend */
    FORWARD_ACCEPTS = 3,    /* that wait on the backend's side at most: CONNECTs share the ring */
    /* BINDs of SOCKS programs: so many at once, on these ports, of which so many are tried. The
     * ports are above those that Linux gives to connections by itself. */
    FORWARD_BINDS = 64,
    FORWARD_BIND_LOW = 61000,
    FORWARD_BIND_HIGH = 65535,
    FORWARD_BIND_TRIES = 16,
};

enum forward_kind {
    FORWARD_LOCAL,  /* listens beside the guest, CONNECTs through the backend */
    FORWARD_SOCKS,  /* listens beside the guest; each program says whom to CONNECT to */
    FORWARD_REMOTE, /* LISTENs on the backend's side, connects to a service beside the guest */
};

struct forward_rule {
    enum forward_kind kind;
    struct call_addr listen, target; /* SOCKS has no target */
};

/* Counts since forward_create. */
struct forward_counters {
    uint64_t accepted;             /* connections that came, on either side */
    uint64_t joined;               /* of these: with a connection to their target */
    uint64_t refused;              /* that ended without it: mostly it could not be reached */
    uint64_t resets;               /* joined, and broken by one side */
    uint64_t held_out;             /* given up with the program's end held */
    uint64_t up_bytes, down_bytes; /* towards the backend, and from it */
    uint32_t now, most;            /* connections that exist */
};

struct forward_config {
    struct exec *exec; /* of the guest */
    struct fe *fe;
    uint16_t device; /* the frontend's, at the executor */
    struct net *net; /* the program's side; nobody else takes its completions */
    const struct forward_rule *rules;
    uint32_t rule_count; /* 1..FORWARD_RULES_MAX */
    /* No fewer than rules: each keeps a place for who comes next (a REMOTE rule that is alone up to
     * FORWARD_ACCEPTS, one of many none). More come only in place of one that is held. The frontend
     * has forward_sockets(...). */
    uint32_t max_connections;
    uint32_t sockets; /* the frontend has, if others use it too; 0: forward_sockets(...) */
    uint64_t hold_ns;
    uint64_t connect_wait_ns; /* for a target, also beside the guest, to answer; 0: ever */
    uint64_t talk_wait_ns;    /* for a SOCKS program to say what it wants; 0: ever */
    /* SOCKS BINDs: where they listen on the backend's side, for IPv4 and IPv6, the ports being
     * FORWARD_BIND_LOW; which of the ports is tried first; how long somebody may be waited for. */
    struct call_addr bind_on[2];
    uint16_t bind_first;
    uint64_t bind_wait_ns;
    void *self;
    /* A rule listens (0), or cannot (-ERR_*). May be NULL. */
    void (*listening)(void *self, uint32_t rule, int32_t ret);
    /* A SOCKS program names its target: forward_resolved follows with this id, at once or later. */
    void (*resolve)(void *self, uint64_t id, const char *name, uint16_t port);
};

struct forward;

/* How many sockets the frontend needs for this many connections. */
uint32_t forward_sockets(uint32_t max_connections, const struct forward_rule *rules,
                         uint32_t rule_count);

/* Rules beside the guest begin to listen at once, and take connections when the device is up. NULL
 * when out of memory. The config's seams and rules outlive it; it is copied. */
struct forward *forward_create(const struct forward_config *config);

/* Every upcall of the frontend; where others use that too, of the device, and of sockets that it
 * owns: those of its connections and listeners, up to the last upcall. */
void forward_upcall(struct forward *forward, const struct act *act);
bool forward_owns(const struct forward *forward, uint64_t sock);

/* What a name is: `addr`, or an error (-ERR_NOENT: there is none) and NULL. */
void forward_resolved(struct forward *forward, uint64_t id, int32_t error,
                      const struct call_addr *addr);

/* After a turn of the executor: take what the program's side has completed. Returns when to be
 * called again at the latest: `now_ns` when work is left, or STEP_NEVER. */
uint64_t forward_turned(struct forward *forward, uint64_t now_ns);

/* Listen no more; connections end as if the program had. `forward_over` tells when all of them
 * have. With `reset` they are reset, also those that were on their way out. */
void forward_stop(struct forward *forward, bool reset);
bool forward_over(const struct forward *forward);

/* Its counts; they live as long as it does. */
const struct forward_counters *forward_counters(const struct forward *forward);

/* Frees it as it stands; the sockets are the seams'. */
void forward_destroy(struct forward *forward);

#endif
