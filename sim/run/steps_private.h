/* What the parts of a script share: its reader and its player. Not for others; see steps.h. */
#ifndef XENSOCK_SIM_RUN_STEPS_PRIVATE_H
#define XENSOCK_SIM_RUN_STEPS_PRIVATE_H

#include "backend/be.h"
#include "frontend/fe.h"
#include "ringlib/cmdring.h"
#include "sim/hv/hv_mem.h"
#include "sim/net/net_mem.h"
#include "sim/run/exec.h"
#include "sim/run/steps.h"

#define STEPS_TIME_MAX_NS (UINT64_C(86400) * 1000000000)

enum {
    STEPS_FRONT = 1, /* domains */
    STEPS_BACK = 0,
    STEPS_SOCKETS_MAX = 128,
    STEPS_LINE_BYTES = 200,
    STEPS_LINES = 10, /* of the log that a failure shows */
};

/* ---- reading ---- */

struct steps_reading {
    struct steps *steps;
    const struct scenario *scenario;
    struct steps_step *step;
    struct scenario_map map; /* of the kind's value */
    char what[STEPS_WORD_BYTES];
    bool broken; /* a fault of this step is reported that leaves nothing to look at */
};

/* Check a step whose keys are read, against those before it; reads texts that stand for numbers. */
void steps_check(struct steps_reading *reading);

/* ---- playing ---- */

/* Something of the core that a step may expect. */
struct steps_seen {
    enum steps_kind kind;
    uint64_t sockid; /* notified, error, sees: whose */
    uint64_t at_ns;
    bool taken;
    struct call call;        /* request, as the wire has it */
    struct call_reply reply; /* response */
    enum steps_word word;    /* error */
    int32_t ret;             /* error, told */
    enum steps_state state;
    struct act_fault fault;
    enum steps_sees sees;
    struct call_addr addr;
    enum steps_upcall upcall;
    enum call_kind cmd;
};

/* A socket as the script knows it: its data ring if it has one, its application's name. */
struct steps_sock {
    uint64_t sockid;  /* the script's number; against a backend also the wire's */
    uint64_t wire_id; /* against a frontend */
    uint64_t app_id;  /* likewise, of fe.h */
    bool ringed;
    struct shared_area area, data; /* of the indexes, and of the data */
    struct dialect_ring at;
    uint32_t port;
    uint32_t refs[CALL_REFS_MAX]; /* as a request names them */
    uint32_t prod, cons;          /* of the script's side */
    uint32_t known;               /* how far a step knows the core's prod to be, read or not */
    int32_t errors[2];            /* of in and out, as seen last */
    uint64_t written, read;       /* bytes, of the pattern */
    uint64_t app_sent, app_received;
};

/* The far end of a socket of the backend's. */
struct steps_conn {
    uint64_t token, sockid;
    bool done; /* closed, or never opened: the token may name another one */
    bool asked, decided, stalled, ended, resetting, reset_told;
    int32_t ret;          /* of the connect, once it is decided */
    uint32_t waiting;     /* of a listener: connections to take */
    enum net_mem_end end; /* as seen last */
    char *sending;        /* what it has sent and the backend not read */
    size_t sending_bytes;
    uint64_t sent;
    uint64_t received; /* bytes that steps expected */
};

struct steps_player {
    const struct steps *steps;
    const struct scenario *scenario;
    const struct dialect *dialect;
    const struct steps_step *step; /* that is played */
    struct steps_outcome *outcome;
    struct hv_mem *machine;
    struct hv *hv, *core_hv; /* the script's domain, and the core's */
    struct net *net;         /* of a backend */
    struct policy policy;
    struct exec *exec;
    struct be *be; /* one of them */
    struct fe *fe;
    uint64_t now_ns, last_ns; /* and of the step before */
    uint64_t moves;           /* completions given to the core */
    struct shared_area page;  /* the command ring, the script's end: */
    uint32_t port, ring_ref;
    uint32_t prod, cons, peeked; /* of its own index; peeked: up to where the other's was noted */
    uint32_t ids[CMDRING_SIZE_MAX * 8][2]; /* against a frontend: the script's ids, the real ones */
    uint32_t id_count;
    struct steps_sock socks[STEPS_SOCKETS_MAX];
    uint32_t sock_count;
    struct steps_conn conns[STEPS_MAX]; /* a step each, at least */
    uint32_t conn_count;
    struct steps_seen *seen;
    uint32_t seen_count, seen_first, seen_room;
    struct {
        uint64_t at_ns;
        char text[STEPS_LINE_BYTES];
    } lines[STEPS_LINES];
    uint32_t line_count;
    bool setting_up;
};

/* Whether an expectation was met. */
enum steps_met { STEPS_MET, STEPS_NOT_YET, STEPS_WRONG };

/* Make the machine and both sides, connected, at time 0; false without memory. steps_world.c */
bool steps_world_open(struct steps_player *player, const struct trace_sink *trace);
void steps_world_close(struct steps_player *player);

/* The handshake as steps: what the script's side puts into the store before its state says so (the
 * order, if the step has one, is what it says); a backend's mapping of the ring. */
bool steps_offer(struct steps_player *player, const struct steps_step *step);
bool steps_attach(struct steps_player *player);

/* Let everything happen that happens now. */
void steps_settle(struct steps_player *player);

/* Note something that a step may expect; its time and kind are filled in. */
struct steps_seen *steps_see(struct steps_player *player, enum steps_kind kind);
void steps_see_done(struct steps_player *player, const struct steps_seen *seen);

/* End the script with this error; false, for convenience. */
bool steps_fail(struct steps_player *player, enum diag_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A line of the log. */
void steps_log(struct steps_player *player, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Submit with hv_share and the like, then: the completion; its result. */
int32_t steps_take(struct steps_player *player, enum ev_kind kind, struct ev *ev);

/* The newest socket of this number; NULL if there is none, one is made by _make. */
struct steps_sock *steps_sock(struct steps_player *player, uint64_t sockid);
struct steps_sock *steps_sock_make(struct steps_player *player, uint64_t sockid);

/* The script's number for an id of the wire, and back. */
uint64_t steps_label(const struct steps_player *player, uint64_t wire_id);
uint64_t steps_wire(struct steps_player *player, uint64_t sockid);

/* A node of a side's device directory. */
void steps_node_write(struct steps_player *player, uint16_t domid, const char *key,
                      const char *value);

/* The script's side of the rings: steps_rings.c. Doing returns false after steps_fail. */
bool steps_request(struct steps_player *player, const struct steps_step *step);
bool steps_respond(struct steps_player *player, const struct steps_step *step);
bool steps_write(struct steps_player *player, const struct steps_step *step);
bool steps_set_error(struct steps_player *player, const struct steps_step *step);
bool steps_raw(struct steps_player *player, const struct steps_step *step);
bool steps_notify(struct steps_player *player, uint64_t sockid);
enum steps_met steps_read_ring(struct steps_player *player, const struct steps_step *step,
                               char got[STEPS_LINE_BYTES]);
enum steps_met steps_index(struct steps_player *player, const struct steps_step *step,
                           char got[STEPS_LINE_BYTES]);
/* Note what came in the rings; bytes in a socket's that no step knows of. */
void steps_rings_look(struct steps_player *player);
uint32_t steps_unknown(const struct steps_player *player, const struct steps_sock *sock);
/* A request or response was expected, and so is taken out of the ring. */
bool steps_taken(struct steps_player *player, const struct steps_step *step,
                 const struct steps_seen *seen);
/* A byte of the pattern. */
char steps_pattern(uint64_t offset);

/* The network: steps_net.c. */
void steps_net_serve(struct steps_player *player);
bool steps_peer(struct steps_player *player, const struct steps_step *step);
enum steps_met steps_sees_data(struct steps_player *player, const struct steps_step *step,
                               char got[STEPS_LINE_BYTES]);
/* Bytes that the backend wrote and no step expected, of the i-th connection. */
uint64_t steps_unseen(const struct steps_player *player, uint32_t conn);
void steps_net_close(struct steps_player *player);

/* The application: steps_app.c. */
bool steps_call(struct steps_player *player, const struct steps_step *step);
void steps_upcall(void *self, const struct act *act);

/* In words: steps_words.c. */
void steps_say_step(const struct steps_step *step, char text[STEPS_LINE_BYTES]);
void steps_say_seen(const struct steps_player *player, const struct steps_seen *seen,
                    char text[STEPS_LINE_BYTES]);
const char *steps_word(enum steps_word word);
const char *steps_state_word(enum steps_state state);

#endif
