/*
 * A scenario: what one run is made of, read from a YAML file and checked completely.
 *
 * A loaded scenario is whole and consistent: every default is filled in, every reference leads to
 * something of the right kind. It holds no pointers, so it can be copied and handed to another
 * process as it is. Nothing is started or opened here.
 * The format is documented in xensock-scenario(5); its keys are rows in scenario_keys.c.
 */
#ifndef XENSOCK_SIM_RUN_SCENARIO_H
#define XENSOCK_SIM_RUN_SCENARIO_H

#include "ringlib/call.h"
#include "ringlib/quirk.h"
#include "sim/net/net_link.h"
#include "sim/run/diag.h"
#include "sim/run/draw.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SCENARIO_HOSTS_MAX = 8,
    SCENARIO_PEERS_MAX = 16,
    SCENARIO_LINKS_MAX = 16,
    SCENARIO_WORKLOADS_MAX = 16,
    SCENARIO_FAULTS_MAX = 128,
    SCENARIO_GUESTS_MAX = 4096,   /* of one host */
    SCENARIO_PROCESSES_MAX = 64,  /* guests of all hosts in emulated mode, each a process */
    SCENARIO_SOCKETS_MAX = 4096,  /* concurrent sockets of a workload, connections of a client */
    SCENARIO_LISTENERS_MAX = 256, /* of a workload */
    SCENARIO_FILE_BYTES_MAX = 1 << 20,
    SCENARIO_NAME_BYTES = 33, /* [a-z0-9-], 1 to 32 of them */
    SCENARIO_ADDR_BYTES = 64,
    SCENARIO_TEXT_BYTES = 1024,
    SCENARIO_PATH_BYTES = 256,
    SCENARIO_PEER_BYTES = 256, /* a peer's name and quirks */
    SCENARIO_CPU_ANY = -1,     /* not pinned */
    SCENARIO_RATE_MAX = 1000000,
};

#define SCENARIO_SCHEMA "xensock/scenario/1"
#define SCENARIO_COST_MODEL "linux-processes" /* unless the scenario names one */

/* The words of the format, each with its constant: SCENARIO_EMULATED is "emulated". */
#define SCENARIO_MODES(X)                                                                          \
    X(EMULATED, "emulated")                                                                        \
    X(VIRTUAL, "virtual")
#define SCENARIO_SCHEDULINGS(X)                                                                    \
    X(RUN_UNTIL_BLOCK, "run-until-block")                                                          \
    X(PREEMPT_ON_WAKE, "preempt-on-wake")
#define SCENARIO_ROLES(X)                                                                          \
    X(BACKEND, "backend")                                                                          \
    X(FRONTEND, "frontend")
#define SCENARIO_PEER_KINDS(X)                                                                     \
    X(PEER_ECHO, "echo")                                                                           \
    X(PEER_SINK, "sink")                                                                           \
    X(PEER_SOURCE, "source")                                                                       \
    X(PEER_EXTERNAL, "external")                                                                   \
    X(PEER_CLIENT, "client")                                                                       \
    X(PEER_RESPONDER, "responder")
#define SCENARIO_WORKLOAD_KINDS(X)                                                                 \
    X(STREAM, "stream")                                                                            \
    X(REQUEST_RESPONSE, "request-response")                                                        \
    X(SERVE, "serve")                                                                              \
    X(CONNECT_CLOSE, "connect-close")                                                              \
    X(FORWARD, "forward")
#define SCENARIO_SIDES(X)                                                                          \
    X(SIDE_GUEST, "guest")                                                                         \
    X(SIDE_BACKEND, "backend")
#define SCENARIO_CONDUCTS(X)                                                                       \
    X(CONDUCT_GOOD, "good")                                                                        \
    X(CONDUCT_REFUSES, "refuses")                                                                  \
    X(CONDUCT_RESETS, "resets")                                                                    \
    X(CONDUCT_NEVER_READS, "never-reads")                                                          \
    X(CONDUCT_NEVER_ANSWERS, "never-answers")                                                      \
    X(CONDUCT_UNREACHABLE, "unreachable")
#define SCENARIO_DIRECTIONS(X)                                                                     \
    X(UP, "up")                                                                                    \
    X(DOWN, "down")                                                                                \
    X(BOTH, "both")
#define SCENARIO_FAULT_KINDS(X)                                                                    \
    X(FAULT_KILL, "kill")                                                                          \
    X(FAULT_RESTART, "restart")                                                                    \
    X(FAULT_PAUSE, "pause")
#define SCENARIO_RECORDS(X)                                                                        \
    X(NEVER, "never")                                                                              \
    X(ON_FAILURE, "on-failure")                                                                    \
    X(ALWAYS, "always")
#define SCENARIO_ARRIVALS(X)                                                                       \
    X(FIXED, "fixed")                                                                              \
    X(POISSON, "poisson")                                                                          \
    X(BURST, "burst")                                                                              \
    X(ON_OFF, "on-off")

#define SCENARIO_BOOLS(X)                                                                          \
    X(FALSE, "false")                                                                              \
    X(TRUE, "true")

#define X(constant, word) SCENARIO_##constant,
enum scenario_mode { SCENARIO_MODES(X) };
enum scenario_scheduling { SCENARIO_SCHEDULINGS(X) };
enum scenario_role { SCENARIO_ROLES(X) };
enum scenario_peer_kind { SCENARIO_PEER_KINDS(X) };
enum scenario_workload_kind { SCENARIO_WORKLOAD_KINDS(X) };
enum scenario_side { SCENARIO_SIDES(X) };
enum scenario_conduct { SCENARIO_CONDUCTS(X) };
enum scenario_direction { SCENARIO_DIRECTIONS(X) };
enum scenario_arrivals { SCENARIO_ARRIVALS(X) };
enum scenario_fault_kind { SCENARIO_FAULT_KINDS(X) };
enum scenario_bool { SCENARIO_BOOLS(X) };
enum scenario_record { SCENARIO_RECORDS(X) };
#undef X

/* An address as it was written and as the wire has it. */
struct scenario_addr {
    char text[SCENARIO_ADDR_BYTES];
    struct call_addr addr;
};

/* What a guest speaks. */
struct scenario_protocol {
    char dialect[SCENARIO_NAME_BYTES]; /* dialect_find knows it */
    uint32_t order;                    /* in the dialect's range */
};

struct scenario_host {
    char name[SCENARIO_NAME_BYTES];
    enum scenario_role role;
    uint32_t count;                  /* of guests of this kind; 1 for a backend */
    int32_t cpu;                     /* or SCENARIO_CPU_ANY */
    char peer[SCENARIO_PEER_BYTES];  /* as whose driver it behaves: quirk_parse takes it */
    const struct quirk_peer *driver; /* what that comes to */
    struct quirk_side side;
    /* frontend: */
    char backend_name[SCENARIO_NAME_BYTES]; /* the name of hosts[backend], a backend */
    uint32_t backend;
    struct scenario_protocol protocol; /* its own, or the scenario's */
    uint32_t grant_frames;             /* of its grant table, and */
    uint32_t ports; /* of its table of ports, the invalid 0 among them; 0: as the mode has them */
};

struct scenario_peer {
    char name[SCENARIO_NAME_BYTES];
    enum scenario_peer_kind kind;
    int32_t cpu;               /* or SCENARIO_CPU_ANY; not external */
    struct scenario_addr addr; /* external: to connect to; client: none; others: to listen on */
    struct diag_place place;   /* of that address, or of the peer if the default was taken */
    /* echo: */
    enum scenario_conduct conduct; /* not good: only forwards lead there */
    uint64_t reset_after_bytes;    /* of a stream, for CONDUCT_RESETS; else 0 */
    /* client: */
    char connect_to[SCENARIO_NAME_BYTES]; /* the name of workloads[workload], a serve or forward */
    uint32_t workload;
    uint32_t connections; /* 1 to SCENARIO_SOCKETS_MAX */
    uint32_t listeners;   /* over how many of the serve's, from its first, they are spread */
    uint64_t bytes;       /* sent, and expected back, by each connection */
    bool to_echo;         /* through a forward: an echo keeps the stream's header for itself */
};

/* What lies between a backend and a peer, at most one link; only in virtual mode. */
struct scenario_link {
    char from[SCENARIO_NAME_BYTES]; /* the name of hosts[host], a backend */
    char to[SCENARIO_NAME_BYTES];   /* the name of peers[peer] */
    uint32_t host, peer;
    struct net_link link;
};

struct scenario_workload {
    char name[SCENARIO_NAME_BYTES]; /* unique */
    enum scenario_workload_kind kind;
    char where[SCENARIO_NAME_BYTES]; /* the name of hosts[host], a frontend */
    uint32_t host;
    /* stream, request-response, connect-close, forward: */
    char connect_to[SCENARIO_NAME_BYTES]; /* the name of peers[peer] */
    uint32_t peer;
    uint32_t sockets; /* 1 to SCENARIO_SOCKETS_MAX; not of a forward */
    /* stream, request-response, connect-close: within the measured phase, which they are in */
    uint64_t start_ns; /* 0: with the others, before it begins */
    uint64_t stop_ns;  /* behind start_ns; 0: at its end */
    /* stream: */
    enum scenario_direction direction;
    uint64_t bytes;      /* per socket and direction; 0: for the scenario's duration */
    struct draw write;   /* bytes of one send */
    uint32_t read_bytes; /* of one receive */
    uint32_t repeat;     /* over 1 only with bytes */
    /* request-response: */
    struct draw request;
    struct draw response; /* only from a responder; not given: as much as the request */
    /* request-response, connect-close: */
    uint64_t operations; /* over all sockets; 0: for the scenario's duration */
    struct {
        enum scenario_arrivals kind;
        uint64_t per_s;         /* over all sockets, 1 to SCENARIO_RATE_MAX; 0: a closed loop */
        uint64_t size;          /* of a burst: so many at once */
        uint64_t on_ns, off_ns; /* on-off: at that rate while on, and so on */
    } arrivals;
    /* serve, forward: */
    struct scenario_addr listen; /* port never 0 */
    struct diag_place place;     /* of it */
    uint64_t accepts;            /* in all; 0: until the run ends */
    /* serve: */
    uint32_t listeners;       /* on consecutive ports from there, 1 to SCENARIO_LISTENERS_MAX */
    enum scenario_bool polls; /* it accepts where a poll told it to */
    /* forward: */
    enum scenario_side listen_at; /* beside the guest, or on the backend's side */
    uint32_t connections;         /* at a time, 1 to SCENARIO_SOCKETS_MAX */
    uint64_t hold_ns;             /* as in struct forward_config */
};

/* What happens to a process of the run, and when. */
struct scenario_fault {
    enum scenario_fault_kind kind;
    char where[SCENARIO_NAME_BYTES + 8]; /* a host, one guest of several ("web.1"), "hypervisor" */
    uint32_t host;                       /* of hosts[]; SCENARIO_HOSTS_MAX: the hypervisor */
    uint32_t guest;                      /* of that host's, or UINT32_MAX: all of them */
    uint64_t at_ns;                      /* since the first guest's measured phase began */
    uint64_t for_ns;                     /* until it goes on, or comes again */
    uint64_t every_ns;                   /* 0: once */
    uint64_t times;                      /* with every_ns; 0: until the measured phase is over */
};

/* What is kept of a run beside its result. */
struct scenario_recording {
    enum scenario_record trace, capture;
    enum scenario_bool stages;
};

struct scenario {
    char schema[SCENARIO_NAME_BYTES];
    char name[SCENARIO_NAME_BYTES];
    char description[SCENARIO_TEXT_BYTES]; /* may be empty */
    enum scenario_mode mode;
    uint64_t seed; /* at most INT64_MAX, so that JSON has it exactly */
    uint64_t duration_ns;
    uint64_t warmup_ns;
    uint64_t timeout_ns;
    char cost_model[SCENARIO_PATH_BYTES]; /* as model_load takes it; for mode virtual */
    struct scenario_protocol protocol;    /* of hosts that have none of their own */
    struct scenario_host hosts[SCENARIO_HOSTS_MAX];
    uint32_t host_count;
    uint32_t backend;  /* the first of hosts[] that is one */
    uint32_t frontend; /* likewise */
    struct scenario_peer peers[SCENARIO_PEERS_MAX];
    uint32_t peer_count;
    struct scenario_link links[SCENARIO_LINKS_MAX];
    uint32_t link_count;
    enum scenario_scheduling scheduling; /* of host CPUs in virtual mode */
    struct scenario_workload workloads[SCENARIO_WORKLOADS_MAX];
    uint32_t workload_count; /* at least 1, but with `steps` */
    struct scenario_fault faults[SCENARIO_FAULTS_MAX];
    uint32_t fault_count;
    struct scenario_recording record;
    bool steps; /* a script instead of all of topology and workloads: steps.h */
};

/* Read and check the file `path`, with `set_count` overrides "path=value" of --set applied before
 * it is checked, in order. Returns 0, or -1 with every fault found in `diags`, sorted; `out` is
 * then not to be used; a note may say what has no effect. One with a script is refused: who plays
 * those has a tree (scenario_tree.h). `diags` is a fresh list: the file becomes its first source,
 * the overrides, a line each, its second. */
int scenario_load(struct scenario *out, const char *path, const char *const *sets,
                  uint32_t set_count, struct diag_list *diags);

/* What the guests of a host speak, and a set of what those of a backend do: bit i for
 * dialect_at(i). */
const struct dialect *scenario_dialect(const struct scenario *scenario, uint32_t host);
uint32_t scenario_dialects(const struct scenario *scenario, uint32_t backend);

/* What a link is where the file says nothing: TCP on loopback as Linux has it by default, its delay
 * being the CPU time and the wake-ups of the cost model. Also between hosts without a link. */
struct net_link scenario_link_preset(void);

/* Whether its faults cut connections: then what goes with a device is lost, and no failure. */
bool scenario_cuts(const struct scenario *scenario);

/* Whether they may cut those of this host's guests, or of this peer; of others nothing is lost. A
 * peer's are also cut by its own conduct, or by that of the peer which a forward leads it to. */
bool scenario_cuts_host(const struct scenario *scenario, uint32_t host);
bool scenario_cuts_peer(const struct scenario *scenario, uint32_t peer);

/* Whether a forward leads to this peer: then others than the guest's workloads talk to it. */
bool scenario_forwards_to(const struct scenario *scenario, uint32_t peer);

/* Whether a guest of this host has a workload that ends by having done so much, not by `duration`.
 */
bool scenario_bounds(const struct scenario *scenario, uint32_t host);

/* A loaded scenario as a JSON object in the shape of the file, every default filled in, units in
 * the names (duration_ns, request_bytes; a distribution says it of each of its numbers), null for
 * what is absent by choice (cpu, rate, bytes, operations, response, stop, arrivals, accepts). Owned
 * by the caller; NULL without memory. */
json_t *scenario_json(const struct scenario *scenario);

#endif
