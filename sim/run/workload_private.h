/*
 * What the workload files share: workload.c (the set and its phases), workload_client.c (streams
 * and requests), workload_connect.c (connections alone), workload_arrivals.c (when requests of an
 * open loop begin), workload_serve.c (the accepting guest), workload_forward.c (connections of
 * others).
 */
#ifndef XENSOCK_SIM_RUN_WORKLOAD_PRIVATE_H
#define XENSOCK_SIM_RUN_WORKLOAD_PRIVATE_H

#include "sim/run/payload.h"
#include "sim/run/workload.h"
#include "sim/time/prng.h"

enum {
    WORKLOAD_ACCEPTS = 4, /* accepts a listener keeps waiting, if it is the only one */
    WORKLOAD_DRAWN_SEND = 1 << 20,
    WORKLOAD_SERVE_GRACE_NS = 100000000, /* for what was accepted, after the measured phase */
};

enum conn_state {
    CONN_IDLE, /* not opened yet, or ended */
    CONN_CONNECTING,
    CONN_OPEN,
    CONN_RELEASING,
};

/* One socket of a workload, over all its repeats. */
struct conn {
    struct wl *wl;
    enum conn_state state;
    uint64_t sock;
    uint32_t number; /* of the socket within the workload, or of the accepted connection */
    uint32_t round;  /* repeats done */
    uint64_t key;    /* payload_key of the stream under way */
    uint8_t header[PAYLOAD_HEADER_BYTES];
    uint32_t header_left; /* of it to send (client) or to receive (serve) */
    bool has_header;
    uint64_t sent, received;        /* payload of this round */
    uint64_t to_send;               /* as far as decided; grows with each request */
    uint64_t to_receive;            /* requests: as far as answers are owed */
    uint64_t receive_key;           /* of what comes back; `key`, unless somebody answers */
    struct prng writes;             /* a stream's, drawn anew for each round; */
    uint64_t write_end;             /* where the write under way ends, in `sent` */
    uint8_t ask[PAYLOAD_ASK_BYTES]; /* what the request under way opens with, */
    uint64_t ask_at;                /* and where, in `sent` */
    uint64_t intended_ns;           /* when the request under way was to begin, */
    uint64_t asked_ns;              /* and when it was begun; in a closed loop the same */
    bool idle;                      /* open loop: in the list of those that wait for an arrival */
    bool ended;                     /* the peer's end of stream came */
    bool lost; /* went with the device; a client's opens again when that is up */
    /* serve: the bytes there were, the header's among them; what is not echoed yet */
    struct listener *listener;
    uint64_t raw_sent, raw_received;
    uint8_t *echo;
    uint32_t echo_at, echo_bytes;
    struct conn *next; /* serve: list of connections; open loop: of the idle */
};

/* The next intended start of an open loop: `at_ns`, which follows from the time that the rate
 * counted from `begin_ns`: `on_ns`, and `rest` parts of a ns, of which the rate makes one. */
struct arrivals {
    struct prng prng;
    uint64_t at_ns, begin_ns, on_ns, rest;
    uint64_t of_burst; /* begun of the burst under way */
};

/* One of a serve's listeners. */
struct listener {
    uint64_t sock;
    bool live;
    bool polling;     /* a poll waits */
    bool starved;     /* it found no room for one more: asks again after a release */
    uint32_t waiting; /* accepts that wait */
    uint64_t accepted;
};

struct workload_kind;

/* One workload under way. */
struct wl {
    struct workload_set *set;
    const struct workload_kind *kind;
    const struct scenario_workload *spec;
    const struct scenario_peer *peer; /* NULL: serve */
    uint32_t index;
    struct conn *conns;           /* client: spec->sockets of them */
    struct workload_times *times; /* `own`, or all guests' */
    struct workload_times own;
    /* open loop */
    struct arrivals arrivals;
    struct conn *idle, *idle_last; /* idle for longest first */
    uint64_t backlog;              /* dropped at the end */
    struct payload_digest digest;
    bool digesting;
    uint64_t sent, received, operations, connections, connected, mismatches, errors, lost;
    uint64_t requests;         /* begun */
    struct prng asks, answers; /* sizes of requests and responses, in the order they begin */
    uint64_t base_carried, base_operations; /* at the start of MEASURE */
    uint64_t end_carried, end_operations, end_ns;
    uint32_t running; /* conns not through with their repeats */
    bool begun;       /* with the others, or when its time came */
    bool left;        /* its time is over, before the measured phase is */
    uint64_t base_ns; /* from when on it is measured */
    bool finished;    /* a bounded one did what it had to, or failed */
    int32_t first_error, bind_error;
    uint32_t bind_port;
    char first_error_text[160];
    /* serve */
    struct listener *listeners; /* spec->listeners of them */
    uint32_t listening_count;
    bool listening;                          /* all of them do, or never will */
    uint64_t accepts_asked, served, starved; /* the last: how often there was no room */
    struct conn *served_conns;
    /* forward */
    struct forward *forward; /* NULL: it may not listen or connect where it should */
    struct net *net;         /* its sockets beside the guest */
    struct forward_rule rule;
    struct forward_counters counters; /* as it was stopped, if it was */
    bool stopped;
};

/* What a kind of workload does, each in a file of its own. */
struct workload_kind {
    void (*start)(struct wl *wl);     /* the device is up */
    void (*gone)(struct wl *wl);      /* it is lost: what no completion tells of is told now */
    void (*resume)(struct wl *wl);    /* it is up again */
    void (*drain)(struct wl *wl);     /* the measured phase is over: end in good order */
    void (*ready)(struct conn *conn); /* there are bytes, or room; NULL: for nobody */
    /* Clients: */
    void (*done)(struct conn *conn, const struct act_done *done);
    void (*ask)(struct conn *conn, uint64_t intended_ns); /* the next request of this socket */
    void (*end)(struct conn *conn);                       /* there is none any more */
    enum conn_state rest;                                 /* where it is between requests */
};

extern const struct workload_kind workload_client, workload_connect, workload_serve,
    workload_forward;

struct workload_set {
    struct workload_env env;
    enum workload_phase phase;
    bool interrupted, told_listening, gone, start_due;
    bool cut;         /* the grace of accepted connections is over */
    bool resumes;     /* the device may be lost and come again */
    uint32_t resumed; /* how often it did */
    uint64_t now_ns, start_ns, measure_ns, drain_ns;
    uint32_t live; /* sockets that exist at the frontend: connections and listeners */
    uint8_t *out_buffer, *in_buffer;
    uint32_t buffer_bytes;      /* of each */
    uint64_t made_key, made_at; /* what out_buffer holds: a write the ring may take in parts */
    uint32_t made_bytes;
    struct conn **by_slot;
    uint32_t count;
    struct wl wls[];
};

/* workload.c */
struct step_out *workload_call(struct workload_set *set);
int64_t workload_called(struct workload_set *set, enum call_kind kind, uint64_t sock, int64_t ret);
void workload_fail(struct wl *wl, const char *what, int32_t ret);
bool workload_is_down(const struct wl *wl); /* what fails now is lost with the device, no error */
void workload_lose(struct conn *conn);
void workload_finish(struct wl *wl);
bool workload_unbounded(const struct scenario_workload *spec);
int64_t workload_send(struct conn *conn, const void *from, uint32_t bytes);
int64_t workload_recv(struct conn *conn, void *to, uint32_t bytes);
void workload_release(struct conn *conn);
void workload_adopt(struct conn *conn, uint64_t sock);
uint64_t workload_carried(const struct wl *wl); /* what the backend has not taken does not count */
void workload_check(struct conn *conn, const void *bytes, uint32_t count);

/* workload_phases.c */
void workload_begin(struct wl *wl);
bool workload_stopping(const struct wl *wl);               /* nothing new is to begin */
bool workload_measures(const struct wl *wl);               /* what ends now counts */
uint64_t workload_over_ns(const struct workload_set *set); /* when the measured phase is */

/* Begin and stop those whose time has come: whether any has begun; when to be called again. */
bool workload_phases(struct workload_set *set, uint64_t *next_ns);

/* workload_client.c */
bool workload_client_may_ask(const struct wl *wl);

/* That a request was to begin, or is answered: for the trace. */
void workload_note(const struct conn *conn, enum trace_point point, uint64_t value);

/* The random numbers of a workload, by what they decide. */
enum workload_draw { WORKLOAD_DRAW_ARRIVALS, WORKLOAD_DRAW_REQUEST, WORKLOAD_DRAW_RESPONSE };

/* Begin a sequence of them: of a guest's workload, and one of those above, or another number. */
void workload_prng(struct prng *prng, const struct wl *wl, uint64_t stream);

/* workload_arrivals.c; in a closed loop they do nothing */
void workload_arrivals_start(struct wl *wl);
uint64_t workload_arrivals_begin(struct wl *wl); /* what is due; when to be called again */
bool workload_arrivals_wait(struct conn *conn);  /* for one; false in a closed loop */
uint64_t workload_arrivals_drop(struct wl *wl);  /* those due and not begun: how many */
void workload_arrivals_forget(struct wl *wl);    /* its sockets: none is idle any more */

/* workload_serve.c */
bool workload_serve_make(struct wl *wl); /* false without memory */
uint32_t workload_serve_slots(const struct scenario_workload *spec);
void workload_serve_done(struct wl *wl, const struct act_done *done);
void workload_serve_room(struct workload_set *set);
void workload_serve_cut(struct wl *wl); /* end connections that are still there */
void workload_serve_free(struct wl *wl);

/* workload_forward.c */
bool workload_forward_make(struct wl *wl); /* false without memory */
void workload_forward_free(struct wl *wl);
bool workload_forward_upcall(struct workload_set *set, const struct act *act); /* theirs alone? */
uint64_t workload_forward_turned(struct workload_set *set); /* when to be called again */
void workload_forward_cut(struct wl *wl);                   /* reset what is still there */
bool workload_forwards(const struct workload_set *set);     /* whether anything is */
void workload_forward_abandon(struct workload_set *set);    /* reset all, and be done with them */
struct forward_counters workload_forward_counters(const struct wl *wl);

#endif
