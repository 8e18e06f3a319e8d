/*
 * Scenarios: what good files give, and what is said about bad ones, to the letter.
 *
 * scenarios/bad-*.yaml each have a .txt beside them, which holds every diagnostic of that file;
 * scenarios/good-full.json is the resolved form of good-full.yaml.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/scenario_domains.h"
#include "tests/sim/run/scenario_fixture.h"

/* Load `text`, through a file of its own. */
static int load_text(const char *text)
{
    char path[] = "/tmp/xensock-scenario-XXXXXX";
    int fd = mkstemp(path);
    size_t bytes = strlen(text);
    int result;

    assert_true(fd >= 0);
    assert_true(write(fd, text, bytes) == (ssize_t)bytes);
    close(fd);
    result = load(path);
    unlink(path);
    return result;
}

static void bad_files(void **state)
{
    static const char *const names[] = {
        "keys",  "references", "syntax",  "indent",      "features", "schema",  "duplicates",
        "hosts", "shape",      "empty",   "text",        "missing",  "nul",     "utf8",
        "long",  "arrivals",   "virtual", "listeners",   "quotas",   "forward", "protocols",
        "peers", "room",       "limits",  "limits-room", "steps"};
    char path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "bad-%s.yaml", names[i]);
        assert_int_equal(load(path), -1);
        snprintf(path, sizeof(path), "bad-%s.txt", names[i]);
        assert_printed(path);
        finish(state);
    }
}

static void bad_overrides(void **state)
{
    static const char *const sets[] = {"protocol.ordr=6",
                                       "workload.bulk.bytes=64KB",
                                       "workload.bulc.bytes=1",
                                       "topology.links.ecko.delay=1ms",
                                       "topology.links.echo.delay=1",
                                       "topology.peers.ext.address=1.2.3.4",
                                       "name.x=1",
                                       "=5",
                                       "noequals",
                                       "description..b=1",
                                       "workload.bulk=3",
                                       "workload.srv.listen=127.0.0.1:0",
                                       "topology.peers.new.kind=sinc",
                                       "descr iption=x",
                                       "description=a\nb",
                                       "description=\xff",
                                       "description=\xc3\xbc",
                                       "workload.ask.kind=str\xc3\xbcm"};

    (void)state;
    assert_int_equal(
        scenario_load(&scenario, "good-full.yaml", sets, sizeof(sets) / sizeof(sets[0]), &diags),
        -1);
    assert_printed("bad-overrides.txt");
}

/* The first error is at `line`:`column`, and behind the line number this is shown. */
static void assert_first_place(uint32_t line, uint32_t column, const char *shown)
{
    char *text = printed(false);

    assert_int_equal(diags.entries[0].place.line, line);
    assert_int_equal(diags.entries[0].place.column, column);
    if (!strstr(text, shown))
        fail_msg("not shown: %s in %s", shown, text);
    free(text);
}

/* Every place is one that the text has, whatever ends its lines. */
static void places(void **state)
{
    static const char *const sets[] = {"description=a\xc2\x85 b\xe2\x80\xa8 c", "nane=1"};
    static const char *const behind[] = {"description=\xc3\xbc\xc3\xbc\001"};

    assert_int_equal(load_text("a: b\nc: {d: e"), -1); /* no break at the end */
    assert_first_place(2, 9, "    2 | c: {d: e\n      |         ^");
    finish(state);
    assert_int_equal(load_text("a: b\rc: d\xc2\x85 e\xff"), -1);
    assert_first_place(3, 3, "    3 |  e?\n      |   ^");
    finish(state);
    assert_int_equal(scenario_load(&scenario, "good-full.yaml", sets, 2, &diags), -1);
    assert_first_place(2, 1, "    2 | nane=1\n      | ^^^^");
    finish(state);
    assert_int_equal(scenario_load(&scenario, "good-full.yaml", behind, 1, &diags), -1);
    assert_first_place(1, 15, "    1 | description=\xc3\xbc\xc3\xbc?\n      |               ^");
}

static void unreadable(void **state)
{
    static char large[SCENARIO_FILE_BYTES_MAX + 2];

    assert_int_equal(load("nowhere.yaml"), -1);
    assert_printed("unreadable.txt");
    finish(state);
    assert_int_equal(load("/"), -1);
    assert_int_equal(diags.entries[0].code, DIAG_UNREADABLE);
    finish(state);
    memset(large, ' ', SCENARIO_FILE_BYTES_MAX + 1);
    assert_int_equal(load_text(large), -1);
    assert_int_equal(diags.entries[0].code, DIAG_TOO_LARGE);
    finish(state);
    large[SCENARIO_FILE_BYTES_MAX] = '\0'; /* one byte less is read, and found empty */
    assert_int_equal(load_text(large), -1);
    assert_int_equal(diags.entries[0].code, DIAG_WRONG_TYPE);
}

/* A file that would take its reader long, or deep, is refused early. */
static void hostile_files(void **state)
{
    static char text[100000];
    size_t used;

    memset(text, '[', 90000);
    assert_int_equal(load_text(text), -1);
    assert_int_equal(diags.errors, 1);
    assert_int_equal(diags.entries[0].code, DIAG_TOO_MANY);
    finish(state);
    used = (size_t)sprintf(text, "schema: xensock/scenario/1\n");
    for (uint32_t i = 0; i < 5000; i++)
        used += (size_t)sprintf(text + used, "k%u: 1\n", i);
    assert_int_equal(load_text(text), -1);
    assert_int_equal(diags.count, DIAG_MAX);
    assert_int_equal(diags.errors, 5000 + 3 + 1); /* unknown, missing, too many */
    assert_int_equal(diags.dropped, diags.errors - DIAG_MAX);
}

/* One more host, peer, link or workload than there is room for. */
static void too_many(void **state)
{
    static char text[8192];
    size_t used = 0;

    (void)state;
    used += (size_t)sprintf(text, "schema: xensock/scenario/1\nname: many\ntopology:\n  peers:\n");
    for (uint32_t i = 0; i <= SCENARIO_PEERS_MAX; i++)
        used += (size_t)sprintf(text + used, "    p%u: {kind: sink}\n", i);
    used += (size_t)sprintf(text + used, "  hosts:\n    b: {role: backend}\n");
    for (uint32_t i = 0; i < SCENARIO_HOSTS_MAX; i++)
        used += (size_t)sprintf(text + used, "    h%u: {role: frontend}\n", i);
    used += (size_t)sprintf(text + used, "  links:\n");
    for (uint32_t i = 0; i <= SCENARIO_LINKS_MAX; i++)
        used += (size_t)sprintf(text + used, "    - {to: p%u}\n", i);
    used += (size_t)sprintf(text + used, "workload:\n");
    for (uint32_t i = 0; i <= SCENARIO_WORKLOADS_MAX; i++)
        used += (size_t)sprintf(text + used, "  - {name: w%u, kind: stream, connect_to: p0}\n", i);
    assert_int_equal(load_text(text), -1);
    used = 0;
    for (uint32_t i = 0; i < diags.count; i++)
        used += diags.entries[i].severity == DIAG_ERROR && diags.entries[i].code == DIAG_TOO_MANY;
    assert_int_equal(used, 4);
    assert_int_equal(scenario.link_count, SCENARIO_LINKS_MAX);
    assert_int_equal(scenario.peer_count, SCENARIO_PEERS_MAX);
    assert_int_equal(scenario.host_count, SCENARIO_HOSTS_MAX);
    assert_int_equal(scenario.workload_count, SCENARIO_WORKLOADS_MAX);
}

static void full(void **state)
{
    json_t *expected = json_load_file("good-full.json", JSON_REJECT_DUPLICATES, NULL), *actual;

    (void)state;
    assert_int_equal(load("good-full.yaml"), 0);
    assert_int_equal(diags.errors, 0);
    assert_printed("good-full.txt");
    assert_int_equal(scenario.peers[4].workload, 4); /* caller -> srv */
    assert_int_equal(scenario.links[0].peer, 0);
    assert_int_equal(scenario.links[1].peer, 4);
    assert_int_equal(scenario.workloads[2].peer, 3); /* two-way -> ext */
    assert_int_equal(scenario.workloads[0].host, 1);
    assert_int_equal(scenario.backend, 0);
    assert_int_equal(scenario.frontend, 1);
    assert_int_equal(call_addr_family(&scenario.peers[3].addr.addr), CALL_AF_INET6);
    assert_int_equal(call_addr_port(&scenario.peers[3].addr.addr), 9000);
    assert_int_equal(call_addr_port(&scenario.workloads[4].listen.addr), 7001);
    actual = scenario_json(&scenario);
    assert_non_null(expected);
    assert_true(json_equal(actual, expected));
    json_decref(actual);
    json_decref(expected);
}

static void defaults(void **state)
{
    const struct scenario_workload *bulk = &scenario.workloads[0], *srv = &scenario.workloads[1];

    (void)state;
    assert_int_equal(load("good-least.yaml"), 0);
    assert_int_equal(scenario.mode, SCENARIO_EMULATED);
    assert_int_equal(scenario.seed, 1);
    assert_true(scenario.duration_ns == UINT64_C(1000000000));
    assert_true(scenario.warmup_ns == 0);
    assert_true(scenario.timeout_ns == UINT64_C(60000000000));
    assert_string_equal(scenario.cost_model, "linux-processes");
    assert_string_equal(scenario.protocol.dialect, "xensock1");
    assert_int_equal(scenario.protocol.order, 6);
    assert_int_equal(scenario.hosts[0].cpu, SCENARIO_CPU_ANY);
    assert_string_equal(scenario.peers[0].addr.text, "127.0.0.1:0");
    assert_int_equal(scenario.peers[0].addr.addr.bytes[4], 127);
    assert_string_equal(bulk->where, "front");
    assert_int_equal(bulk->host, 1);
    assert_int_equal(bulk->direction, SCENARIO_UP);
    assert_true(bulk->bytes == 0);
    assert_int_equal(bulk->write.value, 65536);
    assert_int_equal(bulk->read_bytes, 65536);
    assert_int_equal(bulk->sockets, 1);
    assert_int_equal(bulk->repeat, 1);
    assert_true(srv->accepts == 0);
}

/* JSON is YAML: a scenario written by a program loads as it is. */
static void json_file(void **state)
{
    (void)state;
    assert_int_equal(
        load_text("{\"schema\": \"xensock/scenario/1\", \"name\": \"j\", \"topology\": {\"hosts\": "
                  "{\"b\": {\"role\": \"backend\"}, \"f\": {\"role\": \"frontend\", \"cpu\": 3}}, "
                  "\"peers\": {\"e\": {\"kind\": \"echo\"}}}, \"workload\": [{\"name\": \"ask\", "
                  "\"kind\": \"request-response\", \"connect_to\": \"e\", \"operations\": 5}]}"),
        0);
    assert_int_equal(scenario.hosts[1].cpu, 3);
    assert_true(scenario.workloads[0].operations == 5);
    assert_int_equal(scenario.workloads[0].request.value, 64);
    assert_true(scenario.workloads[0].arrivals.per_s == 0);
}

/* Overrides change, add and make mappings; the last one of a path wins. */
static void overrides(void **state)
{
    static const char *const sets[] = {"protocol.order=2",
                                       "workload.bulk.bytes=1MiB",
                                       "topology.peers.ext.kind=external",
                                       "topology.peers.ext.address=[::1]:5=",
                                       "topology.peers.ext.address=[::1]:5",
                                       "workload.bulk.connect_to=ext",
                                       "seed=7",
                                       "seed=8",
                                       "workload.srv.name=again",
                                       "workload.again.accepts=3"};

    (void)state;
    assert_int_equal(
        scenario_load(&scenario, "good-least.yaml", sets, sizeof(sets) / sizeof(sets[0]), &diags),
        0);
    assert_int_equal(scenario.protocol.order, 2);
    assert_true(scenario.workloads[0].bytes == 1048576);
    assert_int_equal(scenario.workloads[0].peer, 1);
    assert_string_equal(scenario.peers[1].addr.text, "[::1]:5");
    assert_int_equal(scenario.seed, 8);
    assert_true(scenario.workloads[1].accepts == 3);
}

/* --set reaches into a workload's own mapping, and can add it. */
static void override_arrivals(void **state)
{
    static const char *const sets[] = {"workload.ask.arrivals.rate=7/s"};
    static const char *const added[] = {"workload.srv.kind=request-response",
                                        "workload.srv.arrivals.kind=fixed",
                                        "workload.srv.arrivals.rate=1000000/s"};

    assert_int_equal(scenario_load(&scenario, "good-full.yaml", sets, 1, &diags), 0);
    assert_int_equal(scenario.workloads[3].arrivals.kind, SCENARIO_POISSON);
    assert_true(scenario.workloads[3].arrivals.per_s == 7);
    finish(state);
    assert_int_equal(scenario_load(&scenario, "good-least.yaml", added, 3, &diags), -1);
    for (uint32_t i = 0; i < diags.count; i++) /* `listen` does not go with the new kind */
        assert_null(strstr(diags.entries[i].message, "arrivals"));
    assert_int_equal(scenario.workloads[1].arrivals.kind, SCENARIO_FIXED);
    assert_true(scenario.workloads[1].arrivals.per_s == SCENARIO_RATE_MAX);
}

/* Several guests, of one host and of several: workloads run in the first unless they say where. */
static void virtual_guests(void **state)
{
    static const char *const sets[] = {"mode=virtual", "topology.hosts.front.count=4096",
                                       "topology.hosts.more.role=frontend",
                                       "workload.srv.where=more"};

    (void)state;
    assert_int_equal(scenario_load(&scenario, "good-least.yaml", sets, 4, &diags), 0);
    assert_int_equal(scenario.mode, SCENARIO_VIRTUAL);
    assert_int_equal(scenario.host_count, 3);
    assert_int_equal(scenario.hosts[0].count, 1);
    assert_int_equal(scenario.hosts[1].count, 4096);
    assert_int_equal(scenario.frontend, 1);
    assert_int_equal(scenario.workloads[0].host, 1);
    assert_int_equal(scenario.workloads[1].host, 2);
}

/* As many sockets at once as there is room for are right, one more is not; in virtual time a domain
 * has more ports. */
static void room(void **state)
{
    static const struct {
        const char *mode, *dialect, *order;
        uint32_t fit;
    } rows[] = {{"emulated", "xensock1", "6", 511},         {"emulated", "xensock1", "3", 4094},
                {"emulated", "pvcalls1", "9", 63},          {"virtual", "pvcalls1", "4", 1927},
                {"emulated", "xensock1-compact", "6", 503}, {"virtual", "pvcalls1", "1", 4096}};
    char mode[32], dialect[48], order[32], sockets[48];
    const char *sets[] = {mode, dialect, order, sockets};

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snprintf(mode, sizeof(mode), "mode=%s", rows[i].mode);
        snprintf(dialect, sizeof(dialect), "protocol.dialect=%s", rows[i].dialect);
        snprintf(order, sizeof(order), "protocol.order=%s", rows[i].order);
        for (uint32_t more = 0; more <= 1 && rows[i].fit + more <= SCENARIO_SOCKETS_MAX; more++) {
            snprintf(sockets, sizeof(sockets), "workload.bulk.sockets=%u", rows[i].fit + more);
            assert_int_equal(scenario_load(&scenario, "good-room.yaml", sets, 4, &diags),
                             more == 0 ? 0 : -1);
            assert_true(more == 0 || diags.entries[0].code == DIAG_NO_ROOM);
            finish(state);
        }
    }
}

/* In emulated mode each is a process. */
static void emulated_guests(void **state)
{
    static const char *const sets[] = {"topology.hosts.web.count=32", "topology.hosts.db.count=32",
                                       "topology.hosts.db.count=33"};

    (void)state;
    assert_int_equal(scenario_load(&scenario, "good-hosts.yaml", sets, 2, &diags), 0);
    assert_int_equal(scenario_guest_count(&scenario), SCENARIO_PROCESSES_MAX);
    diag_fini(&diags);
    diag_init(&diags);
    assert_int_equal(scenario_load(&scenario, "good-hosts.yaml", sets, 3, &diags), -1);
    assert_int_equal(diags.entries[0].code, DIAG_TOO_MANY);
}

/* Backends first, then guests, each in the order of the file. */
static void domains(void **state)
{
    static const struct scenario_domain expected[] = {
        {0, 1, SCENARIO_BACKEND, 0, 0, "dom0"},   {1, 3, SCENARIO_BACKEND, 1, 1, "dom1"},
        {2, 0, SCENARIO_FRONTEND, 0, 1, "web.0"}, {3, 0, SCENARIO_FRONTEND, 1, 1, "web.1"},
        {4, 2, SCENARIO_FRONTEND, 2, 0, "db"},
    };
    struct scenario_domain domain;

    (void)state;
    assert_int_equal(load("good-hosts.yaml"), 0);
    assert_int_equal(scenario_backend_count(&scenario), 2);
    assert_int_equal(scenario_guest_count(&scenario), 3);
    assert_int_equal(scenario.links[0].host, 1);
    assert_int_equal(scenario.links[1].host, 3);
    for (uint32_t i = 0; i < 5; i++) {
        for (int by_name = 0; by_name < 2; by_name++) {
            assert_true(by_name ? scenario_domain_find(&scenario, expected[i].name, &domain)
                                : scenario_domain(&scenario, i, &domain));
            assert_int_equal(domain.domid, expected[i].domid);
            assert_int_equal(domain.host, expected[i].host);
            assert_int_equal(domain.role, expected[i].role);
            assert_int_equal(domain.number, expected[i].number);
            assert_int_equal(domain.backend, expected[i].backend);
            assert_string_equal(domain.name, expected[i].name);
        }
    }
    assert_false(scenario_domain(&scenario, 5, &domain));
    assert_false(scenario_domain_find(&scenario, "web", &domain));
}

/* Each end of a range is in it; its neighbours are not. */
static void ranges(void **state)
{
    static const struct {
        const char *set;
        int expected;
    } cases[] = {{"protocol.order=0", -1},
                 {"protocol.order=1", 0},
                 {"protocol.order=6", 0},
                 {"protocol.order=7", -1},
                 {"seed=0", 0},
                 {"seed=9223372036854775807", 0},
                 {"seed=9223372036854775808", -1},
                 {"topology.hosts.front.count=0", -1},
                 {"topology.hosts.front.count=1", 0},
                 {"topology.hosts.front.count=2", -1},
                 {"cost_model=xen-arm", 0},
                 {"cost_model=xen-arn", -1},
                 {"cost_model=./xen-arn", 0},
                 {"cost_model=xen-arn.yaml", 0},
                 {"cost_model=", -1},
                 {"duration=999us", -1},
                 {"duration=1ms", 0},
                 {"workload.bulk.sockets=0", -1},
                 {"workload.bulk.sockets=511", 0},
                 {"workload.bulk.sockets=4097", -1},
                 {"workload.bulk.write_size=16MiB", 0},
                 {"workload.bulk.write_size=16777217", -1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (scenario_load(&scenario, "good-least.yaml", &cases[i].set, 1, &diags) !=
            cases[i].expected)
            fail_msg("%s is not %d", cases[i].set, cases[i].expected);
        finish(state);
    }
}

/* A model that is not in the program is reported where it is named, among other faults. */
static void cost_models(void **state)
{
    static const char *const sets[] = {"sed=7", "cost_model=linux-proceses"};
    const struct diag *diag = &diags.entries[1];

    (void)state;
    assert_int_equal(scenario_load(&scenario, "good-full.yaml", sets, 2, &diags), -1);
    assert_int_equal(diags.count, 2);
    assert_int_equal(diag->code, DIAG_UNKNOWN_VALUE);
    assert_string_equal(diag->message, "there is no cost model 'linux-proceses'");
    assert_string_equal(diag->suggestion, "linux-processes");
    assert_int_equal(diag->place.source, 1);
    assert_int_equal(diag->place.line, 2);
    assert_int_equal(diag->place.column, 12);
    assert_int_equal(diag->place.length, 14);
}

static void json_diagnostics(void **state)
{
    json_t *array, *first, *second;

    (void)state;
    assert_int_equal(load("bad-duplicates.yaml"), -1);
    array = diag_json(&diags);
    assert_int_equal(json_array_size(array), diags.count);
    first = json_pack("{ss si si si ss ss ss}", "file", "bad-duplicates.yaml", "line", 3, "column",
                      1, "length", 4, "severity", "error", "code", "E0102", "message",
                      "'name' stands here twice");
    second = json_pack("{ss si si si ss ss}", "file", "bad-duplicates.yaml", "line", 2, "column", 1,
                       "length", 4, "severity", "note", "message", "the first one");
    assert_true(json_equal(json_array_get(array, 0), first));
    assert_true(json_equal(json_array_get(array, 1), second));
    json_decref(first);
    json_decref(second);
    json_decref(array);
    finish(NULL);
    assert_int_equal(load("bad-virtual.yaml"), -1);
    array = diag_json(&diags);
    assert_string_equal(json_string_value(json_object_get(json_array_get(array, 1), "hint")),
                        "allowed: 1 to 4096");
    json_decref(array);
}

static void suggestions(void **state)
{
    static const char *const words[] = {"order", "dialect", "request-response"};
    static const struct {
        const char *got, *suggested;
    } cases[] = {{"oder", "order"},      {"ordre", "order"},
                 {"rodre", ""},          {"dialetc", "dialect"},
                 {"dielegt", "dialect"}, {"o", ""},
                 {"colour", ""},         {"requestresponse", "request-response"}};

    (void)state;
    diag_add_source(&diags, "file", NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        diag_error(&diags, DIAG_UNKNOWN_KEY, (struct diag_place){0}, "?");
        diag_suggest(&diags, cases[i].got, "keys", words, 3);
        assert_string_equal(diags.entries[i].suggestion, cases[i].suggested);
    }
}

/* Colours are asked for; escapes of the user's never pass. */
/* What a forward is where the file says nothing; what becomes of who connects to it. */
static void forwards(void **state)
{
    static const char text[] =
        "schema: xensock/scenario/1\nname: f\ntimeout: 2s\ntopology:\n"
        "  hosts: {dom0: {role: backend}, web: {role: frontend}}\n  peers:\n"
        "    echo: {kind: echo}\n    mute: {kind: echo, conduct: resets}\n"
        "    site: {kind: external, address: \"127.0.0.1:80\"}\n"
        "    good: {kind: client, connect_to: f}\n    bad: {kind: client, connect_to: g}\n"
        "    raw: {kind: client, connect_to: h}\nworkload:\n"
        "  - {name: f, kind: forward, listen: \"127.0.0.1:7001\", connect_to: echo}\n"
        "  - {name: g, kind: forward, listen: \"127.0.0.1:7002\", connect_to: mute}\n"
        "  - {name: h, kind: forward, listen: \"127.0.0.1:7003\", listen_at: backend,\n"
        "     connect_to: site, connections: 9, hold: 0s, accepts: 7}\n";
    const struct scenario_workload *workloads = scenario.workloads;
    const struct scenario_peer *peers = scenario.peers;
    const bool cut[] = {false, true, false, false, true, false};

    (void)state;
    assert_int_equal(load_text(text), 0);
    assert_int_equal(workloads[0].listen_at, SCENARIO_SIDE_GUEST);
    assert_int_equal(workloads[0].connections, 64);
    assert_int_equal(workloads[0].hold_ns, 1000000000);
    assert_int_equal(workloads[0].accepts, 0);
    assert_int_equal(workloads[2].listen_at, SCENARIO_SIDE_BACKEND);
    assert_int_equal(workloads[2].connections, 9);
    assert_int_equal(workloads[2].hold_ns, 0);
    assert_int_equal(workloads[2].accepts, 7);
    assert_int_equal(workloads[2].peer, 2);
    assert_int_equal(peers[0].reset_after_bytes, 0);
    assert_int_equal(peers[1].reset_after_bytes, 65536);
    assert_true(peers[3].to_echo && peers[4].to_echo);
    assert_false(peers[5].to_echo); /* who echoes there echoes the header too */
    for (uint32_t i = 0; i < scenario.peer_count; i++) {
        assert_int_equal(scenario_cuts_peer(&scenario, i), cut[i]);
        assert_int_equal(scenario_forwards_to(&scenario, i), i < 3);
    }
}

static void colours(void **state)
{
    char *text;

    (void)state;
    assert_int_equal(load("bad-text.yaml"), -1);
    text = printed(false);
    assert_null(strchr(text, '\033'));
    free(text);
    text = printed(true);
    assert_non_null(strstr(text, "\033[1;31merror[E0103]:\033[0m the scenario has no"));
    free(text);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad_files, start, finish),
        cmocka_unit_test_setup_teardown(bad_overrides, start, finish),
        cmocka_unit_test_setup_teardown(places, start, finish),
        cmocka_unit_test_setup_teardown(unreadable, start, finish),
        cmocka_unit_test_setup_teardown(hostile_files, start, finish),
        cmocka_unit_test_setup_teardown(too_many, start, finish),
        cmocka_unit_test_setup_teardown(full, start, finish),
        cmocka_unit_test_setup_teardown(defaults, start, finish),
        cmocka_unit_test_setup_teardown(json_file, start, finish),
        cmocka_unit_test_setup_teardown(overrides, start, finish),
        cmocka_unit_test_setup_teardown(override_arrivals, start, finish),
        cmocka_unit_test_setup_teardown(virtual_guests, start, finish),
        cmocka_unit_test_setup_teardown(emulated_guests, start, finish),
        cmocka_unit_test_setup_teardown(room, start, finish),
        cmocka_unit_test_setup_teardown(domains, start, finish),
        cmocka_unit_test_setup_teardown(ranges, start, finish),
        cmocka_unit_test_setup_teardown(cost_models, start, finish),
        cmocka_unit_test_setup_teardown(json_diagnostics, start, finish),
        cmocka_unit_test_setup_teardown(suggestions, start, finish),
        cmocka_unit_test_setup_teardown(forwards, start, finish),
        cmocka_unit_test_setup_teardown(colours, start, finish),
    };

    return !!cmocka_run_group_tests_name("scenario", tests, NULL, NULL);
}
