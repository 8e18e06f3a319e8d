/*
 * CONNECTs through the backend: which are asked for, and for how long. See forward.c.
 *
 * A command ring has few slots, and a CONNECT has one until its target answers, which a dead one
 * never does. So there are no more than the ring has room for beside what else is parked there, and
 * the others wait here, where they cost nothing:
 * - At most half of the room is for one target, but for one that has answered within TURN_NS.
 * - A CONNECT without an answer for TURN_NS is slow, and so are those that wait for the same
 * target, until it answers one. At most half of the room is for slow ones; those in excess give
 * their slot back, as draft 1 allows (a RELEASE ends a CONNECT), and wait to be asked for again.
 * - The slow take turns over targets, and each has twice as long as at its turn before, so that a
 *   target that is far away is reached in the end. Those that are not slow go first, but for one.
 * - One that finds the grant table full, which takes the pages of those on their way out, too, goes
 * back to the head of its queue, and nobody is asked for until SHORT_NS later.
 * - All of it is over after connect_wait_ns.
 * So the dead have half of the room, and who comes for a target that answers finds the other half;
 * as long as nobody knows which targets are dead, it waits TURN_NS for each that many dead ones,
 * and once for one that dies.
 *
 * Invariants: a pair is in `connects_new` or `connects_slow` while it waits here, and in `asked`
 * from its CONNECT to that one's answer, also when it is on its way out. Source: protocol.md 1.3, 7
 * (7).
 */
#include "ringlib/err.h"
#include "sim/run/forward_private.h"

enum {
    TURN_NS = 250 * 1000 * 1000, /* far more than the way around the world and back */
    TURNS_MAX = 16,              /* after which they get no longer: hours */
    SHORT_NS = 5 * 1000 * 1000,  /* until the grants that a connection gave back are there */
};

/* The smaller half of the room. */
static uint32_t half(const struct forward *forward)
{
    return forward->connects_max / 2;
}

static bool same(const struct call_addr *a, const struct call_addr *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- who is asked for ---- */

static uint32_t asked_for(const struct forward *forward, const struct call_addr *target)
{
    const struct pair *pair;
    uint32_t count = 0;

    DL_FOREACH (forward->asked, pair)
        count += same(&pair->connect.target, target) ? 1u : 0u;
    return count;
}

struct slow_count {
    uint32_t all, leaving;
};

static struct slow_count count_slow(const struct forward *forward)
{
    struct slow_count count = {0};
    const struct pair *pair;

    DL_FOREACH (forward->asked, pair) {
        count.all += pair->connect.slow ? 1u : 0u;
        count.leaving += pair->connect.slow && pair->leaving ? 1u : 0u;
    }
    return count;
}

/* The target's entry among those that are alive, or NULL. */
static struct alive *alive_of(struct forward *forward, const struct call_addr *target)
{
    for (uint32_t i = 0; i < FORWARD_ALIVE; i++)
        if (forward->alive[i].until_ns > forward->now_ns && same(&forward->alive[i].target, target))
            return &forward->alive[i];
    return NULL;
}

static void remember(struct forward *forward, const struct call_addr *target)
{
    struct alive *alive = alive_of(forward, target);

    if (!alive)
        alive = &forward->alive[forward->alive_next++ % FORWARD_ALIVE];
    *alive = (struct alive){*target, forward->now_ns + TURN_NS};
}

static uint32_t share(struct forward *forward, const struct call_addr *target)
{
    return alive_of(forward, target) ? forward->connects_max : half(forward);
}

/* The first of a queue whose target has fewer than `most` of the room, or than its share (0); or
 * NULL. */
static struct pair *first_below(struct forward *forward, struct pair *queue, uint32_t most)
{
    const struct call_addr *full = NULL;
    struct pair *pair;

    DL_FOREACH (queue, pair) {
        const struct call_addr *target = &pair->connect.target;
        if (full && same(full, target))
            continue; /* mostly they are all for the same one */
        if (asked_for(forward, target) < (most > 0 ? most : share(forward, target)))
            return pair;
        full = target;
    }
    return NULL;
}

static struct pair *next_slow(struct forward *forward)
{
    struct pair *pair = first_below(forward, forward->connects_slow, 1);

    return pair ? pair : first_below(forward, forward->connects_slow, half(forward));
}

static struct pair *next(struct forward *forward)
{
    uint32_t slow = count_slow(forward).all;
    struct pair *pair = slow == 0 ? next_slow(forward) : NULL;

    if (!pair)
        pair = first_below(forward, forward->connects_new, 0);
    return pair || slow >= half(forward) ? pair : next_slow(forward);
}

/* ---- the queues ---- */

static void queue(struct pair *pair, bool slow)
{
    struct forward *forward = pair->forward;

    pair->connect.slow = slow;
    pair->connect.state = CONNECT_QUEUED;
    if (slow)
        DL_APPEND(forward->connects_slow, pair);
    else
        DL_APPEND(forward->connects_new, pair);
}

static void unqueue(struct pair *pair)
{
    if (pair->connect.slow)
        DL_DELETE(pair->forward->connects_slow, pair);
    else
        DL_DELETE(pair->forward->connects_new, pair);
    pair->connect.state = CONNECT_NONE;
}

/* Those that wait for a target are slow from now on, or not any more. */
static void move_all(struct forward *forward, const struct call_addr *target, bool slow)
{
    struct pair *pair, *following;

    DL_FOREACH_SAFE (slow ? forward->connects_new : forward->connects_slow, pair, following) {
        if (!same(&pair->connect.target, target))
            continue;
        unqueue(pair);
        queue(pair, slow);
    }
}

static bool is_slow(const struct forward *forward, const struct call_addr *target)
{
    const struct pair *pair;

    DL_FOREACH (forward->connects_slow, pair)
        if (same(&pair->connect.target, target))
            return true;
    DL_FOREACH (forward->asked, pair)
        if (pair->connect.slow && same(&pair->connect.target, target))
            return true;
    return false;
}

/* ---- asking ---- */

static uint64_t turn_ns(const struct pair *pair)
{
    return (uint64_t)TURN_NS << pair->connect.turns;
}

static void ask(struct pair *pair)
{
    struct forward *forward = pair->forward;
    const struct call_addr *target = &pair->connect.target;

    unqueue(pair);
    int64_t ret = forward_end(forward, CALL_CONNECT, 0,
                              fe_connect(forward->config.fe, target, forward_begin(forward)));
    if (ret < 0) {
        forward_connect_over(pair, (int32_t)ret);
        return;
    }
    forward_adopt(pair, (uint64_t)ret);
    pair->connect.state = CONNECT_ASKED;
    pair->connect.turn_over_ns = forward->now_ns + turn_ns(pair);
    DL_APPEND(forward->asked, pair);
    forward->asked_count++;
}

static void ask_more(struct forward *forward)
{
    struct pair *pair;

    while (forward->now_ns >= forward->short_until_ns &&
           forward->asked_count < forward->connects_max && (pair = next(forward)))
        ask(pair);
}

void forward_connect(struct pair *pair, const struct call_addr *target)
{
    pair->connect = (struct pair_connect){.target = *target};
    queue(pair, is_slow(pair->forward, target));
    ask_more(pair->forward);
}

/* ---- answers ---- */

/* A target that answers at all is not slow. */
static void lives(struct forward *forward, const struct call_addr *target)
{
    struct pair *pair;

    remember(forward, target);
    move_all(forward, target, false);
    DL_FOREACH (forward->asked, pair) {
        if (!pair->connect.slow || !same(&pair->connect.target, target))
            continue;
        pair->connect.slow = false;
        pair->connect.turns = 0;
        pair->connect.turn_over_ns = forward->now_ns + turn_ns(pair);
    }
}

/* Its pages could not be shared: it is asked for again, before others. */
static void fell_short(struct pair *pair)
{
    struct forward *forward = pair->forward;

    forward_disown(pair);
    pair->connect.state = CONNECT_QUEUED;
    if (pair->connect.slow)
        DL_PREPEND(forward->connects_slow, pair);
    else
        DL_PREPEND(forward->connects_new, pair);
    forward->short_until_ns = forward->now_ns + SHORT_NS;
}

void forward_connect_done(struct pair *pair, int32_t ret)
{
    struct forward *forward = pair->forward;

    DL_DELETE(forward->asked, pair);
    forward->asked_count--;
    if (ret == -ERR_NOSPC && !pair->leaving) {
        fell_short(pair);
        return;
    }
    pair->connect.state = pair->connect.yields ? CONNECT_YIELDS : CONNECT_NONE;
    if (ret == 0 || ret == -ERR_CONNREFUSED) {
        pair->connect.slow = false;
        lives(forward, &pair->connect.target);
    }
    if (!pair->leaving) { /* else DONE(RELEASE) follows */
        if (ret < 0)
            forward_disown(pair);
        forward_connect_over(pair, ret);
    }
    ask_more(forward);
}

void forward_connect_over(struct pair *pair, int32_t ret)
{
    forward_time_end(pair);
    if (pair->talk) {
        forward_talk_connected(pair, ret);
        return;
    }
    if (ret < 0) {
        forward_finish(pair, true);
        return;
    }
    pair->outside = true;
    if (pair->inside)
        forward_joined(pair);
}

void forward_connect_expired(struct pair *pair)
{
    forward_connect_drop(pair);
    forward_leave_guest(pair, true);
    forward_connect_over(pair, -ERR_TIMEDOUT);
}

void forward_connect_drop(struct pair *pair)
{
    if (pair->connect.state == CONNECT_QUEUED)
        unqueue(pair);
    if (pair->connect.state == CONNECT_YIELDS)
        pair->connect.state = CONNECT_NONE;
    pair->connect.yields = false;
}

bool forward_connect_released(struct pair *pair)
{
    if (pair->connect.state != CONNECT_YIELDS)
        return false;
    pair->connect.yields = false;
    queue(pair, pair->connect.slow);
    ask_more(pair->forward);
    return true;
}

/* ---- turns ---- */

static void yield(struct pair *pair)
{
    pair->connect.yields = true;
    if (pair->connect.turns < TURNS_MAX)
        pair->connect.turns++;
    forward_leave_guest(pair, true);
}

/* The one whose turn has been over for longest, or NULL. */
static struct pair *first_over(const struct forward *forward)
{
    struct pair *pair, *first = NULL;

    DL_FOREACH (forward->asked, pair)
        if (pair->connect.slow && !pair->leaving && pair->connect.turn_over_ns <= forward->now_ns &&
            (!first || pair->connect.turn_over_ns < first->connect.turn_over_ns))
            first = pair;
    return first;
}

/* Whether one of the slow is to make room: they are too many, or a target has no turn at all and
 * nobody makes room already. */
static bool room_is_wanted(struct forward *forward)
{
    struct slow_count slow = count_slow(forward);

    if (slow.all - slow.leaving > half(forward))
        return true;
    bool full = slow.all >= half(forward) || forward->asked_count >= forward->connects_max;
    return full && slow.leaving == 0 && first_below(forward, forward->connects_slow, 1);
}

uint64_t forward_connect_turned(struct forward *forward)
{
    uint64_t due_ns = STEP_NEVER;
    struct pair *pair;

    DL_FOREACH (forward->asked, pair) {
        uint64_t over_ns = pair->connect.turn_over_ns;
        if (over_ns > forward->now_ns) {
            due_ns = over_ns < due_ns ? over_ns : due_ns;
        } else if (!pair->connect.slow) {
            pair->connect.slow = true;
            move_all(forward, &pair->connect.target, true);
        }
    }
    while (room_is_wanted(forward) && (pair = first_over(forward)))
        yield(pair);
    bool waits = forward->connects_new || forward->connects_slow;
    if (forward->short_until_ns > 0 && forward->now_ns >= forward->short_until_ns) {
        forward->short_until_ns = 0;
        ask_more(forward);
    } else if (forward->short_until_ns > 0 && waits && forward->short_until_ns < due_ns) {
        due_ns = forward->short_until_ns;
    }
    return due_ns;
}
