/*
 * The guest's core: the xenbus handshake, the calls, the sockets and their bytes.
 *
 * A function of (state, event) to (state, actions): it knows rings, not hypervisors; time as a
 * number, not a clock. All its memory is handed in. Every call of the application is a step too:
 * it takes the turn (`out`, with now and the action array) and owes its notifications as actions.
 * Socket ids carry a generation, so a stale id is -ERR_BADF and never a crash.
 *
 * Upcalls, delivered by the executor after the turn's completions: UP (calls may be made), DONE
 * (a call completed), READABLE and WRITABLE (once per arming), GONE (every socket has failed,
 * once; re-connecting is the application's business).
 * Source: protocol.md 1.1, 1.3, 1.5 and the answers of 7; architecture 3, 5, 7.
 */
#ifndef XENSOCK_FRONTEND_FE_H
#define XENSOCK_FRONTEND_FE_H

#include "ringlib/bytering.h"
#include "ringlib/quirk.h"
#include "ringlib/step.h"
#include "ringlib/xenbus.h"

struct fe;

struct fe_config {
    const struct dialect *dialect;
    uint16_t device;      /* of the tokens: which device of its process */
    uint32_t order;       /* of the data rings; the dialect's order_min..order_max */
    uint32_t max_sockets; /* slots, 1..65536; each poll and accept under way takes one too */
    uint64_t linger_ns;   /* how long a release waits for `out` to drain; 0: the default, 60 s */
    uint32_t backlog;     /* of listeners, where the dialect says one; 0: the default, 128 */
    uint32_t quirks;      /* bits of enum quirk; 0: ours */
};

/* Counts since fe_init. */
struct fe_counters {
    uint64_t requests, responses;
    uint64_t request_waits; /* requests that waited in the guest for a ring slot */
    uint64_t sent_bytes, received_bytes;
    uint64_t copies;     /* copies between application and ring, one each way */
    uint64_t room_waits; /* sends that took less than was asked */
    uint64_t faults;     /* of the peer */
    uint32_t sockets_now;
};

/* Bytes of memory an fe of this configuration needs. */
size_t fe_size(const struct fe_config *config);

/* Make a core in `mem` (fe_size bytes, aligned as malloc's); it begins with EV_START. */
struct fe *fe_init(void *mem, const struct fe_config *config);

/* End of life; the memory is the caller's again. Asserts that no operation is in flight. */
void fe_fini(struct fe *fe);

/* How many slots the tokens of this core name, the device's beside them. */
uint32_t fe_slots(const struct fe_config *config);

/* One step. Events of tokens that died meanwhile (only EV_PORT can be such) are dropped. */
void fe_step(struct fe *fe, const struct ev *ev, struct step_out *out);

/* When EV_TIME is due, or STEP_NEVER. */
uint64_t fe_deadline_ns(const struct fe *fe);

/* Its counts; they live as long as the core. */
const struct fe_counters *fe_counters(const struct fe *fe);

/* The device's xenbus state as this side published it last. */
enum xenbus_state fe_state(const struct fe *fe);

/* Whether the device is closed (or was never started) and no operation of the device is in flight:
 * it may be started again. Sockets do not count; exec_busy tells of theirs. */
bool fe_idle(const struct fe *fe);

/* Whether calls may be made: from UP until the device is lost or stopped, of which GONE tells when
 * every socket has failed. */
bool fe_is_up(const struct fe *fe);

/* Whether the toolstack's nodes for the device have been seen, so that there is one. */
bool fe_is_found(const struct fe *fe);

/* Where it stands, for people: the command ring's indexes, and a request that waits for a
 * response. Valid while the device is connected, else all 0. */
struct fe_look {
    uint32_t req_prod, rsp_cons; /* its own */
    uint32_t rsp_prod;           /* the backend's, as it is now */
    uint32_t rsp_event;          /* where it asked to be notified */
    uint32_t outstanding;        /* requests in the ring */
    uint32_t queued;             /* requests that wait for a slot */
    enum call_kind first;        /* of the outstanding, the one of lowest id; CALL_KINDS: none */
    uint32_t first_id;
    uint32_t port;           /* of the device */
    struct shared_area page; /* the ring's; no pages: it has none */
    uint32_t slots;
};
void fe_look(const struct fe *fe, struct fe_look *look);

/* What a socket is called on the wire: its id, shortened where the wire has less room. It is no
 * other live socket's. */
uint64_t fe_wire_id(const struct fe *fe, uint64_t sock);

/* The port of a socket with a data ring, 0 for any other id. */
uint32_t fe_port(const struct fe *fe, uint64_t sock);

/* The data ring of an open socket, to look at; false for any other id. */
struct fe_data {
    struct shared_area area;
    struct bytering_layout in, out;
    bool wants_bytes, wants_room; /* the application waits to be told of them */
};
bool fe_data(const struct fe *fe, uint64_t sock, struct fe_data *data);

/* Open a socket to `addr`: its id (>= 0), then DONE(CONNECT). On DONE with an error the id is
 * dead. -ERR_NOTCONN before UP or after GONE, -ERR_MFILE without a free slot, -ERR_INVAL,
 * -ERR_AFNOSUPPORT for the address. READABLE is armed at success. */
int64_t fe_connect(struct fe *fe, const struct call_addr *addr, struct step_out *out);

/* Open a passive socket on `addr`: its id (>= 0), then DONE(BIND). Errors as fe_connect. */
int64_t fe_bind(struct fe *fe, const struct call_addr *addr, struct step_out *out);

/* Listen: 0, then DONE(LISTEN); an error leaves it bound, but -ERR_CONNRESET, with which the device
 * went, ends the socket. -ERR_BADF, -ERR_INVAL if not bound. */
int fe_listen(struct fe *fe, uint64_t sock, struct step_out *out);

/* Ask for the next connection of a listener: the new socket's id (>= 0), then DONE(ACCEPT) with
 * that id when a connection came. Any number may wait; they are served first come, first served.
 * -ERR_BADF, -ERR_INVAL if not listening, -ERR_MFILE. */
int64_t fe_accept(struct fe *fe, uint64_t listener, struct step_out *out);

/* Ask to be told when a listener has a connection to take: 0, then one DONE(POLL) with the
 * listener's id. Any number of listeners may be polled; accepts hold up each other. Errors as
 * fe_accept. */
int fe_poll(struct fe *fe, uint64_t listener, struct step_out *out);

/* Close a socket in any state: 0, then DONE(RELEASE) when the backend let go of everything. Calls
 * still under way on it complete first: -ERR_CONNABORTED, or -ERR_BADF for those of a listener.
 * An open socket's unsent bytes are first given linger_ns to drain. -ERR_BADF. */
int fe_release(struct fe *fe, uint64_t sock, struct step_out *out);

/* Give up the bytes that a release still lets drain: it goes on at once. -ERR_BADF: none does. */
int fe_linger_end(struct fe *fe, uint64_t sock, struct step_out *out);

/* Copy up to `io->bytes` into the socket's ring: how many were taken (0..bytes). Fewer than asked
 * arms WRITABLE, due at room for half the ring or on error. -ERR_BADF, -ERR_NOTCONN if not
 * connected, or the socket's error. */
struct fe_send {
    uint64_t sock;
    const void *from;
    uint32_t bytes;
};
int64_t fe_send(struct fe *fe, const struct fe_send *io, struct step_out *out);

/* Copy up to `io->bytes` out of the socket's ring: how many (>= 1), 0 at end of stream, -ERR_AGAIN
 * when there is nothing yet, which arms READABLE; -ERR_INVAL for 0 bytes, -ERR_BADF, -ERR_NOTCONN,
 * or the socket's error, always after the last byte that came before it. */
struct fe_recv {
    uint64_t sock;
    void *to;
    uint32_t bytes;
};
int64_t fe_recv(struct fe *fe, const struct fe_recv *io, struct step_out *out);

/* Bytes sent that the backend has not taken yet, 0..ring; -ERR_BADF, -ERR_NOTCONN. */
int64_t fe_unsent(struct fe *fe, uint64_t sock);

#endif
