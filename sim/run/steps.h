/*
 * A script in place of workloads: a strict timeline of what one side of a device does and of what
 * the real core at the other side has to answer, for conformance tests.
 *
 * `steps` of a scenario says which core is real (`against`) and lists steps. A step does something
 * as the other side, as the application or as the network, or expects something of the core. Time
 * is a number that only the script and the core's own deadlines move; nothing costs any. Strict:
 * all that happened must have been expected before the next thing is done and before time goes on.
 *
 * Reading walks the tables of steps_keys.c; the tree of the file is read when it is checked and
 * once more when it is played (scenario.h knows only that there is a script). Knows no result and
 * no file. Source: packetdrill's idea; the names of ringlib/call.h.
 */
#ifndef XENSOCK_SIM_RUN_STEPS_H
#define XENSOCK_SIM_RUN_STEPS_H

#include "ringlib/step.h"
#include "ringlib/trace.h"
#include "sim/run/scenario.h"
#include "sim/run/scenario_keys.h"

enum {
    STEPS_MAX = 512,
    STEPS_DATA_BYTES = 512, /* of a text of data, with its end */
    STEPS_PEER_BYTES = 128,
    STEPS_WORD_BYTES = 40,       /* of a short text */
    STEPS_PATTERN_MAX = 4 << 20, /* bytes of one write */
    STEPS_MESSAGE_BYTES = 4096,
};

#define STEPS_COMMAND UINT64_MAX /* in place of a socket's number: the command ring */

#define STEPS_SIDES(X) X(BACKEND, "backend") X(FRONTEND, "frontend")

/* What a step is about, and whether against either core it does something, expects something, or
 * does not exist. */
#define STEPS_KINDS(X)                                                                             \
    X(REQUEST, "request", DOES, EXPECTS)                                                           \
    X(RESPONSE, "response", EXPECTS, DOES)                                                         \
    X(NOTIFY, "notify", DOES, DOES)                                                                \
    X(NOTIFIED, "notified", EXPECTS, EXPECTS)                                                      \
    X(WRITE, "write", DOES, DOES)                                                                  \
    X(READ, "read", EXPECTS, EXPECTS)                                                              \
    X(ERROR, "error", EXPECTS, DOES)                                                               \
    X(OFFER, "offer", DOES, DOES)                                                                  \
    X(ATTACH, "attach", NOTHING, DOES)                                                             \
    X(STATE, "state", DOES, DOES)                                                                  \
    X(BECOMES, "becomes", EXPECTS, EXPECTS)                                                        \
    X(STORE, "store", DOES, DOES)                                                                  \
    X(FAULT, "fault", EXPECTS, EXPECTS)                                                            \
    X(RAW, "raw", DOES, DOES)                                                                      \
    X(INDEX, "index", EXPECTS, EXPECTS)                                                            \
    X(PEER, "peer", DOES, NOTHING)                                                                 \
    X(SEES, "sees", EXPECTS, NOTHING)                                                              \
    X(CALL, "call", NOTHING, DOES)                                                                 \
    X(TOLD, "told", NOTHING, EXPECTS)                                                              \
    X(QUIET, "quiet", EXPECTS, EXPECTS)

/* What the other end of a socket, in the network, does, and what it sees. */
#define STEPS_PEER_DOES(X)                                                                         \
    X(ACCEPTS, "accepts") /* the connection that it was asked for */                               \
    X(REFUSES, "refuses")                                                                          \
    X(CONNECTS, "connects") /* to a listener */                                                    \
    X(SENDS, "sends")                                                                              \
    X(ENDS, "ends") /* what it sends */                                                            \
    X(RESETS, "resets")                                                                            \
    X(STALLS, "stalls") /* it takes no more bytes */                                               \
    X(RESUMES, "resumes")
#define STEPS_PEER_SEES(X)                                                                         \
    X(CONNECT, "connect")                                                                          \
    X(DATA, "data")                                                                                \
    X(END, "end")                                                                                  \
    X(CLOSE, "close")                                                                              \
    X(RESET, "reset")

#define STEPS_CALLS(X)                                                                             \
    X(CONNECT, "connect")                                                                          \
    X(RELEASE, "release")                                                                          \
    X(BIND, "bind")                                                                                \
    X(LISTEN, "listen")                                                                            \
    X(ACCEPT, "accept")                                                                            \
    X(POLL, "poll")                                                                                \
    X(SOCKET, "socket") /* a request only */                                                       \
    X(SEND, "send")                                                                                \
    X(RECV, "recv")

#define STEPS_UPCALLS(X)                                                                           \
    X(DONE, "done")                                                                                \
    X(READABLE, "readable")                                                                        \
    X(WRITABLE, "writable")                                                                        \
    X(GONE, "gone")                                                                                \
    X(UP, "up")

#define STEPS_WORDS(X)                                                                             \
    X(REQ_PROD, "req_prod")                                                                        \
    X(REQ_EVENT, "req_event")                                                                      \
    X(RSP_PROD, "rsp_prod")                                                                        \
    X(RSP_EVENT, "rsp_event")                                                                      \
    X(IN_PROD, "in_prod")                                                                          \
    X(IN_CONS, "in_cons")                                                                          \
    X(IN_ERROR, "in_error")                                                                        \
    X(OUT_PROD, "out_prod")                                                                        \
    X(OUT_CONS, "out_cons")                                                                        \
    X(OUT_ERROR, "out_error")

#define STEPS_STATES(X)                                                                            \
    X(UNKNOWN, "unknown")                                                                          \
    X(INITIALISING, "initialising")                                                                \
    X(INITWAIT, "init-wait")                                                                       \
    X(INITIALISED, "initialised")                                                                  \
    X(CONNECTED, "connected")                                                                      \
    X(CLOSING, "closing")                                                                          \
    X(CLOSED, "closed")                                                                            \
    X(RECONFIGURING, "reconfiguring")                                                              \
    X(RECONFIGURED, "reconfigured")

#define X(constant, word) STEPS_##constant,
enum steps_side { STEPS_SIDES(X) };
#undef X
#define X(constant, word, back, front) STEPS_##constant,
enum steps_kind { STEPS_KINDS(X) STEPS_KIND_COUNT };
#undef X
#define X(constant, word) STEPS_PEER_##constant,
enum steps_peer { STEPS_PEER_DOES(X) };
#undef X
#define X(constant, word) STEPS_SEES_##constant,
enum steps_sees { STEPS_PEER_SEES(X) };
#undef X
#define X(constant, word) STEPS_CALL_##constant,
enum steps_call { STEPS_CALLS(X) };
#undef X
#define X(constant, word) STEPS_UPCALL_##constant,
enum steps_upcall { STEPS_UPCALLS(X) };
#undef X
#define X(constant, word) STEPS_WORD_##constant,
enum steps_word { STEPS_WORDS(X) };
#undef X
#define X(constant, word) STEPS_STATE_##constant,
enum steps_state { STEPS_STATES(X) };
#undef X
_Static_assert(STEPS_CALL_SOCKET == (int)CALL_SOCKET && STEPS_CALL_ACCEPT == (int)CALL_ACCEPT,
               "calls of the wire have the numbers of call.h");

enum steps_role { STEPS_NOTHING, STEPS_DOES, STEPS_EXPECTS };

/* One step. Which members count follows from its kind; which of them the file names, steps_given
 * says. */
struct steps_step {
    enum steps_kind kind;
    struct diag_place place; /* of the kind's key */
    bool timed, relative;    /* it has an `at`; that begins with + */
    uint64_t at_ns;          /* since the step before, or since the script began */
    uint64_t within_ns;      /* how long it may take to come */
    uint64_t for_ns;         /* of `none`: how long there is nothing of the kind */
    bool none;
    uint32_t given; /* bit i: row i of the kind's table stands in the file */

    enum steps_call cmd; /* request, response; call, told */
    enum steps_peer does;
    enum steps_sees sees;
    enum steps_upcall upcall;
    enum steps_word word;
    enum steps_state state;
    enum scenario_bool publish, arm;
    enum scenario_bool notify;
    char of[STEPS_WORD_BYTES];   /* "command", or a socket */
    uint64_t sockid, new_sockid; /* `of` is put into sockid */
    uint32_t id, code, times, order;
    uint32_t flags, backlog, reuse, family, type, protocol, evtchn, ref; /* as in struct call */
    struct scenario_addr addr;
    char ret_text[STEPS_WORD_BYTES];
    int32_t ret;
    char data[STEPS_DATA_BYTES];
    uint64_t bytes;
    char key[STEPS_WORD_BYTES], value[STEP_VALUE_BYTES];
    char reason[STEPS_WORD_BYTES];
    enum fault_reason fault;
    char number_text[2][STEPS_WORD_BYTES]; /* of a fault: index, value; else of the second */
    uint32_t number[2];
    uint32_t slot, slot_at;
    uint64_t lasts_ns; /* of quiet */
};

struct steps {
    enum steps_side against;
    enum scenario_bool connected; /* the script begins when the device is */
    char peer[STEPS_PEER_BYTES];  /* as whose driver the core behaves, as in quirk.h; then */
    uint32_t quirks, order_max;   /* a backend's largest order; 0: the dialect's */
    uint32_t max_sockets;
    uint64_t linger_ns;
    uint32_t ignored; /* bit of enum steps_kind */
    struct steps_step *steps;
    uint32_t count;
};

/* The keys of a step of each kind, of `steps` itself (struct steps), and of a scenario with a
 * script (struct scenario). */
extern const struct scenario_table steps_keys[STEPS_KIND_COUNT];
extern const struct scenario_table steps_keys_steps;

/* Read and check the script of the tree; the protocol of `scenario` is known. Every fault is
 * reported; with one the script is not to be played. To be freed with steps_fini in any case. */
void steps_read(struct steps *steps, struct scenario_yaml *yaml, const struct scenario *scenario);
void steps_fini(struct steps *steps);

/* The script as the file has it, for the resolved scenario; the caller's. */
json_t *steps_json(const struct scenario_yaml *yaml);

/* What a kind is called, and what it is against this core. */
const char *steps_word_of(enum steps_kind kind);
enum steps_role steps_role_of(enum steps_kind kind, enum steps_side against);

/* Whether the file names a member, told by its place in struct steps_step. */
bool steps_given(const struct steps_step *step, size_t at);
#define STEPS_GIVEN(step, member) steps_given((step), offsetof(struct steps_step, member))

/* ---- playing ---- */

/* What came of it. */
struct steps_outcome {
    uint32_t played;     /* steps */
    uint64_t now_ns;     /* since the script began */
    uint64_t events;     /* into and out of the core */
    enum diag_code code; /* 0: all as expected */
    struct diag_place place;
    char message[STEPS_MESSAGE_BYTES]; /* several lines, without the place */
};

struct steps_config {
    const struct steps *steps;
    const struct scenario *scenario;
    const struct trace_sink *trace; /* or NULL */
};

/* Play it; false when the system gives no memory file. */
bool steps_play(const struct steps_config *config, struct steps_outcome *outcome);

#endif
