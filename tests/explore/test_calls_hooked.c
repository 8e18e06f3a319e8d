/*
 * Both cores' command ring, fe_ring.c and be_ring.c, through the executor and hv_mem: a guest binds
 * sockets and releases each when it is bound, or connects some, each of which is refused, in every
 * interleaving with the backend's process, or in all with so many preemptions, in every dialect.
 *
 * Promised: each call is answered once and as it should be, nobody sleeps while there is work for
 * it, and the backend keeps no socket that the guest has forgotten. Points where the other may go
 * are all accesses to the ring page and all operations of the event channel; the host's sockets
 * answer at once.
 */
#include "ringlib/cmdring.h"
#include "tests/explore/taps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

enum { GUEST, HOST, SERIAL = 0 /* of the ring's port: its domain's first */ };

static const struct explore_place places[] = {
    {"req_prod", CMDRING_REQ_PROD, 4, GUEST},
    {"req_event", CMDRING_REQ_EVENT, 4, HOST},
    {"rsp_prod", CMDRING_RSP_PROD, 4, HOST},
    {"rsp_event", CMDRING_RSP_EVENT, 4, GUEST},
    {"slots", CMDRING_SLOTS, SHARED_PAGE_BYTES - CMDRING_SLOTS, EXPLORE_NOBODY},
};

struct calls {
    const struct dialect *dialect;
    uint32_t sockets, refused; /* that are bound, and that are connected in vain */
    struct hv_mem *machine;
    struct pair pair;
    uint32_t bound, released, failed, front_port, back_port;
};

static void guest_told(void *self, const struct act *act)
{
    struct calls *at = self;

    if (act->kind != ACT_DONE)
        return;
    explore_check(act->done.ret == (act->done.call == CALL_CONNECT ? -ERR_CONNREFUSED : 0));
    if (act->done.call == CALL_CONNECT) {
        at->failed++;
    } else if (act->done.call == CALL_BIND) {
        at->bound++;
        explore_check(pair_release(&at->pair, act->done.sock) == 0);
    } else {
        at->released++;
    }
}

static void guest(void *self)
{
    struct calls *at = self;

    for (uint32_t i = 0; i < at->refused; i++)
        explore_check(pair_connect_begin(&at->pair, (uint16_t)(80 + i)) >= 0);
    for (uint32_t i = 0; i < at->sockets; i++)
        explore_check(pair_bind_begin(&at->pair, (uint16_t)(7000 + i)) >= 0);
    while (fe_counters(at->pair.fe)->sockets_now > 0) {
        explore_wait(taps_event, at->pair.front_hv);
        while (exec_turn(at->pair.front, 0))
            continue;
    }
}

/* Nobody listens. */
static uint32_t refuse(struct calls *at)
{
    uint32_t count = pair_pending_count(&at->pair, EV_NET_CONNECT);

    for (uint32_t i = 0; i < count; i++)
        net_mem_complete(at->pair.net, EV_NET_CONNECT, pair_pending(&at->pair, EV_NET_CONNECT),
                         -ERR_CONNREFUSED, NULL);
    return count;
}

static void host(void *self)
{
    struct calls *at = self;

    for (;;) {
        explore_wait(taps_event, at->pair.back_hv);
        do
            while (exec_turn(at->pair.back, 0))
                continue;
        while (refuse(at) + net_mem_settle(at->pair.net) > 0 || exec_busy(at->pair.back, 0));
    }
}

static void begin(void *self)
{
    struct calls *at = self;
    struct fe_look look;
    struct be_look back;

    pair_open(&at->pair, &(struct pair_config){.dialect = at->dialect,
                                               .order = at->dialect->order_min,
                                               .max_sockets = at->sockets + at->refused,
                                               .machine = at->machine,
                                               .self = at,
                                               .upcall = guest_told});
    at->bound = at->released = at->failed = 0;
    fe_look(at->pair.fe, &look);
    be_look(at->pair.be, &back);
    at->front_port = look.port;
    at->back_port = back.port;
    taps_open(&at->pair);
    explore_region(&(struct explore_region){look.page, places, sizeof(places) / sizeof(places[0])});
}

static void end(void *self)
{
    pair_drop(&((struct calls *)self)->pair);
}

static uint64_t state(void *self)
{
    const struct calls *at = self;

    return (taps_raised(&at->pair, PAIR_FRONT, SERIAL, at->front_port) ? 1u : 0u) |
           (taps_raised(&at->pair, PAIR_BACK, SERIAL, at->back_port) ? 2u : 0u);
}

static const char *outcome(void *self)
{
    const struct calls *at = self;

    if (at->pair.front_fault_count + at->pair.back_fault_count > 0)
        return "a fault was reported";
    if (be_counters(at->pair.be)->sockets_now > 0)
        return "a socket is left at the backend";
    return at->released == at->sockets && at->failed == at->refused ? NULL
                                                                    : "not every call was answered";
}

static void right(const struct dialect *dialect, uint32_t sockets, uint32_t refused,
                  uint32_t preemptions)
{
    static struct calls calls; /* too large for a stack */
    struct explore_result result;
    char name[80];

    calls = (struct calls){.dialect = dialect, .sockets = sockets, .refused = refused};
    calls.machine = hv_mem_create_pages(NULL, 64);
    snprintf(name, sizeof(name), "calls, %s, %u bound and released, %u refused", dialect->name,
             sockets, refused);
    explore(&(struct explore){.name = name,
                              .self = &calls,
                              .side_count = 2,
                              .side_names = {"guest", "host"},
                              .sides = {guest, host},
                              .servants = 1 << HOST,
                              .begin = begin,
                              .end = end,
                              .state = state,
                              .outcome = outcome,
                              .preemptions = preemptions},
            &result);
    hv_mem_destroy(calls.machine);
    assert_null(result.wrong);
    assert_true(result.complete || preemptions > 0);
}

static void bound_and_released(void **unused)
{
    (void)unused;
    right(dialect_at(0), 1, 0, 0);
    right(dialect_at(0), 2, 0, EXPLORE_SLOW > 1 ? 2 : 0);
    right(dialect_at(0), 3, 0, EXPLORE_SLOW ? 1 : 3);
    for (uint32_t i = 1; dialect_at(i); i++)
        right(dialect_at(i), 2, 0, EXPLORE_SLOW ? 1 : 3);
}

/* Where a SOCKET went before, the backend is told of the end of what failed. */
static void refused_beside(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; dialect_at(i); i++) {
        right(dialect_at(i), 0, 1, EXPLORE_SLOW > 1 ? 2 : 0);
        right(dialect_at(i), 1, 1, EXPLORE_SLOW ? 1 : 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bound_and_released),
                                       cmocka_unit_test(refused_beside)};

    return !!cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
