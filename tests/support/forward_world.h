/*
 * Forwarding over both cores and hv_mem, with scripted sockets on both sides: the test is the
 * programs beside the guest and the peers of the backend. One world a test program at a time.
 */
#ifndef XENSOCK_TESTS_SUPPORT_FORWARD_WORLD_H
#define XENSOCK_TESTS_SUPPORT_FORWARD_WORLD_H

#include "sim/run/forward.h"
#include "tests/support/pair.h"

enum {
    WORLD_HOLD_NS = 1000,
    WORLD_RULES = 2,
    WORLD_RULES_MAX = 64,
    WORLD_ORDER = 1,
    WORLD_BIND_NS = 5000,
    WORLD_TALK_NS = 3000
};
static const uint64_t WORLD_CONNECT_NS = UINT64_C(10) * 1000 * 1000 * 1000;
enum { WORLD_BIND_FIRST = FORWARD_BIND_HIGH - 2 };

struct forward_world {
    struct pair pair;
    struct net *net; /* the program's side; pair.net is the backend's */
    struct forward *forward;
    struct forward_rule rules[WORLD_RULES_MAX];
    uint64_t due_ns;
    int32_t heard[WORLD_RULES_MAX]; /* what a rule's listening came to */
    uint32_t heard_count;
    bool stops; /* a rule that cannot listen ends it all */
    struct {    /* the name that was asked for last */
        uint64_t id;
        char name[256];
        uint16_t port;
    } asked;
};
extern struct forward_world world;

/* The machine of the next world, which then stays; NULL: one of its own. */
extern struct hv_mem *world_machine;

/* A world in which nothing has begun: rule i listens on port 7000 + i and leads to 8000 + i. Then
 * begin, or begin again. Both of one rule, which listens. */
void world_create(const enum forward_kind *kinds, uint32_t count, uint32_t max_connections);
void world_start(void);
void world_open(enum forward_kind kind, uint32_t max_connections);

/* Stop with resets, and free everything; asserts that nothing is left of any connection. */
void world_close(void);

/* Until nothing happens any more but what the test has to say; at another time; and with success
 * of all that is in flight at both sides' sockets, but reads and accepts. */
void world_run(void);
void world_run_at(uint64_t now_ns);
void world_settle(void);

const struct forward_counters *world_counters(void);

/* No connection is left, and each is accounted for. */
void assert_none_left(void);

/* The newest operation of a kind that is in flight; that of a token. False: there is none. */
bool world_pending(struct net *net, enum ev_kind kind, struct net_mem_op *op);
bool world_pending_of(struct net *net, enum ev_kind kind, uint64_t token, struct net_mem_op *op);

/* The newest operation of a kind completes with `ret`; its token. */
uint64_t world_complete(struct net *net, enum ev_kind kind, int32_t ret);

/* Who is at a socket says something, or ends (0) or breaks. */
void world_say(struct net *net, uint64_t token, const char *text);
void world_end(struct net *net, uint64_t token, int32_t ret);

/* All that was written to a socket. */
void assert_heard(struct net *net, uint64_t token, const char *text);

/* A connection: the tokens of its two sockets, and both of them made. */
struct talk {
    uint64_t program, peer;
};
struct talk world_join_local(void);
struct talk world_join_remote(void);

/* The program's socket has ended so, and the peer's is closed; both are open. */
void assert_ended(struct talk talk, enum net_mem_end program);
void assert_lives(struct talk talk);

#endif
