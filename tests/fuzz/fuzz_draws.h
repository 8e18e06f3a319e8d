/*
 * What of a loaded scenario's distributions must hold: a part of fuzz_scenario.c. Their numbers go
 * into arithmetic that asserts its bounds, so some are drawn.
 */
#ifndef XENSOCK_TESTS_FUZZ_FUZZ_DRAWS_H
#define XENSOCK_TESTS_FUZZ_FUZZ_DRAWS_H

#include "sim/run/payload.h"
#include "sim/run/scenario.h"
#include "tests/fuzz/fuzz.h"

static inline void fuzz_check_draw(const struct draw *draw, uint64_t least, const char *name)
{
    struct prng prng;

    FUZZ_CHECK(draw_is_given(draw) && draw_most(draw) >= least, "'%s'", name);
    prng_init(&prng, 1, name, 0);
    for (int i = 0; i < 8; i++) {
        uint64_t drawn = draw_next(draw, least, &prng);
        FUZZ_CHECK(drawn >= least && drawn <= draw_most(draw), "'%s'", name);
    }
}

static inline void fuzz_check_draws(const struct scenario *scenario,
                                    const struct scenario_workload *workload)
{
    const struct scenario_peer *peer = &scenario->peers[workload->peer];
    bool asks = peer->kind == SCENARIO_PEER_RESPONDER;

    if (workload->kind == SCENARIO_STREAM)
        fuzz_check_draw(&workload->write, 1, workload->name);
    if (workload->kind == SCENARIO_REQUEST_RESPONSE)
        fuzz_check_draw(&workload->request, asks ? PAYLOAD_ASK_BYTES : 1, workload->name);
    if (!draw_is_given(&workload->response))
        return;
    FUZZ_CHECK(asks, "'%s' to '%s'", workload->name, peer->name);
    fuzz_check_draw(&workload->response, 1, workload->name);
}

#endif
