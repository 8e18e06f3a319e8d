/*
 * The world of a swarm and its course. See swarm.h.
 *
 * What is expected after the disturbances is progress: 300 virtual seconds without any (more than
 * every retransmission of the modelled network) mean that somebody waits for what was lost.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/run/swarm_private.h"

#define PATIENCE_NS UINT64_C(300000000000)

enum { EVENTS_MAX = 5000000, PAGES = 1 << 13, GRANTS_MAX = 8192 };

struct swarm_sides swarm_sides(const struct scenario *scenario)
{
    const struct scenario_host *front = &scenario->hosts[scenario->frontend];

    if (scenario->host_count == 0)
        return (struct swarm_sides){.protocol = &scenario->protocol};
    return (struct swarm_sides){&front->protocol, front->side,
                                scenario->hosts[front->backend].side};
}

/* Whether the handshake may fail: one side is early, or a backend keeps to itself what has to be
 * known in this dialect. */
static bool may_refuse(const struct swarm_sides *sides)
{
    uint32_t costs = quirk_costs(sides->front.quirks | sides->back.quirks);
    bool silent = (sides->back.quirks & quirk_bit(QUIRK_OFFERS_NOTHING)) != 0;

    return (costs & QUIRK_RACES) ||
           (silent && dialect_find(sides->protocol->dialect)->order_silent == 0);
}

/* Whether a rule may be broken by the quirks that the sides have: bytes that are lost are no more
 * than that, after others the run is over. */
static bool is_excused(struct swarm *swarm, const char *what)
{
    static const char *const of_bytes[] = {"ended too early", "lost by a release", "bytes lost"};
    static const char *const kept[] = {"index out of bounds", "wrong byte", "byte from nowhere"};
    uint32_t costs = quirk_costs(swarm->sides.front.quirks | swarm->sides.back.quirks);
    bool lost = false, ever = (costs & QUIRK_MIXES) != 0;

    for (uint32_t i = 0; i < 3; i++) {
        lost |= strcmp(what, of_bytes[i]) == 0;
        ever &= strcmp(what, kept[i]) != 0;
    }
    bool waits = (costs & QUIRK_STALLS) && strcmp(what, "lost wake-up") == 0;
    bool early = may_refuse(&swarm->sides) && strcmp(what, "fault") == 0 && swarm->progress == 0;
    bool excused = waits || ever || early || (lost && (costs & QUIRK_LOSES));

    swarm->outcome->excused |= excused;
    swarm->excused |= waits || early || (ever && !lost);
    return excused;
}

void swarm_fail(struct swarm *swarm, const char *what, const char *format, ...)
{
    struct swarm_outcome *outcome = swarm->outcome;
    va_list args;

    if (outcome->failed || swarm->excused || is_excused(swarm, what))
        return; /* the first is the cause */
    outcome->failed = true;
    snprintf(outcome->what, sizeof(outcome->what), "%s", what);
    va_start(args, format);
    vsnprintf(outcome->text, sizeof(outcome->text), format, args);
    va_end(args);
}

bool swarm_is_quiet(const struct swarm *swarm)
{
    return vclock_now_ns(swarm->clock) >= swarm->plan->rest_ns;
}

bool swarm_kept(const struct swarm *swarm, uint32_t op)
{
    return !swarm->config.keep || swarm->config.keep[op];
}

/* ---- disturbances ---- */

static void set_link(struct swarm *swarm, const struct net_link *link)
{
    net_virtual_set_link(domain_virtual_net(swarm->backend), swarm->peer_net, link);
}

/* The network as the plan has it, with its losses only before the quiet. */
static struct net_link usual_link(const struct swarm *swarm)
{
    const struct swarm_plan *plan = swarm->plan;

    return (struct net_link){.delay_ns = plan->delay_ns,
                             .jitter_ns = plan->delay_ns / 4,
                             .rate_bytes_per_s = plan->rate_bytes_per_s,
                             .loss_ppm = swarm_is_quiet(swarm) ? 0 : plan->loss_ppm,
                             .retransmit_ns = 1000000,
                             .segment_bytes = plan->segment_bytes,
                             .send_buffer_bytes = plan->buffer_bytes,
                             .receive_buffer_bytes = plan->buffer_bytes};
}

static void on_link_over(void *self, uint64_t arg)
{
    struct swarm *swarm = self;
    struct net_link link = usual_link(swarm);

    (void)arg;
    set_link(swarm, &link);
}

static struct vcpu *vcpu_of(struct swarm *swarm, uint32_t domid)
{
    uint32_t guest = domid - 1;

    return domain_virtual_vcpu(
        domid == 0 || guest >= swarm->plan->guests ? swarm->backend : swarm->guests[guest].domain);
}

static void on_delay_over(void *self, uint64_t domid)
{
    struct swarm *swarm = self;

    hv_virtual_delay(swarm->machine, (uint16_t)domid, 0);
}

static void on_disturbance(void *self, uint64_t index)
{
    struct swarm *swarm = self;
    const struct swarm_op *op = &swarm->plan->ops[index];
    uint64_t now_ns = vclock_now_ns(swarm->clock);
    uint32_t domid = op->conn <= swarm->plan->guests ? op->conn : 0;

    trace_put(trace_log_sink(swarm->log), &(struct trace_record){.now_ns = now_ns,
                                                                 .who = (uint16_t)domid,
                                                                 .point = TRACE_FAULT,
                                                                 .detail = (uint8_t)op->kind,
                                                                 .value = op->amount});
    if (op->kind == SWARM_LINK) {
        struct net_link bad = usual_link(swarm);
        bad.delay_ns = 2 * bad.delay_ns + op->amount / 4;
        bad.loss_ppm = 300000;
        bad.jitter_ns = bad.delay_ns;
        set_link(swarm, &bad);
        vclock_at(swarm->clock, now_ns + op->amount,
                  &(struct vclock_event){on_link_over, swarm, 0});
    } else if (op->kind == SWARM_STALL) {
        vcpu_stall(vcpu_of(swarm, domid), now_ns + op->amount);
    } else {
        hv_virtual_delay(swarm->machine, (uint16_t)domid, op->amount);
        vclock_at(swarm->clock, now_ns + op->amount,
                  &(struct vclock_event){on_delay_over, swarm, domid});
    }
}

static void on_quiet(void *self, uint64_t arg)
{
    struct swarm *swarm = self;
    struct net_link link = usual_link(swarm);

    (void)arg;
    set_link(swarm, &link);
    for (uint32_t i = 0; i < swarm->plan->guests; i++)
        domain_virtual_kick(swarm->guests[i].domain);
    swarm_peer_wake(swarm);
}

static void schedule_disturbances(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->plan->op_count; i++)
        if (swarm->plan->ops[i].kind >= SWARM_LINK && swarm_kept(swarm, i))
            vclock_at(swarm->clock, swarm->plan->ops[i].at_ns,
                      &(struct vclock_event){on_disturbance, swarm, i});
    vclock_at(swarm->clock, swarm->plan->rest_ns, &(struct vclock_event){on_quiet, swarm, 0});
}

/* ---- interleaving ---- */

/* Which of `bound` things happens at this interleaving. */
static uint64_t choose(struct swarm *swarm, uint32_t bound)
{
    const struct swarm_config *config = &swarm->config;

    if (!config->choices)
        return prng_below(&swarm->hook_prng, bound);
    return swarm->choices_taken < config->choice_count
               ? config->choices[swarm->choices_taken++] % bound
               : 0;
}

/* Whether it is this access. A choice below 192 is a number of accesses, others are many. */
static bool is_chosen(struct swarm *swarm)
{
    const struct swarm_config *config = &swarm->config;

    if (!config->choices)
        return swarm->plan->every > 0 && prng_below(&swarm->hook_prng, swarm->plan->every) == 0;
    if (swarm->accesses_left > 0) {
        swarm->accesses_left--;
        return false;
    }
    if (swarm->choices_taken == config->choice_count)
        return false;
    uint32_t choice = config->choices[swarm->choices_taken++];
    swarm->accesses_left = choice < 192 ? choice : 192 + 64 * (choice - 192);
    return true;
}

/* One access in so many, the other side takes turns first: the backend in a guest's, a guest in the
 * backend's. A guest does then what it would do next, if it has nothing else. */
static void intrude(void *self)
{
    struct swarm *swarm = self;

    if (swarm->intruding || swarm->checking || swarm_is_quiet(swarm) || !is_chosen(swarm))
        return;
    struct swarm_guest *guest = &swarm->guests[choose(swarm, swarm->plan->guests)];
    swarm->intruding = true;
    for (uint64_t turns = 1 + choose(swarm, 3); turns > 0; turns--) {
        guest->hurry = choose(swarm, 2) == 0;
        if (vcpu_intrude(domain_virtual_vcpu(swarm->backend)) ||
            vcpu_intrude(domain_virtual_vcpu(guest->domain)))
            swarm->outcome->intrusions++;
        guest->hurry = false;
        swarm_check_rings(swarm);
    }
    swarm->intruding = false;
}

/* ---- the world ---- */

static void draw_costs(struct swarm *swarm)
{
    swarm->costs = *swarm->config.costs;
    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++) {
        bool socket = row >= COST_SOCKET_OPEN && row <= COST_SOCKET_WAKE;
        /* the handshake is over soon: the plan is about what comes then */
        bool store = row == COST_STORE_REQUEST;
        if (store || swarm->plan->costs == 1 || (swarm->plan->costs == 2 && socket))
            swarm->costs.rows[row] = (struct cost){.shape = COST_CONSTANT};
    }
}

static uint64_t back_turned(void *self, uint64_t now_ns)
{
    struct swarm *swarm = self;

    (void)now_ns;
    run_back_turned(swarm->back);
    return STEP_NEVER;
}

static void report(void *self, const struct dialect *dialect, uint16_t front,
                   const struct act_fault *fault)
{
    (void)dialect;
    swarm_fail(self, "fault", "the backend calls guest %u broken: %s (ours %u, claimed %u)",
               front - 1u, step_fault_name(fault->reason), fault->index, fault->value);
}

static void open_backend(struct swarm *swarm)
{
    const struct dialect *dialect = dialect_find(swarm->sides.protocol->dialect);

    swarm->backend =
        domain_virtual_open(&(struct domain_virtual_config){.clock = swarm->clock,
                                                            .vcpus = swarm->vcpus,
                                                            .machine = swarm->machine,
                                                            .world = swarm->world,
                                                            .trace = &swarm->sink,
                                                            .name = "backend",
                                                            .domid = 0,
                                                            .cpu = -1,
                                                            .max_devices = SWARM_GUESTS + 1,
                                                            .self = swarm,
                                                            .turned = back_turned});
    swarm->back =
        run_back_create(&(struct run_back_config){.exec = domain_virtual_exec(swarm->backend),
                                                  .domid = 0,
                                                  .dialects = 1u << dialect_place(dialect),
                                                  .order_max = swarm->sides.back.order,
                                                  .quirks = swarm->sides.back.quirks,
                                                  .policy = &swarm->policy,
                                                  .max_sockets = swarm->plan->sockets,
                                                  .max_devices = SWARM_GUESTS,
                                                  .self = swarm,
                                                  .report = report});
    assert(swarm->back);
    domain_virtual_kick(swarm->backend);
}

static void init_conns(struct swarm *swarm)
{
    for (uint32_t i = 0; i < SWARM_CONNS; i++) {
        struct swarm_conn *conn = &swarm->conns[i];
        conn->number = i;
        conn->guest = swarm->plan->owner[i];
        conn->passive = swarm->plan->passive[i];
        conn->patient = swarm->plan->patient[i];
        conn->key_up = payload_key(swarm->config.seed, 2 * i);
        conn->key_down = payload_key(swarm->config.seed, 2 * i + 1);
    }
}

static void open_world(struct swarm *swarm)
{
    static const struct trace_log_entity entities[] = {
        {0, "backend"}, {1, "guest0"}, {2, "guest1"}, {TRACE_PEER_BASE, "peer"}};

    int ret = trace_log_create(&(struct trace_log_config){.path = swarm->config.trace,
                                                          .scenario = swarm->config.scenario->name,
                                                          .seed = swarm->config.seed,
                                                          .entities = entities,
                                                          .entity_count = 4},
                               &swarm->log);
    assert(ret == 0); /* the caller has seen that the file can be written */
    swarm->sink = (struct trace_sink){swarm_check_record, swarm};
    draw_costs(swarm);
    policy_init(&swarm->policy);
    swarm->clock = vclock_create();
    swarm->vcpus = vcpus_create(&(struct vcpus_config){
        .clock = swarm->clock, .costs = &swarm->costs, .seed = swarm->config.seed});
    struct net_link link = usual_link(swarm);
    swarm->world =
        net_virtual_create(&(struct net_virtual_config){.clock = swarm->clock,
                                                        .seed = swarm->config.seed,
                                                        .link = link,
                                                        .trace = trace_log_sink(swarm->log)});
    swarm->machine =
        hv_virtual_create(&(struct hv_virtual_config){.clock = swarm->clock,
                                                      .costs = &swarm->costs,
                                                      .trace = trace_log_sink(swarm->log),
                                                      .limits = {.grants_max = GRANTS_MAX},
                                                      .pages = PAGES});
    assert(swarm->machine);
    init_conns(swarm);
    prng_init(&swarm->hook_prng, swarm->config.seed, "swarm/hook", 0);
}

/* After all else: what is still open at the end of a seed that failed is closed with records, too.
 */
static void close_trace(struct trace_log *log, struct swarm_outcome *outcome)
{
    outcome->trace_error = trace_log_finish(log);
    trace_log_hash(log, outcome->trace);
    outcome->records = trace_log_count(log);
    trace_log_destroy(log);
}

static void close_world(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->plan->guests; i++) {
        domain_virtual_close(swarm->guests[i].domain);
        front_core_fini(&swarm->guests[i].core);
    }
    domain_virtual_close(swarm->backend);
    run_back_destroy(swarm->back);
    net_destroy(swarm->peer_net);
    hv_virtual_destroy(swarm->machine);
    net_virtual_destroy(swarm->world);
    vcpus_destroy(swarm->vcpus);
    vclock_destroy(swarm->clock);
    close_trace(swarm->log, swarm->outcome);
}

/* ---- its course ---- */

static bool is_over(struct swarm *swarm)
{
    for (uint32_t i = 0; i < swarm->plan->guests; i++)
        if (!swarm_guest_over(&swarm->guests[i]))
            return false;
    return swarm_peer_over(swarm);
}

static void add_waiting(const struct swarm *swarm, char *text, size_t bytes)
{
    static const char *const states[] = {"none", "opening", "open", "closing", "over"};
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < SWARM_CONNS && used + 1 < bytes; i++) {
        const struct swarm_conn *conn = &swarm->conns[i];
        if (conn->front.state == SWARM_NONE && conn->peer.state != SWARM_OPEN)
            continue;
        int length =
            snprintf(text + used, bytes - used,
                     "; connection %u: guest %s, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64
                     "; peer %s, sent %" PRIu64 " of %" PRIu64 ", received %" PRIu64,
                     i, states[conn->front.state], conn->front.sent, conn->front.to_send,
                     conn->front.received, states[conn->peer.state], conn->peer.sent,
                     conn->peer.to_send, conn->peer.received);
        used += length > 0 ? (size_t)length : 0;
    }
}

static void stalled(struct swarm *swarm, const char *why)
{
    char text[SWARM_TEXT_BYTES - 256];
    const struct swarm_guest *guest = &swarm->guests[0];
    struct fe_look front;

    swarm->checking = true;
    fe_look(guest->core.fe, &front);
    swarm->checking = false;
    add_waiting(swarm, text, sizeof(text));
    swarm_fail(swarm, "lost wake-up",
               "%s; guest 0: req_prod %u rsp_cons %u rsp_prod %u rsp_event %u, %u unanswered%s",
               why, front.req_prod, front.rsp_cons, front.rsp_prod, front.rsp_event,
               front.outstanding, text);
}

static void go(struct swarm *swarm)
{
    uint64_t progress = 0, progress_ns = 0;
    bool stopping = false;

    for (uint32_t events = 0; !swarm->outcome->failed && !swarm->excused; events++) {
        if (is_over(swarm)) {
            if (!stopping) {
                run_back_stop(swarm->back);
                domain_virtual_kick(swarm->backend);
            }
            stopping = true;
            if (run_back_idle(swarm->back))
                break;
        }
        if (swarm->progress != progress)
            progress_ns = vclock_now_ns(swarm->clock);
        progress = swarm->progress;
        if (events >= EVENTS_MAX)
            stalled(swarm, "it does not come to rest");
        else if (vclock_now_ns(swarm->clock) > progress_ns + PATIENCE_NS)
            stalled(swarm, "nothing has moved for 300 virtual seconds");
        else if (!vclock_step(swarm->clock))
            stalled(swarm, "nothing can happen any more");
    }
}

void swarm_run(const struct swarm_config *config, struct swarm_outcome *outcome)
{
    struct swarm *swarm = calloc(1, sizeof(*swarm));

    assert(swarm);
    *outcome = (struct swarm_outcome){.failed = false};
    swarm->config = *config;
    swarm->plan = config->plan;
    swarm->outcome = outcome;
    swarm->sides = swarm_sides(config->scenario);
    /* the clock is needed to know whether it is quiet */
    open_world(swarm);
    open_backend(swarm);
    swarm_peer_open(swarm);
    for (uint32_t i = 0; i < swarm->plan->guests; i++) {
        swarm->guests[i].number = i;
        swarm_guest_open(swarm, &swarm->guests[i]);
    }
    schedule_disturbances(swarm);
    swarm_hook_set(intrude, swarm);
    go(swarm);
    swarm_hook_set(NULL, NULL);
    if (!outcome->failed && !swarm->excused)
        swarm_check_over(swarm);
    outcome->events = vclock_fired(swarm->clock);
    outcome->virtual_ns = vclock_now_ns(swarm->clock);
    for (uint32_t i = 0; i < SWARM_CONNS; i++)
        outcome->bytes += swarm->conns[i].front.received + swarm->conns[i].peer.received;
    close_world(swarm);
    free(swarm);
}
