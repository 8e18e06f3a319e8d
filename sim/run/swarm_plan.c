/*
 * What a seed draws. See swarm.h.
 *
 * A seed first decides what it is about (how many connections, which disturbances, how large things
 * are), so that some seeds do much of one thing: what happens rarely where everything is mixed
 * happens often there.
 *
 * Invariant: no expression draws twice where C leaves the order open, as between arguments: then a
 * seed would be another plan for each compiler.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ringlib/dialect.h"
#include "sim/run/swarm_private.h"

enum { SEND_BYTES_MAX = 1 << 17 }; /* half of a ring of order 6 */

struct planning {
    struct prng prng;
    struct swarm_plan *plan;
    uint32_t bytes_scale; /* sends are up to so many bytes */
    uint32_t accepts;     /* of a connection from the peer, at most */
    bool resets, links, stalls, delays, pauses;
};

static uint32_t below(struct planning *planning, uint32_t bound)
{
    return (uint32_t)prng_below(&planning->prng, bound);
}

static bool one_in(struct planning *planning, uint32_t n)
{
    return below(planning, n) == 0;
}

/* A number up to `most`: half of the time any, else one whose length is as likely as any other. */
static uint32_t scaled(struct planning *planning, uint32_t most)
{
    uint32_t bits = 0;

    if (one_in(planning, 2))
        return 1 + below(planning, most);
    while (most >> bits > 1)
        bits++;
    uint32_t value = 1 + below(planning, 1u << below(planning, bits + 1));
    return value < most ? value : most;
}

static void add_amount(struct planning *planning, enum swarm_kind kind, uint32_t conn,
                       uint64_t at_ns, uint32_t amount)
{
    struct swarm_plan *plan = planning->plan;

    if (plan->op_count == SWARM_OPS_MAX)
        return;
    plan->ops[plan->op_count++] = (struct swarm_op){.at_ns = at_ns,
                                                    .kind = kind,
                                                    .guest = plan->owner[conn % SWARM_CONNS],
                                                    .conn = conn,
                                                    .amount = amount};
}

static void add(struct planning *planning, enum swarm_kind kind, uint32_t conn, uint64_t at_ns)
{
    add_amount(planning, kind, conn, at_ns, 0);
}

static uint64_t some_time(struct planning *planning, uint64_t from_ns)
{
    return from_ns + prng_below(&planning->prng, planning->plan->rest_ns - from_ns);
}

/* What happens to an open connection. */
static void add_event(struct planning *planning, uint32_t conn, uint64_t from_ns)
{
    static const enum swarm_kind sends[] = {SWARM_GUEST_SEND, SWARM_PEER_SEND};
    static const enum swarm_kind pauses[] = {SWARM_GUEST_PAUSE, SWARM_PEER_PAUSE};
    uint64_t at_ns = some_time(planning, from_ns);
    bool pause = planning->pauses && one_in(planning, 4);
    enum swarm_kind kind = (pause ? pauses : sends)[below(planning, 2)];

    add_amount(planning, kind, conn, at_ns,
               scaled(planning, pause ? (uint32_t)planning->plan->rest_ns : planning->bytes_scale));
}

/* Both sides send and neither reads, so that what comes at `at_ns` finds bytes on their way in both
 * directions; or whom it comes to is held back then. */
static void add_fullness(struct planning *planning, uint32_t conn, uint64_t at_ns)
{
    uint32_t before_ns = 1 + below(planning, (uint32_t)planning->plan->rest_ns / 8);

    if (planning->pauses && one_in(planning, 2)) {
        add_amount(planning, SWARM_GUEST_PAUSE, conn, at_ns - before_ns, 2 * before_ns);
        add_amount(planning, SWARM_PEER_PAUSE, conn, at_ns - before_ns, 2 * before_ns);
        add_amount(planning, SWARM_GUEST_SEND, conn, at_ns - before_ns, planning->bytes_scale);
        add_amount(planning, SWARM_PEER_SEND, conn, at_ns - before_ns, planning->bytes_scale);
    }
    if (planning->stalls && one_in(planning, 3))
        add_amount(planning, SWARM_STALL, one_in(planning, 2) ? 0 : 1 + planning->plan->owner[conn],
                   at_ns - before_ns, 2 * before_ns);
}

static void add_end(struct planning *planning, uint32_t conn, uint64_t from_ns)
{
    static const enum swarm_kind ends[] = {SWARM_RELEASE,    SWARM_RELEASE,    SWARM_PEER_SHUT,
                                           SWARM_PEER_CLOSE, SWARM_PEER_RESET, SWARM_PEER_RESET,
                                           SWARM_PEER_RESET};

    uint64_t at_ns = some_time(planning, from_ns);

    if (one_in(planning, 3))
        return;                /* the quiet ends it */
    if (one_in(planning, 2)) { /* last words, and the guest is about to look */
        add_amount(planning, SWARM_PEER_SEND, conn, at_ns, scaled(planning, planning->bytes_scale));
        for (uint32_t n = below(planning, 4); n > 0; n--)
            add_amount(planning, SWARM_GUEST_SEND, conn,
                       at_ns + planning->plan->delay_ns + below(planning, 40000), 1);
    }
    add_fullness(planning, conn, at_ns);
    add(planning, ends[below(planning, planning->resets ? 7 : 4)], conn, at_ns);
}

/* Half of what guests wait for begins early, so that there is time for what follows. */
static uint64_t early_or_late(struct planning *planning)
{
    uint64_t from_ns = planning->plan->rest_ns / 8;

    return one_in(planning, 2) ? from_ns + prng_below(&planning->prng, from_ns)
                               : some_time(planning, from_ns);
}

static void add_conn(struct planning *planning, uint32_t conn)
{
    struct swarm_plan *plan = planning->plan;
    uint64_t at_ns = early_or_late(planning);

    plan->owner[conn] = below(planning, plan->guests);
    plan->patient[conn] = one_in(planning, 2);
    plan->passive[conn] = one_in(planning, planning->accepts > 1 ? 2 : 3);
    plan->refused[conn] = one_in(planning, 16);
    if (plan->passive[conn]) {
        add(planning, SWARM_LISTEN, conn, plan->rest_ns / 16 + below(planning, 1000));
        for (uint32_t n = 1 + below(planning, planning->accepts); n > 0; n--)
            add(planning, SWARM_ACCEPT, conn, early_or_late(planning));
        if (one_in(planning, 2))
            add(planning, SWARM_POLL, conn, some_time(planning, plan->rest_ns / 8));
    }
    add(planning, plan->passive[conn] ? SWARM_CALL : SWARM_CONNECT, conn, at_ns);
    for (uint32_t n = below(planning, 8); n > 0; n--)
        add_event(planning, conn, at_ns);
    add_end(planning, conn, at_ns);
}

static void add_disturbances(struct planning *planning)
{
    struct swarm_plan *plan = planning->plan;

    for (uint32_t n = below(planning, 6); n > 0; n--) {
        static const enum swarm_kind kinds[] = {SWARM_LINK, SWARM_STALL, SWARM_DELAY};
        const bool wanted[] = {planning->links, planning->stalls, planning->delays};
        uint32_t which = below(planning, 3);
        if (!wanted[which])
            continue;
        uint32_t whose = which == 0 ? 0 : below(planning, plan->guests + 1);
        uint64_t at_ns = some_time(planning, 0);
        add_amount(planning, kinds[which], whose, at_ns,
                   scaled(planning, (uint32_t)(plan->rest_ns / 4)));
    }
}

static int by_time(const void *a, const void *b)
{
    const struct swarm_op *x = a, *y = b;

    if (x->at_ns != y->at_ns)
        return x->at_ns < y->at_ns ? -1 : 1;
    if (x->conn != y->conn)
        return x->conn < y->conn ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->amount < y->amount ? -1 : x->amount > y->amount;
}

static void draw_link(struct planning *planning)
{
    struct swarm_plan *plan = planning->plan;

    plan->delay_ns = one_in(planning, 2) ? 0 : scaled(planning, 200000);
    plan->rate_bytes_per_s = one_in(planning, 2) ? 0 : 1000000 + scaled(planning, 1000000000);
    plan->loss_ppm = one_in(planning, 3) ? scaled(planning, 100000) : 0;
    plan->segment_bytes = one_in(planning, 2) ? 65536 : 16 + scaled(planning, 4096);
    plan->buffer_bytes = one_in(planning, 2) ? 131072 : 64 + scaled(planning, 16384);
}

/* A driver may know one order alone, or none above it; and one that names none means that of the
 * dialect, where it has one. */
static void fit_order(struct swarm_plan *plan, const struct swarm_sides *sides)
{
    bool silent = (sides->back.quirks & quirk_bit(QUIRK_OFFERS_NOTHING)) != 0;
    uint32_t order_silent = dialect_find(sides->protocol->dialect)->order_silent;

    if (sides->front.order > 0)
        plan->order = sides->front.order;
    else if (silent && order_silent > 0)
        plan->order = order_silent;
    else if (sides->back.order > 0 && plan->order > sides->back.order)
        plan->order = sides->back.order;
}

void swarm_plan_make(struct swarm_plan *plan, const struct scenario *scenario, uint64_t seed)
{
    struct swarm_sides sides = swarm_sides(scenario);
    const struct dialect *dialect = dialect_find(sides.protocol->dialect);
    struct planning planning = {.plan = plan};
    uint32_t conns;

    *plan = (struct swarm_plan){.order = dialect->order_min};
    prng_init(&planning.prng, seed, "swarm/plan", 0);
    if (one_in(&planning, 3))
        plan->order += below(&planning, sides.protocol->order - dialect->order_min + 1);
    plan->costs = below(&planning, 3);
    plan->guests = 1 + one_in(&planning, 3);
    plan->sockets = one_in(&planning, 2) ? SWARM_SOCKETS : 4 + below(&planning, 8);
    plan->every = one_in(&planning, 4) ? 0 : 1u << below(&planning, 7);
    plan->rest_ns = 100000 + scaled(&planning, 5000000);
    planning.bytes_scale = 16u << below(&planning, 13);
    fit_order(plan, &sides);
    if (plan->order > dialect->order_min && one_in(&planning, 2)) /* large rings come round, too */
        planning.bytes_scale = (uint32_t)SHARED_PAGE_BYTES / 2 << plan->order;
    planning.accepts = one_in(&planning, 4) ? 6 : 1;
    planning.resets = one_in(&planning, 2);
    planning.links = one_in(&planning, 2);
    planning.stalls = one_in(&planning, 2);
    planning.delays = one_in(&planning, 2);
    planning.pauses = one_in(&planning, 2);
    draw_link(&planning);
    conns = 1 + below(&planning, SWARM_CONNS);
    for (uint32_t conn = 0; conn < conns; conn++)
        add_conn(&planning, conn);
    add_disturbances(&planning);
    qsort(plan->ops, plan->op_count, sizeof(plan->ops[0]), by_time);
}

/* ---- any numbers as a plan ---- */

static uint64_t within(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static void fit_fields(struct swarm_plan *plan, const struct scenario *scenario)
{
    struct swarm_sides sides = swarm_sides(scenario);
    const struct dialect *dialect = dialect_find(sides.protocol->dialect);

    plan->order = (uint32_t)within(plan->order, dialect->order_min, sides.protocol->order);
    fit_order(plan, &sides);
    plan->costs = (uint32_t)within(plan->costs, 0, 2);
    plan->guests = (uint32_t)within(plan->guests, 1, SWARM_GUESTS);
    plan->sockets = (uint32_t)within(plan->sockets, 4, SWARM_SOCKETS);
    plan->rest_ns = within(plan->rest_ns, 100001, 5100000);
    plan->delay_ns = within(plan->delay_ns, 0, 200000);
    if (plan->rate_bytes_per_s > 0)
        plan->rate_bytes_per_s = within(plan->rate_bytes_per_s, 1000001, 1001000000);
    plan->loss_ppm = (uint32_t)within(plan->loss_ppm, 0, 100000);
    plan->segment_bytes = (uint32_t)within(plan->segment_bytes, 17, 65536);
    plan->buffer_bytes = (uint32_t)within(plan->buffer_bytes, 65, 131072);
    plan->op_count = (uint32_t)within(plan->op_count, 0, SWARM_OPS_MAX);
    for (uint32_t conn = 0; conn < SWARM_CONNS; conn++)
        plan->owner[conn] %= plan->guests;
}

static void fit_op(const struct swarm_plan *plan, struct swarm_op *op)
{
    bool sends = op->kind == SWARM_GUEST_SEND || op->kind == SWARM_PEER_SEND;
    bool lasts = op->kind == SWARM_GUEST_PAUSE || op->kind == SWARM_PEER_PAUSE;

    op->at_ns = within(op->at_ns, 0, plan->rest_ns - 1);
    if (op->kind >= SWARM_LINK) {
        op->conn = op->kind == SWARM_LINK ? 0 : op->conn % (plan->guests + 1);
        op->amount = (uint32_t)within(op->amount, 1, plan->rest_ns / 4);
        return;
    }
    op->conn %= SWARM_CONNS;
    op->guest = plan->owner[op->conn];
    if (op->kind == SWARM_CONNECT || op->kind == SWARM_CALL)
        op->kind = plan->passive[op->conn] ? SWARM_CALL : SWARM_CONNECT;
    if (sends || lasts)
        op->amount = (uint32_t)within(op->amount, 1, sends ? SEND_BYTES_MAX : plan->rest_ns);
    else
        op->amount = 0;
}

/* Whether the event has a place behind those before it: a connection is opened, or its guest
 * listens, before anything happens to it, and it is opened once, and ended once. */
static bool op_fits(const struct swarm_plan *plan, const struct swarm_op *op, uint32_t *listening,
                    uint32_t *opened, uint32_t *ended)
{
    uint32_t bit = 1u << op->conn, guest = 1u << op->guest;
    bool waits = op->kind == SWARM_LISTEN || op->kind == SWARM_ACCEPT || op->kind == SWARM_POLL;

    if (op->kind >= SWARM_LINK)
        return true;
    if (op->kind == SWARM_LISTEN)
        *listening |= guest;
    if (waits)
        return plan->passive[op->conn] && (*listening & guest);
    if (op->kind == SWARM_CALL || op->kind == SWARM_CONNECT) {
        if ((*opened & bit) || (op->kind == SWARM_CALL && !(*listening & guest)))
            return false;
        *opened |= bit;
        return true;
    }
    if (!(*opened & bit))
        return false;
    if (op->kind >= SWARM_RELEASE && (*ended & bit))
        return false;
    if (op->kind >= SWARM_RELEASE)
        *ended |= bit;
    return true;
}

void swarm_plan_fit(struct swarm_plan *plan, const struct scenario *scenario)
{
    uint32_t listening = 0, opened = 0, ended = 0, kept = 0;

    fit_fields(plan, scenario);
    for (uint32_t i = 0; i < plan->op_count; i++)
        fit_op(plan, &plan->ops[i]);
    qsort(plan->ops, plan->op_count, sizeof(plan->ops[0]), by_time);
    for (uint32_t i = 0; i < plan->op_count; i++)
        if (op_fits(plan, &plan->ops[i], &listening, &opened, &ended))
            plan->ops[kept++] = plan->ops[i];
    plan->op_count = kept;
}

void swarm_op_text(const struct swarm_op *op, char *text, size_t bytes)
{
    static const char *const words[] = {
#define X(constant, what) what,
        SWARM_KINDS(X)
#undef X
    };
    bool whose = op->kind >= SWARM_LINK;
    int length = snprintf(text, bytes, "at %" PRIu64 " ns: %s", op->at_ns, words[op->kind]);

    if (op->amount > 0 && length > 0 && (size_t)length < bytes)
        length += snprintf(text + length, bytes - (size_t)length, " %" PRIu32, op->amount);
    if (op->kind != SWARM_LINK && length > 0 && (size_t)length < bytes)
        snprintf(text + length, bytes - (size_t)length, whose ? " (domain %u)" : " (connection %u)",
                 op->conn);
}
