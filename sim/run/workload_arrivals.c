/*
 * When the requests of an open loop begin: `arrivals` of request-response and connect-close.
 *
 * Intended starts are a pure function of (seed, guest, workload, index): how late one is noticed
 * and how long sockets are busy changes none of them. So what waits for a socket is no queue, only
 * the index of the next to begin. An arrival goes to the socket that has been idle for longest.
 */
#include "sim/run/workload_private.h"

#define NS_PER_S UINT64_C(1000000000)

static bool is_open_loop(const struct wl *wl)
{
    return wl->spec->arrivals.per_s != 0;
}

/* Until the next start, in parts of a ns. */
static uint64_t gap(struct arrivals *arrivals, const struct scenario_workload *spec)
{
    switch (spec->arrivals.kind) {
    case SCENARIO_FIXED:
    case SCENARIO_ON_OFF: break;
    case SCENARIO_POISSON: return prng_exponential(&arrivals->prng, NS_PER_S);
    case SCENARIO_BURST:
        if (++arrivals->of_burst < spec->arrivals.size)
            return 0;
        arrivals->of_burst = 0;
        return spec->arrivals.size * NS_PER_S;
    }
    return NS_PER_S;
}

/* When so much time on is over. */
static uint64_t after(const struct scenario_workload *spec, uint64_t on_ns)
{
    if (spec->arrivals.kind != SCENARIO_ON_OFF)
        return on_ns;
    return on_ns + on_ns / spec->arrivals.on_ns * spec->arrivals.off_ns;
}

/* On to the next intended start. Gaps are in parts of a ns, of which `per_s` make one, so that 1 /
 * per_s has no rounding that could add up: the k-th fixed start is floor(k * 10^9 / per_s). */
static void advance(struct arrivals *arrivals, const struct scenario_workload *spec)
{
    arrivals->rest += gap(arrivals, spec);
    arrivals->on_ns += arrivals->rest / spec->arrivals.per_s;
    arrivals->rest %= spec->arrivals.per_s;
    arrivals->at_ns = arrivals->begin_ns + after(spec, arrivals->on_ns);
}

void workload_arrivals_start(struct wl *wl)
{
    if (!is_open_loop(wl))
        return;
    workload_prng(&wl->arrivals.prng, wl, WORKLOAD_DRAW_ARRIVALS);
    wl->arrivals.at_ns = wl->arrivals.begin_ns = wl->set->now_ns;
    if (wl->spec->arrivals.kind == SCENARIO_POISSON)
        advance(&wl->arrivals, wl->spec);
}

/* A request needs an open socket, a connection one that is not. */
static bool is_ready(const struct conn *conn)
{
    return conn->state == conn->wl->kind->rest;
}

/* The socket idle for longest; one that was lost meanwhile is forgotten here. */
static struct conn *first_idle(struct wl *wl)
{
    for (; wl->idle && !is_ready(wl->idle); wl->idle = wl->idle->next)
        wl->idle->idle = false;
    return wl->idle;
}

uint64_t workload_arrivals_begin(struct wl *wl)
{
    struct conn *conn;

    while (!wl->finished && (conn = first_idle(wl))) {
        uint64_t at_ns = wl->arrivals.at_ns;
        bool more = workload_client_may_ask(wl);
        if (more && at_ns > wl->set->now_ns)
            return at_ns;
        wl->idle = conn->next;
        conn->idle = false;
        if (!more) {
            wl->kind->end(conn);
            continue;
        }
        advance(&wl->arrivals, wl->spec);
        wl->kind->ask(conn, at_ns);
    }
    return STEP_NEVER;
}

bool workload_arrivals_wait(struct conn *conn)
{
    struct wl *wl = conn->wl;

    if (!is_open_loop(wl))
        return false;
    if (conn->idle)
        return true;
    conn->idle = true;
    conn->next = NULL;
    if (first_idle(wl))
        wl->idle_last->next = conn;
    else
        wl->idle = conn;
    wl->idle_last = conn;
    workload_arrivals_begin(wl);
    return true;
}

void workload_arrivals_forget(struct wl *wl)
{
    for (; wl->idle; wl->idle = wl->idle->next)
        wl->idle->idle = false;
}

uint64_t workload_arrivals_drop(struct wl *wl)
{
    uint64_t operations = wl->spec->operations, count = 0;

    if (!is_open_loop(wl) || !wl->begun)
        return 0;
    while (wl->arrivals.at_ns <= wl->set->now_ns &&
           (operations == 0 || wl->requests + count < operations)) {
        advance(&wl->arrivals, wl->spec);
        count++;
    }
    return count;
}
