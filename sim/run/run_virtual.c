/* A run in virtual time. See run_virtual.h. */
#include "sim/run/run_virtual.h"

#include <stdio.h>
#include <stdlib.h>

#include "ringlib/err.h"
#include "sim/run/fault_words.h"
#include "sim/run/guest_room.h"
#include "sim/run/peer_fault.h"
#include "sim/run/run_virtual_private.h"

enum {
    PAGES_LEAST = 1024, /* of the machine */
    LOOK_EVERY = 1024,  /* events, for progress, */
    LOOK_GUEST = 64,    /* or so many a guest: a look is at each of them */
};

/* tidy: two sides and what is said of one by the other */
static void report_error(struct run_virtual *run, const char *of, const struct scenario_domain *by,
                         const struct dialect *dialect, const struct act_fault *fault)
{
    char message[2 * SCENARIO_DOMAIN_NAME_BYTES + PEER_FAULT_BYTES + 16];
    char after[SCENARIO_DOMAIN_NAME_BYTES + 64], text[PEER_FAULT_BYTES], own[FAULT_WORDS_BYTES];

    fault_log_last(&run->faults, after, sizeof(after));
    peer_fault_text(text, fault, dialect);
    snprintf(message, sizeof(message), "%s: fault of %s: %s", by->name, of, text);
    if (!fault_words(own, fault, by->domid, of))
        peer_fault_note(run->errors, PEER_FAULT_CODE, message, after);
    else
        peer_fault_note(run->errors, FAULT_WORDS_CODE, own, after);
}

static void report_guest(void *self, const struct dialect *dialect, uint16_t front,
                         const struct act_fault *fault)
{
    const struct backend *backend = self;
    const struct run_virtual *run = backend->run;
    bool any = front == backend->is.domid;

    report_error(backend->run, any ? "any guest" : run->guests[front - run->backend_count].is.name,
                 &backend->is, dialect, fault);
}

static void report_backend(void *self, const struct act_fault *fault)
{
    const struct guest *guest = self;

    report_error(guest->run, guest->backend->is.name, &guest->is,
                 scenario_dialect(&guest->run->scenario, guest->is.host), fault);
}

/* ---- phases ---- */

static void all_listen(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->scenario.peer_count; i++)
        if (run->scenario.peers[i].kind == SCENARIO_PEER_CLIENT)
            peer_virtual_begin(run->peers[i]);
}

void run_virtual_listens(struct guest *guest)
{
    if (guest->listening)
        return;
    guest->listening = true;
    if (++guest->run->listening == guest->run->guest_count)
        all_listen(guest->run);
}

static void look_from(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->backend_count; i++)
        run_virtual_look_back(&run->backends[i], &run->backends[i].from);
}

static void look_to(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->backend_count; i++)
        run_virtual_look_back(&run->backends[i], &run->backends[i].to);
}

void run_virtual_ended(struct guest *guest)
{
    if (guest->ended)
        return;
    guest->ended = true;
    guest->ended_ns = vclock_now_ns(guest->run->clock);
    if (++guest->run->ended == guest->run->guest_count)
        look_to(guest->run);
}

/* Backends are measured from the first guest's beginning to the last one's end. */
static void phase(void *self, enum workload_phase to, bool listening)
{
    struct guest *guest = self;
    struct run_virtual *run = guest->run;

    if (listening) {
        run_virtual_listens(guest);
        return;
    }
    guest->phase = to;
    trace_put(run->config.trace, &(struct trace_record){.now_ns = vclock_now_ns(run->clock),
                                                        .who = guest->is.domid,
                                                        .point = TRACE_PHASE,
                                                        .detail = (uint8_t)to});
    bool from_start = guest->until_ns != 0 || run->scenario.warmup_ns == 0; /* then flows do */
    if (to == WORKLOAD_MEASURE) {
        if (!from_start)
            run_virtual_look_front(guest, &guest->from);
        guest->life_ns = vclock_now_ns(run->clock);
        if (guest->measure_ns == 0)
            guest->measure_ns = guest->life_ns;
        if (run->measuring++ > 0)
            return;
        run_virtual_plan(run);
        if (!from_start)
            look_from(run);
    } else if (to == WORKLOAD_DRAIN) {
        run_virtual_look_front(guest, &guest->to);
        run_virtual_ended(guest);
    } else if (to == WORKLOAD_DONE) {
        run_virtual_ended(guest); /* its device did not come up */
    }
}

static void stop_backends(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->backend_count; i++) {
        if (!run->backends[i].domain)
            continue;
        run_back_stop(run->backends[i].back);
        domain_virtual_kick(run->backends[i].domain);
    }
}

void run_virtual_through(struct guest *guest)
{
    if (guest->through)
        return;
    guest->through = true;
    if (++guest->run->through == guest->run->guest_count)
        stop_backends(guest->run);
}

static uint64_t guest_turned(void *self, uint64_t now_ns)
{
    struct guest *guest = self;
    uint64_t due_ns = run_front_turned(guest->front, now_ns);

    if (guest->through || !run_front_through(guest->front))
        return due_ns;
    run_virtual_through(guest);
    return STEP_NEVER;
}

static uint64_t backend_turned(void *self, uint64_t now_ns)
{
    const struct backend *backend = self;

    (void)now_ns;
    run_back_turned(backend->back);
    return STEP_NEVER;
}

/* ---- building it ---- */

/* Pages and ports that all guests together can ask for. */
static void machine_needs(const struct run_virtual *run, uint64_t *pages, uint64_t *ports)
{
    const struct scenario *scenario = &run->scenario;

    *pages = PAGES_LEAST;
    *ports = 1;
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        uint64_t slots = workload_slots(scenario, i);
        if (scenario->hosts[i].role != SCENARIO_FRONTEND)
            continue;
        *ports += scenario->hosts[i].count * (slots + 1);
        /* twice, since a run of pages wants them in one piece */
        uint32_t order = scenario->hosts[i].protocol.order;
        uint64_t ring_pages = (UINT64_C(1) << order) + scenario_dialect(scenario, i)->index.pages;
        *pages += 2 * scenario->hosts[i].count * (slots * ring_pages + 1);
    }
}

static uint64_t virtual_ns(void *clock)
{
    return vclock_now_ns(clock);
}

static bool open_machine(struct run_virtual *run)
{
    uint64_t pages, ports;

    run->clock = vclock_create();
    if (run->config.capture)
        capture_clock(run->config.capture, run->clock, virtual_ns);
    run->vcpus = vcpus_create(
        &(struct vcpus_config){.clock = run->clock,
                               .costs = run->config.costs,
                               .seed = run->scenario.seed,
                               .preempt = run->scenario.scheduling == SCENARIO_PREEMPT_ON_WAKE});
    run->world = net_virtual_create(&(struct net_virtual_config){.clock = run->clock,
                                                                 .seed = run->scenario.seed,
                                                                 .link = scenario_link_preset(),
                                                                 .trace = run->config.trace});
    machine_needs(run, &pages, &ports);
    run->machine = hv_virtual_create(&(struct hv_virtual_config){
        .clock = run->clock,
        .costs = run->config.costs,
        .trace = run->config.trace,
        /* the FIFO ABI's, where the 2-level ABI's are too few */
        .limits = {.ports_max =
                       ports < HYPERVISOR_PORTS ? HYPERVISOR_PORTS : HYPERVISOR_PORTS_FIFO},
        .pages = (uint32_t)(pages < UINT32_MAX ? pages : UINT32_MAX)});
    return run->machine != NULL;
}

/* The most slots that a guest may need. */
static uint32_t most_slots(const struct scenario *scenario)
{
    uint32_t most = 0;

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        uint32_t slots = workload_slots(scenario, i);
        most = slots > most ? slots : most;
    }
    return most;
}

void run_virtual_open_backend(struct backend *backend)
{
    struct run_virtual *run = backend->run;
    const struct scenario *scenario = &run->scenario;
    uint32_t dialects = scenario_dialects(scenario, backend->is.host);
    const struct quirk_side *side = &scenario->hosts[backend->is.host].side;

    backend->domain = domain_virtual_open(
        &(struct domain_virtual_config){.clock = run->clock,
                                        .vcpus = run->vcpus,
                                        .machine = run->machine,
                                        .world = run->world,
                                        .host = backend->kernel,
                                        .trace = run->config.trace,
                                        .name = backend->is.name,
                                        .domid = backend->is.domid,
                                        .cpu = scenario->hosts[backend->is.host].cpu,
                                        .max_devices = backend->guests + DIALECTS_MAX,
                                        .notify = run->config.notify,
                                        .self = backend,
                                        .turned = backend_turned});
    backend->kernel = NULL;
    backend->back =
        run_back_create(&(struct run_back_config){.exec = domain_virtual_exec(backend->domain),
                                                  .domid = backend->is.domid,
                                                  .dialects = dialects,
                                                  .order_max = side->order,
                                                  .quirks = side->quirks,
                                                  .policy = run->config.policy,
                                                  .max_sockets = most_slots(scenario),
                                                  .max_devices = backend->guests,
                                                  .capture = run->config.capture,
                                                  .self = backend,
                                                  .report = report_guest});
    assert(backend->back);
    domain_virtual_kick(backend->domain);
}

/* tidy: mostly what two structs hold */
void run_virtual_open_guest(struct guest *guest)
{
    struct run_virtual *run = guest->run;
    const struct scenario_host *host = &run->scenario.hosts[guest->is.host];
    const struct dialect *dialect = scenario_dialect(&run->scenario, guest->is.host);

    struct hypervisor_limits limits = guest_room_limits(&run->scenario, guest->is.host);

    hypervisor_domain_limit(hv_virtual_tables(run->machine), guest->is.domid, &limits);
    guest->domain =
        domain_virtual_open(&(struct domain_virtual_config){.clock = run->clock,
                                                            .vcpus = run->vcpus,
                                                            .machine = run->machine,
                                                            .trace = run->config.trace,
                                                            .name = guest->is.name,
                                                            .domid = guest->is.domid,
                                                            .cpu = host->cpu,
                                                            .max_devices = 1,
                                                            .notify = run->config.notify,
                                                            .self = guest,
                                                            .turned = guest_turned});
    int ret = hypervisor_device_add(hv_virtual_tables(run->machine), dialect->device,
                                    guest->is.domid, guest->is.backend, 0);
    assert(ret == 0 || ret == -ERR_EXIST); /* it stays configured when its guest was killed */
    guest->front =
        run_front_create(&(struct run_front_config){.exec = domain_virtual_exec(guest->domain),
                                                    .domid = guest->is.domid,
                                                    .backend = guest->is.backend,
                                                    .scenario = &run->scenario,
                                                    .host = guest->is.host,
                                                    .guest = guest->is.number,
                                                    .name = guest->is.name,
                                                    .times = run->times,
                                                    .until_ns = guest->until_ns,
                                                    .policy = run->config.policy,
                                                    .capture = run->config.capture,
                                                    .self = guest,
                                                    .open_net = run_virtual_open_net,
                                                    .phase = phase,
                                                    .up = run_virtual_up,
                                                    .report = report_backend});
    assert(guest->front);
    domain_virtual_kick(guest->domain);
}

/* All domains, described and counted; nothing is opened. */
static void list_domains(struct run_virtual *run)
{
    struct scenario_domain domain;

    run->backend_count = scenario_backend_count(&run->scenario);
    run->guest_count = scenario_guest_count(&run->scenario);
    run->guests = calloc(run->guest_count, sizeof(run->guests[0]));
    assert(run->guests);
    for (uint32_t i = 0; scenario_domain(&run->scenario, i, &domain); i++) {
        if (domain.role == SCENARIO_BACKEND) {
            run->backends[domain.number] = (struct backend){.run = run, .is = domain};
            continue;
        }
        struct backend *backend = &run->backends[domain.backend];
        run->guests[domain.number] =
            (struct guest){.run = run, .is = domain, .backend = backend, .waits = FAULT_LOG_NONE};
        backend->guests++;
    }
}

struct run_virtual *run_virtual_create(const struct run_virtual_config *config, json_t **error)
{
    struct run_virtual *run = calloc(1, sizeof(*run));
    bool whole;

    assert(run);
    *error = NULL;
    run->config = *config;
    run->scenario = *config->scenario;
    run->errors = json_array();
    assert(run->errors);
    list_domains(run);
    whole = open_machine(run);
    for (uint32_t i = 0; whole && i < run->scenario.peer_count; i++)
        whole = run_virtual_open_peer(run, i, error);
    if (!whole) {
        run_virtual_destroy(run);
        return NULL;
    }
    for (uint32_t i = 0; i < run->backend_count; i++)
        run_virtual_open_backend(&run->backends[i]);
    run_virtual_lay_links(run);
    for (uint32_t i = 0; i < run->guest_count; i++)
        run_virtual_open_guest(&run->guests[i]);
    return run;
}

static void close_domains(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->guest_count; i++) {
        if (run->guests[i].domain)
            domain_virtual_close(run->guests[i].domain);
        if (run->guests[i].front)
            run_front_destroy(run->guests[i].front);
    }
    for (uint32_t i = 0; i < run->backend_count; i++) {
        if (run->backends[i].domain)
            domain_virtual_close(run->backends[i].domain);
        if (run->backends[i].kernel)
            net_destroy(run->backends[i].kernel);
        if (run->backends[i].back)
            run_back_destroy(run->backends[i].back);
    }
}

void run_virtual_destroy(struct run_virtual *run)
{
    close_domains(run);
    for (uint32_t i = 0; i < run->scenario.peer_count; i++)
        if (run->peers[i])
            peer_virtual_stop(run->peers[i]);
    if (run->machine)
        hv_virtual_destroy(run->machine);
    net_virtual_destroy(run->world);
    vcpus_destroy(run->vcpus);
    vclock_destroy(run->clock);
    json_decref(run->errors);
    for (uint32_t i = 0; i < run->scenario.workload_count; i++)
        workload_times_destroy(&run->times[i]);
    run_virtual_faults_free(run);
    free(run->guests);
    free(run);
}

/* ---- letting it go on ---- */

static bool is_through(const struct run_virtual *run)
{
    if (run->through < run->guest_count || !run_virtual_backs_idle(run))
        return false;
    return run_virtual_peers_idle(run);
}

/* Also when each guest was last seen to have made some. */
static uint64_t progress_of(struct run_virtual *run)
{
    struct be_counters back;
    uint64_t progress = run->through + run->ended + run->listening + run->faults.count;

    run_virtual_count_back(run, &back);
    progress += back.requests + back.replies + back.sent_bytes + back.received_bytes;
    for (uint32_t i = 0; i < run->guest_count; i++) {
        struct guest *guest = &run->guests[i];
        uint64_t own = guest->front ? workload_progress(run_front_workloads(guest->front)) : 0;
        if (own != guest->moved)
            guest->moved_ns = vclock_now_ns(run->clock);
        guest->moved = own;
        progress += own;
    }
    for (uint32_t i = 0; i < run->scenario.peer_count; i++)
        if (run->peers[i])
            progress += peer_virtual_counters(run->peers[i])->bytes_in +
                        peer_virtual_counters(run->peers[i])->bytes_out;
    return progress;
}

/* Whether workloads, or the end of the run, wait for something that is not time. */
static bool is_waited_for(const struct run_virtual *run)
{
    char text[128];
    bool busy = run->through == run->guest_count;

    for (uint32_t i = 0; i < run->guest_count && !busy; i++) {
        const struct guest *guest = &run->guests[i];
        if (!guest->front || guest->through)
            continue;
        workload_waits(run_front_workloads(guest->front), text, sizeof(text), NULL);
        /* who comes again when its backend has died for good waits for the end of its time */
        bool waits_for_time = guest->until_ns != 0 && !guest->backend->domain;
        busy = text[0] || (guest->phase == WORKLOAD_IDLE && !waits_for_time) ||
               guest->phase >= WORKLOAD_DRAIN;
    }
    return busy;
}

/* A leap of the clock is looked at before it is made. */
static bool is_time_to_look(const struct run_virtual *run)
{
    return vclock_fired(run->clock) >= run->look_at ||
           vclock_next_ns(run->clock) - vclock_now_ns(run->clock) >= RUN_VIRTUAL_PATIENCE_NS;
}

/* Time counts as lost only between two looks that both found nothing to hope for: what comes after
 * a long silence of the network, or of workloads that wait for their time, is to have its effect
 * first. */
static enum run_virtual_status look(struct run_virtual *run)
{
    uint64_t now_ns = vclock_now_ns(run->clock), progress = progress_of(run);
    /* while the network has something under way it is not over, however long that takes */
    bool waited_for =
        net_virtual_under_way(run->world) == 0 && run->away == 0 && is_waited_for(run);
    bool stuck = progress == run->progress && waited_for;
    uint32_t events = LOOK_GUEST * run->guest_count;

    run->look_at = vclock_fired(run->clock) + (events > LOOK_EVERY ? events : LOOK_EVERY);

    if (now_ns >= run->scenario.timeout_ns)
        return RUN_VIRTUAL_TIMEOUT;
    if (!stuck || !run->stuck)
        run->progress_ns = now_ns;
    run->progress = progress;
    run->stuck = stuck;
    /* what is waited for will not have come when its time is over, either */
    if (waited_for && vclock_next_ns(run->clock) - now_ns >= RUN_VIRTUAL_PATIENCE_NS)
        return RUN_VIRTUAL_STALLED;
    return now_ns - run->progress_ns >= RUN_VIRTUAL_PATIENCE_NS ? RUN_VIRTUAL_STALLED
                                                                : RUN_VIRTUAL_GOING;
}

enum run_virtual_status run_virtual_go(struct run_virtual *run, uint32_t events)
{
    for (uint32_t i = 0; i < events && run->status == RUN_VIRTUAL_GOING; i++) {
        if (is_time_to_look(run))
            run->status = look(run);
        if (is_through(run))
            run->status = RUN_VIRTUAL_DONE;
        else if (run->status == RUN_VIRTUAL_GOING && !vclock_step(run->clock))
            run->status = RUN_VIRTUAL_STALLED;
    }
    return run->status;
}

void run_virtual_interrupt(struct run_virtual *run)
{
    for (uint32_t i = 0; i < run->guest_count && !run->interrupted; i++) {
        if (!run->guests[i].front)
            continue;
        run_front_interrupt(run->guests[i].front);
        domain_virtual_kick(run->guests[i].domain);
    }
    run->interrupted = true;
}

const struct hypervisor *run_virtual_tables(const struct run_virtual *run)
{
    return hv_virtual_tables(run->machine);
}

uint64_t run_virtual_now_ns(const struct run_virtual *run)
{
    return vclock_now_ns(run->clock);
}

uint64_t run_virtual_events(const struct run_virtual *run)
{
    return vclock_fired(run->clock);
}

uint64_t run_virtual_bytes(const struct run_virtual *run)
{
    struct be_counters back;

    run_virtual_count_back(run, &back);
    return back.sent_bytes + back.received_bytes;
}

uint64_t run_virtual_protocol_events(const struct run_virtual *run)
{
    uint64_t events = 0;

    for (uint32_t i = 0; i < run->backend_count; i++)
        events +=
            !run->backends[i].domain
                ? 0
                : exec_protocol_events(exec_counters(domain_virtual_exec(run->backends[i].domain)));
    for (uint32_t i = 0; i < run->guest_count; i++)
        events +=
            !run->guests[i].domain
                ? 0
                : exec_protocol_events(exec_counters(domain_virtual_exec(run->guests[i].domain)));
    return events;
}

/* Backends, peers, guests. */
bool run_virtual_entity(const struct scenario *scenario, uint32_t i, uint16_t *who,
                        char name[SCENARIO_DOMAIN_NAME_BYTES])
{
    uint32_t backends = scenario_backend_count(scenario);
    struct scenario_domain domain;

    if (i >= backends && i - backends < scenario->peer_count) {
        *who = (uint16_t)(TRACE_PEER_BASE + i - backends);
        snprintf(name, SCENARIO_DOMAIN_NAME_BYTES, "%s", scenario->peers[i - backends].name);
        return true;
    }
    if (!scenario_domain(scenario, i < backends ? i : i - scenario->peer_count, &domain))
        return false;
    *who = domain.domid;
    memcpy(name, domain.name, sizeof(domain.name));
    return true;
}
