/*
 * What the swarm's files share: swarm.c (the world and its course), swarm_plan.c, swarm_guest.c and
 * swarm_peer.c (the two applications), swarm_check.c (the checks), swarm_hook.c (the interleaving).
 * Nobody else includes this.
 */
#ifndef XENSOCK_SIM_RUN_SWARM_PRIVATE_H
#define XENSOCK_SIM_RUN_SWARM_PRIVATE_H

#include "ringlib/cmdring.h"
#include "sim/run/domain_virtual.h"
#include "sim/run/front_core.h"
#include "sim/run/payload.h"
#include "sim/run/run_back.h"
#include "sim/run/swarm.h"

enum {
    SWARM_PORT_GUEST = 2000, /* guest g listens on this + g */
    SWARM_PORT_PEER = 1000,  /* the peer listens on this + connection */
    SWARM_SOCKETS = 48,      /* of a guest, at most */
    SWARM_STREAMS = 4096,    /* ports of a guest */
    SWARM_STRANGERS = 16,    /* accepted, and not yet known which connection they are */
};

struct swarm;

enum swarm_end { SWARM_NONE, SWARM_OPENING, SWARM_OPEN, SWARM_CLOSING, SWARM_OVER };

/* One end of a connection. */
struct swarm_side {
    enum swarm_end state;
    uint64_t to_send, sent, received; /* bytes of the stream, without the number it opens with */
    uint64_t paused_ns;               /* reads nothing until then */
    bool ended;                       /* the other side's end of stream came */
};

struct swarm_conn {
    uint32_t number;
    uint32_t guest; /* whose */
    bool passive, patient;
    uint64_t key_up, key_down;
    struct swarm_side front; /* the guest's end */
    uint64_t sock;
    uint32_t port; /* of the data ring, when it was released */
    bool connects; /* CONNECT has not completed */
    bool broke;    /* an error was told to the guest */
    struct swarm_side peer;
    bool numbered; /* passive: its number was sent, or received */
    bool reading, writing, shut;
    bool to_shut; /* when all is sent */
    bool left;    /* closed or reset before all was over */
    uint32_t writing_bytes;
    uint8_t in[2048], out[2048];
};

/* What the backend did for one data ring, by the guest's port. */
struct swarm_stream {
    uint64_t read_bytes, written_bytes;
    bool write_failed;
};

/* The command ring as seen from outside. */
struct swarm_ring {
    uint32_t req_seen, rsp_seen;
    struct {
        bool used;
        uint32_t id, code;
        uint64_t sockid;
    } asked[CMDRING_SIZE_MAX];
};

struct swarm_guest {
    struct swarm *swarm;
    uint32_t number;
    uint16_t domid;
    struct domain_virtual *domain;
    struct front_core core;
    struct prng prng;
    bool up, hurry, stopped, gone;
    uint32_t next_op;
    uint64_t listener;
    enum swarm_end listening;
    bool is_bound;
    uint32_t waiting; /* accepts and polls that have not completed */
    struct {
        bool used;
        uint64_t sock;
        bool waits, accepted, releasing; /* for its ACCEPT; it has come; it was released */
    } strangers[SWARM_STRANGERS];
    /* checks */
    struct swarm_ring ring;
    struct swarm_stream streams[SWARM_STREAMS];
    uint32_t bound[SWARM_SOCKETS + CMDRING_SIZE_MAX]; /* by the backend's slot: the guest's port */
};

struct swarm {
    struct swarm_config config;
    const struct swarm_plan *plan;
    struct swarm_outcome *outcome;
    struct swarm_sides sides;
    struct costs costs;
    struct vclock *clock;
    struct vcpus *vcpus;
    struct hv_virtual *machine;
    struct net_virtual *world;
    struct trace_log *log;
    struct trace_sink sink; /* the checks', in front of the log's */
    struct policy policy;
    struct domain_virtual *backend;
    struct run_back *back;
    struct swarm_guest guests[SWARM_GUESTS];
    struct swarm_conn conns[SWARM_CONNS];
    /* the peer */
    struct vcpu *peer_vcpu;
    struct net *peer_net;
    struct prng peer_prng;
    uint32_t peer_next_op;
    uint64_t peer_armed_ns;
    /* interleaving */
    struct prng hook_prng;
    size_t choices_taken;
    uint32_t accesses_left; /* until the next interleaving, where that is chosen */
    bool intruding, checking;
    bool excused;      /* it is over: a quirk had its way */
    uint64_t progress; /* changes with whatever was carried or completed */
    struct net_link link;
};

/* swarm.c */
void swarm_fail(struct swarm *swarm, const char *what, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool swarm_is_quiet(const struct swarm *swarm);
bool swarm_kept(const struct swarm *swarm, uint32_t op);

/* swarm_guest.c */
void swarm_guest_open(struct swarm *swarm, struct swarm_guest *guest);
bool swarm_guest_over(const struct swarm_guest *guest);
struct swarm_conn *swarm_guest_conn(struct swarm_guest *guest, uint64_t sock);

/* swarm_peer.c */
void swarm_peer_open(struct swarm *swarm);
void swarm_peer_wake(struct swarm *swarm);
bool swarm_peer_over(const struct swarm *swarm);

/* swarm_check.c */
void swarm_check_record(void *self, const struct trace_record *record);
void swarm_check_rings(struct swarm *swarm);
void swarm_check_ended(struct swarm_guest *guest, const struct swarm_conn *conn, int64_t ret);
void swarm_check_released(struct swarm_guest *guest, const struct swarm_conn *conn);
void swarm_check_over(struct swarm *swarm);

/* swarm_hook.c: have `intrude` called before each access to shared memory; NULL: nothing. */
void swarm_hook_set(void (*intrude)(void *self), void *self);

#endif
