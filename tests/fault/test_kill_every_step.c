/*
 * Death at every step: four small scenarios in virtual time, two of them in PV Calls 1 too, and at
 * each event of each of them the guest, or the backend, is killed just there, restarted, and
 * everything goes on to the end.
 *
 * "Survives" means: the run ends by itself; no core calls its peer broken; the guest's application
 * hears of each socket's end once, and of none of a former device after UP; no byte is wrong at
 * either end; what was to be done is done by who came again; nothing is left in either core, in the
 * tables of the hypervisor or in xenstore that is not there without a death. The same death twice
 * is the same run. Source: reliability.md 5, rows 1, 2 and 4.
 */
#include "sim/run/run_virtual.h"

#include "ringlib/trace.h"
#include "sim/run/workload.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SCENARIO(name) XENSOCK_SOURCE_DIR "/tests/fault/scenarios/" name ".yaml"

enum {
    BACKEND_DOMID = 0,
    GUEST_DOMID = 1,
    SOCKETS_MAX = 256,
    AWAY_NS = 20000, /* how long the dead stays away: other things happen meanwhile */
    TWICE_EVERY = 97 /* deaths that are tried once more, for their hash */
};

/* A socket of the guest's application, by slot. */
struct socket {
    bool live, failed, releasing;
    uint64_t id;
};

struct world {
    struct scenario scenario;
    struct costs costs;
    struct policy policy;
    struct trace_sink sink;
    struct run_virtual *run;
    struct socket sockets[SOCKETS_MAX];
    uint64_t hash;
    char wrong[160]; /* what the application was told that it must not be; empty: nothing */
};

/* What is left when all is over. */
struct left {
    uint32_t nodes, watches;
};

/* ---- what the guest's application is told ---- */

static void say_wrong(struct world *world, const char *what, uint64_t id)
{
    if (world->wrong[0] == '\0')
        snprintf(world->wrong, sizeof(world->wrong), "socket %" PRIx64 " %s", id, what);
}

static struct socket *socket_of(struct world *world, uint64_t id)
{
    assert_in_range(step_slot(id), 0, SOCKETS_MAX - 1);
    return &world->sockets[step_slot(id)];
}

static void called(struct world *world, const struct trace_record *record)
{
    int64_t ret = (int64_t)record->value;
    bool opens = record->detail == CALL_CONNECT || record->detail == CALL_BIND ||
                 record->detail == CALL_ACCEPT;

    if (record->detail == CALL_RELEASE)
        socket_of(world, record->token)->releasing = true;
    if (!opens || ret < 0)
        return;
    struct socket *socket = socket_of(world, (uint64_t)ret);
    if (socket->live)
        say_wrong(world, "is given a second time", (uint64_t)ret);
    *socket = (struct socket){.live = true, .id = (uint64_t)ret};
}

static void completed(struct world *world, const struct trace_record *record)
{
    uint64_t id = record->token & 0xffffffffffff;

    if (record->extra == CALL_POLL)
        return; /* its slot is nothing the application knows */
    struct socket *socket = socket_of(world, id);
    int32_t ret = (int32_t)record->value;

    if (!socket->live || socket->id != id) {
        say_wrong(world, "is told of after its end", id);
    } else if (record->extra == CALL_RELEASE) {
        socket->live = false;
    } else if (ret < 0) {
        if (socket->failed)
            say_wrong(world, "fails twice", id);
        socket->failed = true;
        socket->live = socket->releasing; /* then its end is the release's */
    }
}

static void none_lives(struct world *world, const char *what)
{
    for (uint32_t i = 0; i < SOCKETS_MAX; i++)
        if (world->sockets[i].live)
            say_wrong(world, what, world->sockets[i].id);
}

static void take(void *self, const struct trace_record *record)
{
    struct world *world = self;
    const uint64_t *words = (const uint64_t *)(const void *)record;

    for (size_t i = 0; i < sizeof(*record) / sizeof(words[0]); i++)
        world->hash = (world->hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    if (record->who != GUEST_DOMID)
        return;
    if (record->point == TRACE_CALL && record->detail < TRACE_CALL_SEND)
        called(world, record);
    else if (record->point == TRACE_ACTION && record->detail == ACT_DONE)
        completed(world, record);
    else if (record->point == TRACE_ACTION && record->detail == ACT_UP)
        none_lives(world, "outlived its device");
    else if (record->point == TRACE_FAULT && record->detail == TRACE_FAULT_RESTART)
        memset(world->sockets, 0, sizeof(world->sockets));
}

/* ---- the world ---- */

static const struct dialect *spoken;

static void begin(struct world *world, const char *path)
{
    struct diag_list diags;
    json_t *error;

    memset(world, 0, sizeof(*world));
    for (int row = 0; row < COST_ROWS_COUNT; row++) /* all take time, none the same */
        world->costs.rows[row].low_ps = 20000 + 7000 * (uint64_t)row;
    world->costs.rows[COST_STORE_REQUEST].low_ps = 5003000; /* much happens meanwhile */
    world->costs.rows[COST_COPY_BYTE].low_ps = world->costs.rows[COST_SOCKET_READ_BYTE].low_ps =
        world->costs.rows[COST_SOCKET_WRITE_BYTE].low_ps = 100;
    world->costs.dozing_after_ns = world->costs.asleep_after_ns = UINT64_MAX;
    world->costs.slice_ns = 1000000;
    world->sink = (struct trace_sink){take, world};
    policy_init(&world->policy);
    diag_init(&diags);
    if (scenario_load(&world->scenario, path, NULL, 0, &diags) < 0) {
        diag_print(&diags, stderr, false);
        fail_msg("%s is faulty", path);
    }
    diag_fini(&diags);
    snprintf(world->scenario.protocol.dialect, sizeof(world->scenario.protocol.dialect), "%s",
             spoken->name);
    world->run = run_virtual_create(&(struct run_virtual_config){.scenario = &world->scenario,
                                                                 .costs = &world->costs,
                                                                 .policy = &world->policy,
                                                                 .trace = &world->sink},
                                    &error);
    assert_non_null(world->run);
}

/* Let the first `events` happen; false if it is over by then. */
static bool go(struct world *world, uint32_t events)
{
    return events == 0 || run_virtual_go(world->run, events) == RUN_VIRTUAL_GOING;
}

static void strike(struct world *world, enum scenario_role victim)
{
    struct scenario_fault fault = {
        .kind = SCENARIO_FAULT_RESTART, .guest = UINT32_MAX, .for_ns = AWAY_NS};

    while (world->scenario.hosts[fault.host].role != victim)
        fault.host++;
    run_virtual_fault(world->run, &fault);
}

/* ---- what is to be so at the end ---- */

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static void expect(const char *where, const char *what, uint64_t is, uint64_t least, uint64_t most)
{
    if (is < least || is > most)
        fail_msg("%s: %s is %" PRIu64 ", not %" PRIu64 " to %" PRIu64, where, what, is, least,
                 most);
}

/* Everything that was to be done has been, by whoever lived last or before. */
static void check_workloads(const struct world *world, const char *where, const json_t *reports)
{
    const json_t *workloads = json_object_get(json_object_get(reports, "frontend"), "workloads");

    for (uint32_t i = 0; i < world->scenario.workload_count; i++) {
        const struct scenario_workload *spec = &world->scenario.workloads[i];
        const json_t *workload = json_array_get(workloads, i);
        uint64_t least = spec->kind == SCENARIO_STREAM  ? spec->repeat
                         : spec->kind == SCENARIO_SERVE ? 0
                                                        : spec->operations;
        expect(where, "errors", number(workload, "errors"), 0, 0);
        expect(where, "mismatches", number(workload, "mismatches"), 0, 0);
        expect(where, "operations", number(workload, "operations"), least, 2 * least + 1000);
    }
}

/* What all rounds of the streams to a sink carry: it must have had so much, cut or not. */
static uint64_t streamed_to(const struct world *world, uint32_t peer)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < world->scenario.workload_count; i++) {
        const struct scenario_workload *spec = &world->scenario.workloads[i];
        if (spec->kind == SCENARIO_STREAM && spec->peer == peer)
            bytes += spec->repeat * spec->bytes;
    }
    return bytes;
}

static void check_peers(const struct world *world, const char *where, const json_t *reports)
{
    static const char *const none[] = {"mismatches", "short_streams", "protocol_errors", "resets",
                                       "connect_failures"};
    const json_t *peers = json_object_get(reports, "peers");

    for (uint32_t i = 0; i < world->scenario.peer_count; i++) {
        const struct scenario_peer *peer = &world->scenario.peers[i];
        const json_t *counters = json_object_get(json_object_get(peers, peer->name), "counters");
        for (size_t n = 0; n < sizeof(none) / sizeof(none[0]); n++)
            expect(where, none[n], number(counters, none[n]), 0, 0);
        if (peer->kind == SCENARIO_PEER_SINK)
            expect(where, "bytes of a sink", number(counters, "bytes_in"), streamed_to(world, i),
                   UINT64_MAX);
        if (peer->kind == SCENARIO_PEER_CLIENT)
            expect(where, "bytes of a client", number(counters, "bytes_in"),
                   peer->connections * peer->bytes, UINT64_MAX);
    }
}

static void check_left(struct world *world, const char *where, const struct left *expected)
{
    const struct hypervisor *tables = run_virtual_tables(world->run);
    const struct store *store = hypervisor_store((struct hypervisor *)(uintptr_t)tables);

    for (uint16_t domid = BACKEND_DOMID; domid <= (uint16_t)GUEST_DOMID; domid++) {
        struct hypervisor_usage usage;
        hypervisor_usage(tables, domid, &usage);
        expect(where, "grants", usage.grants, 0, 0);
        expect(where, "ports", usage.ports, 0, 0);
        expect(where, "maps", usage.maps, 0, 0);
    }
    /* fewer where a backend did not come again, since its guest had meanwhile left */
    expect(where, "nodes", store_nodes(store), 0, expected->nodes);
    expect(where, "watches", store_watches(store), 0, expected->watches);
}

static void check(struct world *world, const char *where, const struct left *left)
{
    json_t *errors = run_virtual_errors(world->run), *reports = run_virtual_reports(world->run);
    static const char *const parts[] = {"frontend", "backend"};

    if (json_array_size(errors) > 0)
        fail_msg("%s: %s", where, json_dumps(errors, 0));
    none_lives(world, "is left over");
    if (world->wrong[0] != '\0')
        fail_msg("%s: %s", where, world->wrong);
    for (size_t i = 0; i < 2; i++) {
        const json_t *leak = json_object_get(json_object_get(reports, parts[i]), "leak");
        if (json_is_string(leak))
            fail_msg("%s: %s has %s", where, parts[i], json_string_value(leak));
    }
    check_workloads(world, where, reports);
    check_peers(world, where, reports);
    check_left(world, where, left);
    json_decref(errors);
    json_decref(reports);
}

/* To the end, whatever that is, and look. */
static void end(struct world *world, const char *where, const struct left *left)
{
    enum run_virtual_status status;

    do
        status = run_virtual_go(world->run, 10000);
    while (status == RUN_VIRTUAL_GOING);
    if (status != RUN_VIRTUAL_DONE)
        fail_msg("%s: %s", where, run_virtual_stall(world->run));
    check(world, where, left);
}

/* ---- the tests ---- */

/* How many events there are without a death, and what is left then. */
static uint32_t measure(const char *path, struct left *left)
{
    struct world *world = malloc(sizeof(*world));
    const struct store *store;
    uint32_t events;

    assert_non_null(world);
    begin(world, path);
    store = hypervisor_store((struct hypervisor *)(uintptr_t)run_virtual_tables(world->run));
    while (run_virtual_go(world->run, 1) == RUN_VIRTUAL_GOING)
        ;
    *left = (struct left){store_nodes(store), store_watches(store)};
    check(world, "without a death", left);
    events = (uint32_t)run_virtual_events(world->run);
    run_virtual_destroy(world->run);
    free(world);
    return events;
}

/* A death behind so many events: the hash of the run, and whether there was one. */
static bool die(const char *path, enum scenario_role victim, uint32_t events,
                const struct left *left, uint64_t *hash)
{
    struct world *world = malloc(sizeof(*world));
    char where[96];
    bool died;

    assert_non_null(world);
    snprintf(where, sizeof(where), "%s killed behind event %u",
             victim == SCENARIO_BACKEND ? "backend" : "guest", events);
    begin(world, path);
    died = go(world, events);
    if (died) {
        strike(world, victim);
        end(world, where, left);
    }
    *hash = world->hash;
    run_virtual_destroy(world->run);
    free(world);
    return died;
}

static void die_everywhere(const struct dialect *dialect, const char *path,
                           enum scenario_role victim)
{
    struct left left;

    spoken = dialect;
    uint32_t events = measure(path, &left), deaths = 0;

    for (uint32_t k = 0; k < events; k++) {
        uint64_t hash, again;
        deaths += die(path, victim, k, &left, &hash) ? 1u : 0u;
        if (k % TWICE_EVERY != 0)
            continue;
        die(path, victim, k, &left, &again);
        assert_int_equal(hash, again);
    }
    print_message("%s in %s: %u deaths\n", strrchr(path, '/') + 1, spoken->name, deaths);
    assert_in_range(deaths, events - 2, events);
}

#define EVERYWHERE(name, dialect, file, victim)                                                    \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        die_everywhere(&dialect, SCENARIO(file), victim);                                          \
    }

EVERYWHERE(guest_dies_streaming, dialect_xensock1, "streams", SCENARIO_FRONTEND)
EVERYWHERE(backend_dies_streaming, dialect_xensock1, "streams", SCENARIO_BACKEND)
EVERYWHERE(guest_dies_asking, dialect_xensock1, "requests", SCENARIO_FRONTEND)
EVERYWHERE(backend_dies_asking, dialect_xensock1, "requests", SCENARIO_BACKEND)
EVERYWHERE(guest_dies_connecting, dialect_xensock1, "connections", SCENARIO_FRONTEND)
EVERYWHERE(backend_dies_connecting, dialect_xensock1, "connections", SCENARIO_BACKEND)
EVERYWHERE(guest_dies_serving, dialect_xensock1, "serve", SCENARIO_FRONTEND)
EVERYWHERE(backend_dies_serving, dialect_xensock1, "serve", SCENARIO_BACKEND)
EVERYWHERE(guest_dies_connecting_v1, dialect_pvcalls1, "connections", SCENARIO_FRONTEND)
EVERYWHERE(backend_dies_connecting_v1, dialect_pvcalls1, "connections", SCENARIO_BACKEND)
EVERYWHERE(guest_dies_serving_v1, dialect_pvcalls1, "serve", SCENARIO_FRONTEND)
EVERYWHERE(backend_dies_serving_v1, dialect_pvcalls1, "serve", SCENARIO_BACKEND)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guest_dies_streaming),     cmocka_unit_test(backend_dies_streaming),
        cmocka_unit_test(guest_dies_asking),        cmocka_unit_test(backend_dies_asking),
        cmocka_unit_test(guest_dies_connecting),    cmocka_unit_test(backend_dies_connecting),
        cmocka_unit_test(guest_dies_serving),       cmocka_unit_test(backend_dies_serving),
        cmocka_unit_test(guest_dies_connecting_v1), cmocka_unit_test(backend_dies_connecting_v1),
        cmocka_unit_test(guest_dies_serving_v1),    cmocka_unit_test(backend_dies_serving_v1),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
