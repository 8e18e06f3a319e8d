/*
 * The set of workloads: phases, upcalls to their connections, what was carried when. See
 * workload.h. What a kind does is in workload_client.c, workload_connect.c, workload_serve.c and
 * workload_forward.c; what came of it, in workload_result.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/run/guest_room.h"
#include "sim/run/workload_private.h"

bool workload_unbounded(const struct scenario_workload *spec)
{
    switch (spec->kind) {
    case SCENARIO_STREAM: return spec->bytes == 0;
    case SCENARIO_REQUEST_RESPONSE:
    case SCENARIO_CONNECT_CLOSE: return spec->operations == 0;
    case SCENARIO_SERVE:
    case SCENARIO_FORWARD: return spec->accepts == 0;
    }
    return false;
}

/* Connections from outside: as many as come at once, so the default is generous. */
static uint32_t slots_of(const struct scenario *scenario, const struct scenario_workload *spec)
{
    uint32_t clients = 64;

    if (spec->kind == SCENARIO_FORWARD)
        return forward_sockets(spec->connections, &(struct forward_rule){.kind = FORWARD_LOCAL}, 1);
    if (spec->kind != SCENARIO_SERVE)
        return spec->sockets;
    for (uint32_t i = 0; i < scenario->peer_count; i++)
        if (scenario->peers[i].kind == SCENARIO_PEER_CLIENT &&
            scenario->workloads[scenario->peers[i].workload].kind == SCENARIO_SERVE)
            clients += scenario->peers[i].connections;
    return workload_serve_slots(spec) + clients;
}

uint32_t workload_slots(const struct scenario *scenario, uint32_t host)
{
    uint32_t slots = 0;

    for (uint32_t i = 0; i < scenario->workload_count; i++)
        if (scenario->workloads[i].host == host)
            slots += slots_of(scenario, &scenario->workloads[i]);
    return slots > 0 ? slots : 1; /* a guest may have nothing to do */
}

/* What may be drawn is sent in parts where it is much: no data ring takes more at once. */
static uint64_t one_send(const struct draw *draw)
{
    uint64_t most = draw_most(draw);

    return draw->kind == DRAW_FIXED || most < WORKLOAD_DRAWN_SEND ? most : WORKLOAD_DRAWN_SEND;
}

static uint32_t buffer_bytes(const struct scenario *scenario)
{
    uint64_t bytes = 65536;

    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *spec = &scenario->workloads[i];
        uint64_t write = one_send(&spec->write), request = one_send(&spec->request);
        bytes = write > bytes ? write : bytes;
        bytes = request > bytes ? request : bytes;
        bytes = spec->read_bytes > bytes ? spec->read_bytes : bytes;
    }
    return (uint32_t)bytes;
}

static bool hist_make(struct metrics_hist **hist)
{
    if (!*hist)
        *hist = metrics_hist_create(METRICS_HIST_HIGHEST_NS);
    return *hist != NULL;
}

void workload_times_destroy(struct workload_times *times)
{
    metrics_hist_destroy(times->latency);
    metrics_hist_destroy(times->service);
    metrics_hist_destroy(times->released);
}

static const struct workload_kind *const kinds[] = {
    [SCENARIO_STREAM] = &workload_client,   [SCENARIO_REQUEST_RESPONSE] = &workload_client,
    [SCENARIO_SERVE] = &workload_serve,     [SCENARIO_CONNECT_CLOSE] = &workload_connect,
    [SCENARIO_FORWARD] = &workload_forward,
};

static bool wl_init(struct workload_set *set, uint32_t index)
{
    const struct scenario *scenario = set->env.scenario;
    struct wl *wl = &set->wls[set->count++];

    wl->set = set;
    wl->index = index;
    wl->spec = &scenario->workloads[index];
    wl->kind = kinds[wl->spec->kind];
    wl->times = set->env.times ? &set->env.times[index] : &wl->own;
    bool connects = wl->spec->kind == SCENARIO_CONNECT_CLOSE;
    bool asks = connects || wl->spec->kind == SCENARIO_REQUEST_RESPONSE;
    if ((asks && !hist_make(&wl->times->latency)) || (connects && !hist_make(&wl->times->released)))
        return false;
    if (wl->spec->arrivals.per_s != 0 && !hist_make(&wl->times->service))
        return false;
    if (wl->spec->kind == SCENARIO_FORWARD)
        return workload_forward_make(wl);
    if (wl->spec->kind != SCENARIO_SERVE) {
        wl->peer = &scenario->peers[wl->spec->peer];
        wl->conns = calloc(wl->spec->sockets, sizeof(struct conn));
        if (!wl->conns)
            return false;
    } else if (!workload_serve_make(wl)) {
        return false;
    }
    bool single = wl->peer ? wl->peer->kind == SCENARIO_PEER_EXTERNAL && wl->spec->sockets == 1 &&
                                 wl->spec->repeat <= 1
                           : wl->spec->accepts == 1;
    wl->digesting = single && payload_digest_init(&wl->digest) == 0;
    return true;
}

struct workload_set *workload_create(const struct workload_env *env)
{
    const struct scenario *scenario = env->scenario;
    struct workload_set *set =
        calloc(1, sizeof(*set) + scenario->workload_count * sizeof(set->wls[0]));
    bool whole;

    if (!set)
        return NULL;
    set->env = *env;
    set->resumes = scenario_cuts_host(scenario, env->host);
    set->buffer_bytes = buffer_bytes(scenario);
    set->out_buffer = malloc(set->buffer_bytes);
    set->in_buffer = malloc(set->buffer_bytes);
    set->by_slot = calloc(env->max_sockets, sizeof(struct conn *));
    whole = set->out_buffer && set->in_buffer && set->by_slot;
    for (uint32_t i = 0; i < scenario->workload_count && whole; i++)
        whole = scenario->workloads[i].host != env->host || wl_init(set, i);
    if (whole)
        return set;
    workload_destroy(set);
    return NULL;
}

void workload_destroy(struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        struct wl *wl = &set->wls[i];
        workload_times_destroy(&wl->own);
        if (wl->digesting)
            payload_digest_fini(&wl->digest);
        workload_serve_free(wl);
        workload_forward_free(wl);
        free(wl->conns);
    }
    free(set->by_slot);
    free(set->out_buffer);
    free(set->in_buffer);
    free(set);
}

void workload_prng(struct prng *prng, const struct wl *wl, uint64_t stream)
{
    const struct workload_env *env = &wl->set->env;
    char entity[2 * SCENARIO_NAME_BYTES + 8]; /* a guest of several has a number behind its name */

    snprintf(entity, sizeof(entity), "%s/%s", env->name, wl->spec->name);
    prng_init(prng, env->scenario->seed, entity, stream);
}

struct step_out *workload_call(struct workload_set *set)
{
    struct step_out *out = exec_call(set->env.exec, set->now_ns);

    set->now_ns = out->now_ns;
    return out;
}

static int64_t called(struct workload_set *set, const struct exec_call *call)
{
    exec_call_was(set->env.exec, call);
    exec_call_end(set->env.exec, set->env.device);
    return call->ret;
}

int64_t workload_called(struct workload_set *set, enum call_kind kind, uint64_t sock, int64_t ret)
{
    return called(set, &(struct exec_call){(uint8_t)kind, sock, 0, ret});
}

uint64_t workload_carried(const struct wl *wl)
{
    uint64_t bytes = wl->sent + wl->received;

    for (uint32_t i = 0; wl->conns && i < wl->spec->sockets; i++) {
        const struct conn *conn = &wl->conns[i];
        int64_t unsent = conn->state == CONN_OPEN ? fe_unsent(wl->set->env.fe, conn->sock) : 0;
        bytes -= unsent > 0 && (uint64_t)unsent <= conn->sent ? (uint64_t)unsent : 0;
    }
    return bytes;
}

void workload_finish(struct wl *wl)
{
    if (wl->finished)
        return;
    wl->finished = true;
    wl->end_ns = wl->set->now_ns;
    wl->end_carried = workload_carried(wl);
    wl->end_operations = wl->operations;
    wl->backlog = workload_arrivals_drop(wl);
}

void workload_fail(struct wl *wl, const char *what, int32_t ret)
{
    const char *where = wl->peer ? wl->peer->addr.text : wl->spec->listen.text;
    const struct workload_env *env = &wl->set->env;
    char room[GUEST_ROOM_WORDS] = "";

    wl->errors++;
    if (wl->first_error != 0)
        return;
    wl->first_error = ret;
    if (ret == -ERR_NOSPC)
        guest_room_words(room, env->scenario, env->host, exec_hv_counters(env->exec));
    snprintf(wl->first_error_text, sizeof(wl->first_error_text), "%s %s: %s%s%s%s", what, where,
             err_name(ret), room[0] ? " (" : "", room, room[0] ? ")" : "");
}

bool workload_is_down(const struct wl *wl)
{
    return wl->set->resumes && !fe_is_up(wl->set->env.fe);
}

/* A socket of a client or of a server went with the device, once; what the backend had not taken of
 * its bytes was not sent. */
void workload_lose(struct conn *conn)
{
    struct wl *wl = conn->wl;
    int64_t unsent = conn->state == CONN_OPEN ? fe_unsent(wl->set->env.fe, conn->sock) : 0;

    if (conn->lost)
        return;
    conn->lost = true;
    wl->lost++;
    wl->sent -= unsent > 0 && (uint64_t)unsent <= conn->sent ? (uint64_t)unsent : 0;
    if (wl->digesting) { /* what comes again counts alone */
        payload_digest_fini(&wl->digest);
        wl->digesting = payload_digest_init(&wl->digest) == 0;
    }
}

int64_t workload_send(struct conn *conn, const void *from, uint32_t bytes)
{
    struct workload_set *set = conn->wl->set;
    int64_t ret =
        fe_send(set->env.fe, &(struct fe_send){conn->sock, from, bytes}, workload_call(set));

    return called(set, &(struct exec_call){TRACE_CALL_SEND, conn->sock, bytes, ret});
}

int64_t workload_recv(struct conn *conn, void *to, uint32_t bytes)
{
    struct workload_set *set = conn->wl->set;
    int64_t ret =
        fe_recv(set->env.fe, &(struct fe_recv){conn->sock, to, bytes}, workload_call(set));

    return called(set, &(struct exec_call){TRACE_CALL_RECV, conn->sock, bytes, ret});
}

void workload_adopt(struct conn *conn, uint64_t sock)
{
    struct workload_set *set = conn->wl->set;

    conn->sock = sock;
    set->by_slot[step_slot(sock)] = conn;
    set->live++;
}

void workload_release(struct conn *conn)
{
    struct workload_set *set = conn->wl->set;

    if (conn->state == CONN_RELEASING || conn->state == CONN_IDLE)
        return;
    conn->state = CONN_RELEASING;
    int ret = fe_release(set->env.fe, conn->sock, workload_call(set));
    workload_called(set, CALL_RELEASE, conn->sock, ret);
    assert(ret == 0);
}

void workload_check(struct conn *conn, const void *bytes, uint32_t count)
{
    ptrdiff_t wrong = payload_check(conn->receive_key, conn->received, bytes, count);

    if (wrong < 0)
        return;
    uint64_t offset = conn->received + (uint64_t)wrong;
    conn->wl->mismatches++;
    if (conn->wl->first_error == 0)
        snprintf(conn->wl->first_error_text, sizeof(conn->wl->first_error_text),
                 "wrong byte at offset %" PRIu64 " of socket %u, repeat %u", offset, conn->number,
                 conn->round);
    conn->wl->first_error = -ERR_IO;
}

static void tell(struct workload_set *set, enum workload_phase phase, bool listening)
{
    set->phase = phase;
    set->env.phase(set->env.self, phase, listening);
}

/* What others do through it goes on no more, whatever of it there still is. */
static void end(struct workload_set *set)
{
    workload_forward_abandon(set);
    tell(set, WORKLOAD_DONE, false);
}

static void start(struct workload_set *set)
{
    set->start_ns = set->now_ns;
    tell(set, WORKLOAD_WARMUP, false);
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].spec->start_ns == 0)
            workload_begin(&set->wls[i]);
}

/* The device is lost: every socket has failed. What did not hear of it, since it waited for
 * nothing, does now. */
static void device_down(struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        set->wls[i].kind->gone(&set->wls[i]);
}

void workload_refused(struct workload_set *set)
{
    set->resumes = false;
}

static void resume(struct workload_set *set)
{
    set->resumed++;
    for (uint32_t i = 0; i < set->count; i++)
        if (!workload_stopping(&set->wls[i]))
            set->wls[i].kind->resume(&set->wls[i]);
}

/* The device is lost: every socket has failed, and nothing comes back. */
static void device_gone(struct workload_set *set)
{
    bool early = set->phase != WORKLOAD_DONE;

    set->gone = true;
    for (uint32_t i = 0; i < set->count && early; i++) {
        workload_fail(&set->wls[i], "the device went away, and with it", -ERR_CONNRESET);
        workload_finish(&set->wls[i]);
    }
}

static void hand_on(struct workload_set *set, const struct act_done *done)
{
    struct conn *conn = set->by_slot[step_slot(done->sock)];

    if (done->call == CALL_RELEASE)
        set->live--;
    if (conn && conn->sock == done->sock && conn->wl->conns) {
        /* a connect that failed while it was being released ends with the release */
        bool failed = done->call == CALL_CONNECT && done->ret < 0;
        bool dead = failed && conn->state == CONN_CONNECTING;
        if (dead || done->call == CALL_RELEASE)
            set->by_slot[step_slot(done->sock)] = NULL;
        set->live -= dead ? 1u : 0u;
        if (!dead && failed)
            return;
        conn->wl->kind->done(conn, done);
        return;
    }
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].spec->kind == SCENARIO_SERVE)
            workload_serve_done(&set->wls[i], done);
}

static void done(struct workload_set *set, const struct act_done *done)
{
    uint32_t live = set->live;

    hand_on(set, done);
    if (set->live < live)
        workload_serve_room(set);
}

void workload_upcall(struct workload_set *set, const struct act *act)
{
    if (set->phase == WORKLOAD_DONE)
        return;         /* the end of what an interrupted run left open is no failure of it */
    workload_call(set); /* an empty call: it asks for the turn's time */
    exec_call_end(set->env.exec, set->env.device);
    if (workload_forward_upcall(set, act))
        return;
    if (act->kind == ACT_UP && set->phase == WORKLOAD_IDLE) {
        if (set->env.waits)
            tell(set, WORKLOAD_IDLE, false);
        else
            start(set);
    } else if (act->kind == ACT_UP) {
        resume(set);
    } else if (act->kind == ACT_GONE && set->resumes) {
        device_down(set);
    } else if (act->kind == ACT_GONE) {
        device_gone(set);
    } else if (act->kind == ACT_DONE) {
        done(set, &act->done);
    } else if (act->kind == ACT_READABLE || act->kind == ACT_WRITABLE) {
        struct conn *conn = set->by_slot[step_slot(act->done.sock)];
        if (conn && conn->sock == act->done.sock && conn->state == CONN_OPEN &&
            conn->wl->kind->ready)
            conn->wl->kind->ready(conn);
    }
}

static void measure(struct workload_set *set)
{
    set->measure_ns = set->now_ns;
    for (uint32_t i = 0; i < set->count; i++) {
        set->wls[i].base_ns = set->now_ns;
        set->wls[i].base_carried = workload_carried(&set->wls[i]);
        set->wls[i].base_operations = set->wls[i].operations;
    }
    tell(set, WORKLOAD_MEASURE, false);
}

static void drain(struct workload_set *set)
{
    set->drain_ns = set->now_ns;
    tell(set, WORKLOAD_DRAIN, false);
    for (uint32_t i = 0; i < set->count; i++)
        workload_finish(&set->wls[i]);
    for (uint32_t i = 0; i < set->count; i++)
        set->wls[i].kind->drain(&set->wls[i]);
}

/* Who was accepted may go on for ever: it is not waited for. */
static void cut(struct workload_set *set)
{
    if (set->cut || set->now_ns < set->drain_ns + WORKLOAD_SERVE_GRACE_NS)
        return;
    set->cut = true;
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].spec->kind == SCENARIO_SERVE)
            workload_serve_cut(&set->wls[i]);
        else if (set->wls[i].spec->kind == SCENARIO_FORWARD)
            workload_forward_cut(&set->wls[i]);
}

/* Whether a connection that was accepted, or is forwarded, is still there. */
static bool serves(const struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].served_conns)
            return true;
    return workload_forwards(set);
}

static bool all_listen(const struct workload_set *set)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->wls[i].spec->listen.text[0] && !set->wls[i].listening)
            return false;
    return true;
}

/* Everything bounded is through; `*unbounded`: something goes on until the duration is over. */
static bool bounded_through(const struct workload_set *set, bool *unbounded)
{
    *unbounded = false;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct wl *wl = &set->wls[i];
        *unbounded |= !wl->finished && workload_unbounded(wl->spec);
        if (!wl->finished && !workload_unbounded(wl->spec))
            return false;
    }
    return true;
}

static bool measured_enough(const struct workload_set *set)
{
    bool unbounded;
    bool through = bounded_through(set, &unbounded);
    bool over = set->now_ns >= workload_over_ns(set);

    return set->interrupted || (through && (!unbounded || over));
}

static bool warmed_up(const struct workload_set *set)
{
    bool unbounded;

    return set->interrupted || set->env.until_ns != 0 ||
           set->now_ns >= set->start_ns + set->env.scenario->warmup_ns ||
           (bounded_through(set, &unbounded) && !unbounded);
}

/* Arrivals first: what is due when the duration is over, and finds an idle socket, is begun. */
static uint64_t begin_arrivals(struct workload_set *set)
{
    uint64_t due_ns = STEP_NEVER;

    for (uint32_t i = 0; i < set->count; i++) {
        uint64_t next_ns = workload_arrivals_begin(&set->wls[i]);
        due_ns = next_ns < due_ns ? next_ns : due_ns;
    }
    return due_ns;
}

/* For its device, but not for ever: nothing would be owed without it. */
static bool waits_until(const struct workload_set *set)
{
    bool unbounded;

    return set->phase == WORKLOAD_IDLE && set->env.until_ns != 0 &&
           bounded_through(set, &unbounded);
}

static uint64_t phase_ends_ns(const struct workload_set *set)
{
    bool ends = set->phase == WORKLOAD_MEASURE || waits_until(set);

    if (set->phase == WORKLOAD_WARMUP)
        return set->start_ns + set->env.scenario->warmup_ns;
    if (set->phase == WORKLOAD_DRAIN && !set->cut && serves(set))
        return set->drain_ns + WORKLOAD_SERVE_GRACE_NS;
    return ends && set->now_ns < workload_over_ns(set) ? workload_over_ns(set) : STEP_NEVER;
}

uint64_t workload_time(struct workload_set *set, uint64_t now_ns)
{
    uint64_t turn_ns;

    set->now_ns = now_ns;
    uint64_t arrival_ns = begin_arrivals(set);
    uint64_t forward_ns =
        set->phase < WORKLOAD_DONE && !set->gone ? workload_forward_turned(set) : STEP_NEVER;
    bool late = waits_until(set) && now_ns >= workload_over_ns(set);
    if (set->phase == WORKLOAD_IDLE && (set->interrupted || set->gone || late))
        end(set);
    else if (set->phase == WORKLOAD_IDLE && set->start_due)
        start(set);
    if (set->phase == WORKLOAD_WARMUP && warmed_up(set))
        measure(set);
    if (set->phase >= WORKLOAD_WARMUP && !set->told_listening && all_listen(set)) {
        set->told_listening = true;
        tell(set, set->phase, true);
    }
    if (workload_phases(set, &turn_ns))
        arrival_ns = begin_arrivals(set);
    if (set->phase == WORKLOAD_MEASURE && measured_enough(set))
        drain(set);
    if (set->phase == WORKLOAD_DRAIN)
        cut(set);
    bool over = set->live == 0 && !workload_forwards(set);
    if (set->phase == WORKLOAD_DRAIN && (over || set->gone || set->interrupted))
        end(set);
    if (turn_ns < arrival_ns)
        arrival_ns = turn_ns;
    uint64_t end_ns = phase_ends_ns(set);
    if (set->phase < WORKLOAD_DONE && forward_ns < end_ns)
        end_ns = forward_ns;
    return set->phase < WORKLOAD_DRAIN && arrival_ns < end_ns ? arrival_ns : end_ns;
}

void workload_start(struct workload_set *set)
{
    set->start_due = true;
}

void workload_interrupt(struct workload_set *set)
{
    set->interrupted = true;
}

enum workload_phase workload_phase(const struct workload_set *set)
{
    return set->phase;
}
