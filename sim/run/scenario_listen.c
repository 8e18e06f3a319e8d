/*
 * The rules of what listens and of what connects to it: clients and the workloads they call, the
 * addresses and the room of listeners, peers that misbehave. See scenario_check.h.
 */
#include "sim/run/scenario_check.h"

#include "ringlib/cmdring.h"
#include "ringlib/dialect.h"
#include "sim/run/scenario_keys.h"

enum { RESET_AFTER_BYTES = 65536 }; /* unless the file says more */

static void check_reset(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_map *map = &draft->peers[index];
    struct scenario_peer *peer = &draft->scenario->peers[index];

    if (peer->conduct == SCENARIO_CONDUCT_RESETS && !scenario_check_has(map, "reset_after"))
        peer->reset_after_bytes = RESET_AFTER_BYTES;
    if (peer->kind != SCENARIO_PEER_ECHO || !scenario_check_has(map, "reset_after") ||
        peer->conduct == SCENARIO_CONDUCT_RESETS)
        return;
    if (scenario_check_has(map, "conduct") && peer->conduct == SCENARIO_CONDUCT_GOOD &&
        !scenario_check_given(map, "conduct", "good"))
        return; /* it is no such word, which is reported */
    diag_error(draft->yaml->diags, DIAG_NEEDS_KEY, scenario_check_place(map, "reset_after"),
               "'reset_after' needs 'conduct: resets': this peer resets nothing");
    diag_hint(draft->yaml->diags, "add it, or leave 'reset_after' out");
}

/* What misbehaves is no partner of a workload that counts every byte and waits for its end. */
static void check_conduct(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_workload *workload = &draft->scenario->workloads[index];
    const struct scenario_peer *peer = &draft->scenario->peers[workload->peer];
    const struct scenario_map *map = &draft->workloads[index];
    const struct scenario_map *of = &draft->peers[workload->peer];

    if (peer->conduct == SCENARIO_CONDUCT_GOOD || map->kind == SCENARIO_KIND_UNKNOWN ||
        workload->kind == SCENARIO_FORWARD || strcmp(workload->connect_to, peer->name) != 0)
        return;
    diag_error(map->yaml->diags, DIAG_WRONG_TARGET, scenario_check_place(map, "connect_to"),
               "peer '%s' misbehaves: only a workload of kind 'forward' may lead there",
               peer->name);
    diag_hint(map->yaml->diags, "connect to a peer without 'conduct'");
    diag_note(map->yaml->diags, scenario_check_place(of, "conduct"), "its conduct");
}

/* Whether a workload is, or may be, of a kind that clients connect to. */
static bool listens(const struct scenario_map *map)
{
    return map->kind == SCENARIO_SERVE || map->kind == SCENARIO_FORWARD ||
           map->kind == SCENARIO_KIND_UNKNOWN;
}

/* Over how many listeners a client spreads its connections: all of them, or as many as it says. */
static void check_spread(struct scenario_draft *draft, struct scenario_peer *peer,
                         const struct scenario_map *map)
{
    const struct scenario_workload *workload = &draft->scenario->workloads[peer->workload];

    if (!scenario_check_has(map, "listeners"))
        peer->listeners = workload->listeners;
    if (peer->listeners <= workload->listeners)
        return;
    diag_error(map->yaml->diags, DIAG_OUT_OF_RANGE, scenario_check_place(map, "listeners"),
               "workload '%s' has %u listener%s, not %u", workload->name, workload->listeners,
               workload->listeners == 1 ? "" : "s", peer->listeners);
    diag_hint(map->yaml->diags, "give the workload as many 'listeners', or leave it out for all");
}

/* A client connects to a workload of kind serve or forward. */
static void check_client(struct scenario_draft *draft, uint32_t index)
{
    struct scenario *scenario = draft->scenario;
    struct scenario_peer *peer = &scenario->peers[index];
    const struct scenario_map *map = &draft->peers[index];
    const char *names[SCENARIO_WORKLOADS_MAX];

    if (peer->kind != SCENARIO_PEER_CLIENT ||
        !scenario_check_given(map, "connect_to", peer->connect_to))
        return;
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        names[i] = scenario->workloads[i].name;
        if (strcmp(names[i], peer->connect_to) != 0)
            continue;
        peer->workload = i;
        if (!listens(&draft->workloads[i]))
            diag_error(map->yaml->diags, DIAG_WRONG_TARGET, scenario_check_place(map, "connect_to"),
                       "workload '%s' is not of kind 'serve' or 'forward'", peer->connect_to);
        else
            check_spread(draft, peer, map);
        return;
    }
    diag_error(map->yaml->diags, DIAG_UNKNOWN_NAME, scenario_check_place(map, "connect_to"),
               "there is no workload '%s'", peer->connect_to);
    diag_suggest(map->yaml->diags, peer->connect_to, "workloads", names, scenario->workload_count);
}

/* Whether two that listen have an address in common. */
static bool share_address(const struct scenario_workload *a, const struct scenario_workload *b)
{
    uint32_t first = call_addr_port(&a->listen.addr), second = call_addr_port(&b->listen.addr);
    struct call_addr x = a->listen.addr, y = b->listen.addr;

    x.bytes[2] = x.bytes[3] = y.bytes[2] = y.bytes[3] = 0; /* the port: see ringlib/call.h */
    return memcmp(&x, &y, sizeof(x)) == 0 && first < second + b->listeners &&
           second < first + a->listeners;
}

static void check_addresses(struct scenario_draft *draft, uint32_t first, uint32_t second)
{
    const struct scenario_workload *a = &draft->scenario->workloads[first];
    const struct scenario_workload *b = &draft->scenario->workloads[second];
    struct diag_list *diags = draft->yaml->diags;

    if (a->listen.text[0] == '\0' || b->listen.text[0] == '\0' || !share_address(a, b))
        return;
    uint32_t later = call_addr_port(&a->listen.addr) > call_addr_port(&b->listen.addr);
    diag_error(diags, DIAG_DUPLICATE_KEY, scenario_check_place(&draft->workloads[second], "listen"),
               "two workloads listen on %s", later ? a->listen.text : b->listen.text);
    diag_note(diags, scenario_check_place(&draft->workloads[first], "listen"), "the first one");
}

/* Ports must be as many; and what waits for connections must fit into the command ring, unless it
 * is polls, which make room for each other. */
static void check_listeners(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario *scenario = draft->scenario;
    const struct scenario_workload *workload = &scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    const struct dialect *dialect = scenario_dialect(scenario, workload->host);
    uint32_t room = dialect ? cmdring_size(dialect->request_bytes) - 2 : SCENARIO_LISTENERS_MAX;

    if (workload->kind != SCENARIO_SERVE || !scenario_check_has(map, "listeners"))
        return;
    if (call_addr_port(&workload->listen.addr) + workload->listeners - 1 > UINT16_MAX) {
        diag_error(map->yaml->diags, DIAG_OUT_OF_RANGE, scenario_check_place(map, "listeners"),
                   "%u ports from %s on pass 65535", workload->listeners, workload->listen.text);
        diag_hint(map->yaml->diags, "listen on a lower port");
    }
    if (workload->listeners > room && !workload->polls && !scenario_check_has(map, "polls")) {
        diag_error(map->yaml->diags, DIAG_NEEDS_KEY, scenario_check_place(map, "listeners"),
                   "%u accepts cannot wait at once: the command ring has room for %u",
                   workload->listeners, room);
        diag_hint(map->yaml->diags, "add 'polls: true', so that each listener gets its turn");
    }
}

/* Guests of one host would all listen on the one address. */
static void check_listener(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_workload *workload = &draft->scenario->workloads[index];
    const struct scenario_host *host = &draft->scenario->hosts[workload->host];

    if (workload->listen.text[0] == '\0' || strcmp(workload->where, host->name) != 0 ||
        host->role != SCENARIO_FRONTEND || host->count == 1)
        return;
    diag_error(draft->yaml->diags, DIAG_NOT_FOR_KIND,
               scenario_check_place(&draft->hosts[workload->host], "count"),
               "host '%s' has %u guests, and its workload '%s' listens: only one of them can",
               host->name, host->count, workload->name);
    diag_hint(draft->yaml->diags, "give it a host of its own, without 'count'");
    diag_note(draft->yaml->diags, scenario_check_place(&draft->workloads[index], "listen"),
              "the address");
}

static void set_echoes(struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->peer_count; i++) {
        struct scenario_peer *peer = &scenario->peers[i];
        const struct scenario_workload *of = &scenario->workloads[peer->workload];
        peer->to_echo = peer->kind == SCENARIO_PEER_CLIENT && of->kind == SCENARIO_FORWARD &&
                        scenario->peers[of->peer].kind == SCENARIO_PEER_ECHO;
    }
}

void scenario_check_listen(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;

    for (uint32_t i = 0; i < scenario->workload_count; i++)
        if (scenario->workloads[i].kind == SCENARIO_FORWARD)
            scenario->workloads[i].listeners = 1;
    for (uint32_t i = 0; i < scenario->peer_count; i++) {
        check_client(draft, i);
        check_reset(draft, i);
    }
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        check_listener(draft, i);
        check_listeners(draft, i);
        check_conduct(draft, i);
        for (uint32_t j = 0; j < i; j++)
            check_addresses(draft, j, i);
    }
    set_echoes(scenario);
}
