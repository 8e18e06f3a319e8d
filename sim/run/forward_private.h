/*
 * What the files of forward share: forward.c (pairs and their ends, completions, upcalls),
 * forward_bytes.c (bytes both ways), forward_listen.c (listeners), forward_time.c (what lasts too
 * long), forward_socks.c and forward_bind.c (programs that say what they want). Invariants stand in
 * forward.c.
 */
#ifndef XENSOCK_SIM_RUN_FORWARD_PRIVATE_H
#define XENSOCK_SIM_RUN_FORWARD_PRIVATE_H

#include "sim/run/forward.h"
#include "sim/run/socks.h"

#include <utlist.h>

/* Tokens of the program's side: a rule's listener, or a pair. */
static const uint64_t forward_listener_token = UINT64_C(1) << 63;

/* What comes when the answer is sent. */
enum talk_next {
    TALK_MORE, /* the program says more */
    TALK_WAIT, /* nothing: its target is on the way */
    TALK_BIND, /* nothing: somebody is to come to where it listens */
    TALK_JOIN, /* the bytes */
    TALK_END,  /* the end */
};

/* What is limited in time. */
enum time_kind {
    TIME_TALK,    /* a SOCKS program does not say what it wants */
    TIME_CONNECT, /* its target, or the name of that, does not answer */
    TIME_BIND,    /* nobody comes */
    TIME_KINDS
};

/* Where a CONNECT through the backend stands. */
enum connect_state {
    CONNECT_NONE,
    CONNECT_QUEUED, /* waits here */
    CONNECT_ASKED,  /* by the frontend's call */
    CONNECT_YIELDS, /* has been answered, and is asked for again when its socket is released */
};

struct pair_connect {
    enum connect_state state;
    bool slow, yields; /* to be YIELDS */
    uint8_t turns;     /* that it had, and were too short */
    struct call_addr target;
    uint64_t turn_over_ns;
};

/* A BIND that is under way. */
struct talk_bind {
    uint32_t tries;        /* ports that were tried */
    struct call_addr addr; /* where it listens, or is to */
    bool over;             /* its second answer is known: */
    int32_t ret;
};

/* What a SOCKS program and we say before the bytes. */
struct talk {
    struct socks socks;
    enum talk_next next;
    struct talk_bind bind;
    uint32_t asked; /* the number of its name's question */
};

/* One direction. */
struct flow {
    unsigned char *bytes; /* FORWARD_FLOW_BYTES, while the pair is in use */
    uint32_t from, to;
    bool busy;   /* the program's side reads into it or writes from it */
    bool ended;  /* there is no more to come */
    bool failed; /* ended, and some of it is lost */
};

struct pair {
    struct forward *forward;
    struct pair *prev, *next; /* in one of the lists below */
    uint32_t rule;
    uint32_t number;
    uint64_t sock;
    bool named, socketed;  /* it has a token, a socket */
    bool inside, outside;  /* the program's connection, the guest's socket is open */
    bool closing, leaving; /* the token, the socket is on its way out */
    bool dead;             /* leaving: its call has failed, which is on its way to us */
    bool counted, joined, held;
    struct pair_connect connect;
    struct talk *talk;         /* SOCKS, before its bytes */
    uint64_t listener;         /* of a BIND */
    bool listens, unlistening; /* that exists, is on its way out */
    bool unbound;              /* unlistening: its BIND has failed, which is on its way to us */
    uint64_t due_ns;           /* held: when the peer has been silent for too long */
    struct pair *time_prev, *time_next;
    bool timed; /* in the list of this kind */
    enum time_kind time;
    uint64_t time_over_ns;
    struct flow up, down;
};

struct rule {
    bool listening;
    uint32_t accepts; /* that wait: at most 1, REMOTE ACCEPTS */
    bool named;       /* LOCAL: its token is in use */
    uint64_t sock;    /* REMOTE: the listener */
    bool bound;       /* it exists */
    bool polling;     /* it is to be told of the next one */
};

/* A target that has answered not long ago. */
struct alive {
    struct call_addr target;
    uint64_t until_ns;
};
enum { FORWARD_ALIVE = 8 };

struct forward {
    struct forward_config config;
    struct forward_counters counters;
    struct rule rules[FORWARD_RULES_MAX];
    struct pair *pairs;
    uint32_t pair_count;
    struct pair *idle, *held;
    struct pair *connects_new, *connects_slow, *asked;
    uint32_t asked_count, connects_max;
    uint64_t short_until_ns; /* the grant table was full; 0: it was not */
    struct alive alive[FORWARD_ALIVE];
    uint32_t alive_next;
    uint32_t held_count;
    uint32_t waiting;    /* accepts of all rules */
    uint32_t first_rule; /* that accepts next */
    uint32_t in_use;
    struct pair **by_slot; /* of the frontend's sockets */
    uint32_t names_asked;
    uint32_t binds;      /* that have a listener */
    uint32_t bind_ports; /* that were tried */
    uint64_t now_ns, retry_ns;
    struct pair *timed[TIME_KINDS]; /* who is due next first */
    bool lost;                      /* the device was there, and went */
    bool stopped;
};

static inline uint64_t forward_token_of(const struct pair *pair)
{
    return pair->number;
}

/* ---- forward.c ---- */

/* A call of the frontend: its turn; then what it was, without bytes or with, and what it gave. */
struct step_out *forward_begin(struct forward *forward);
int64_t forward_end(struct forward *forward, uint8_t call, uint64_t sock, int64_t ret);
int64_t forward_end_io(struct pair *pair, uint8_t call, uint32_t bytes, int64_t ret);

/* A pair for a rule, with nothing on either side; NULL: there is none left, or no memory. Give one
 * back. */
struct pair *forward_pair_take(struct forward *forward, uint32_t rule);
void forward_pair_give(struct pair *pair);

/* The pair has this socket from now on, or no socket any more; both sides are there. */
void forward_adopt(struct pair *pair, uint64_t sock);
void forward_disown(struct pair *pair);
void forward_joined(struct pair *pair);

/* End both sides, the program's in good order or with a reset. Broken: one side's error. */
void forward_finish(struct pair *pair, bool reset);
void forward_broken(struct pair *pair);

/* Release the guest's socket, without what was not sent if it is a reset. */
void forward_leave_guest(struct pair *pair, bool reset);

/* Free it if nothing of it is left on either side. */
void forward_give_if_over(struct pair *pair);

/* The program has ended its direction, all of it is with the frontend, and the peer is silent from
 * now on; no more. Give up: the one whose peer is silent for longest. */
void forward_hold(struct pair *pair);
void forward_unhold(struct pair *pair);
void forward_give_up_held(struct forward *forward);

/* Something was short: look for connections again in a while. */
void forward_retry(struct forward *forward);

/* ---- forward_bytes.c ---- */

/* Carry what there is from the program to the socket, or back; more comes by itself. */
void forward_pump_up(struct pair *pair);
void forward_pump_down(struct pair *pair);

/* Have the program's next bytes, behind those that are there; send it those of `down`. */
void forward_read_program(struct pair *pair);
void forward_write_program(struct pair *pair);

/* The program's side completed a read or a write. */
void forward_read_done(struct pair *pair, int32_t ret);
void forward_write_done(struct pair *pair, int32_t ret);

/* ---- forward_connect.c ---- */

/* Connect the pair to a target; its CONNECT was answered; its socket is released (false: and it is
 * not asked for again). */
void forward_connect(struct pair *pair, const struct call_addr *target);
void forward_connect_done(struct pair *pair, int32_t ret);
bool forward_connect_released(struct pair *pair);

/* What has become of it; it has lasted too long; the pair ends. */
void forward_connect_over(struct pair *pair, int32_t ret);
void forward_connect_expired(struct pair *pair);
void forward_connect_drop(struct pair *pair);

/* Turns that are over. When to look again, or STEP_NEVER. */
uint64_t forward_connect_turned(struct forward *forward);

/* ---- forward_time.c ---- */

/* Something begins that may not last for ever, in place of what did before; it is over in time. */
void forward_time_begin(struct pair *pair, enum time_kind kind);
void forward_time_end(struct pair *pair);

/* End what has lasted too long. When to look again, or STEP_NEVER. */
uint64_t forward_time_turned(struct forward *forward);

/* ---- forward_socks.c ---- */

/* The talk begins and ends; the program has said more, what we said is sent, the target is reached
 * or cannot be. */
void forward_talk_begin(struct pair *pair);
void forward_talk_end(struct pair *pair);
void forward_talk(struct pair *pair);
void forward_talk_said(struct pair *pair);
void forward_talk_connected(struct pair *pair, int32_t ret);

/* Tell it that it has what it asked for, at `addr` (NULL: nobody knows), and then do `next`; or
 * what is wrong, and end. */
void forward_say_yes(struct pair *pair, const struct call_addr *addr, enum talk_next next);
void forward_say_no(struct pair *pair, int32_t error);

/* ---- forward_bind.c ---- */

/* A program wants to be connected to; nobody came in time; it ends, or is connected to. */
void forward_bind(struct pair *pair);
void forward_bind_expired(struct pair *pair);
void forward_bind_end(struct pair *pair);

/* What it was answered is sent. */
void forward_bind_said(struct pair *pair);

/* A call of its listener is over, or the accept of whoever came. */
void forward_bind_done(struct pair *pair, const struct act_done *done);
void forward_bind_accepted(struct pair *pair, int32_t ret);

/* ---- forward_listen.c ---- */

/* Begin to listen. */
void forward_bind_local(struct forward *forward, uint32_t rule);
void forward_bind_remote(struct forward *forward, uint32_t rule);

/* Wait for connections, as far as there is room for them. */
void forward_accept_local(struct forward *forward, uint32_t rule);
void forward_accept_remote(struct forward *forward, uint32_t rule);

/* How many CONNECTs a ring of so many slots has room for beside what the rules keep waiting. */
uint32_t forward_connect_room(const struct forward *forward, uint32_t slots);

/* The device went, or the forwarding ends. */
void forward_unbind_remote(struct forward *forward, uint32_t rule);

/* What a listener completed, beside the guest or at the frontend. */
void forward_listener_completed(struct forward *forward, uint32_t rule, const struct ev *ev);
void forward_listener_done(struct forward *forward, uint32_t rule, const struct act_done *done);

/* The rule that listens at this socket of the frontend; rule_count: none. */
uint32_t forward_rule_of_listener(const struct forward *forward, uint64_t sock);

#endif
