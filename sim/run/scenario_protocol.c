/*
 * What guests speak: the scenario's `protocol`, and those of hosts that have one of their own; and
 * how many guests a backend can then have. A part of scenario_check.h.
 */
#include <stdio.h>

#include "ringlib/dialect.h"
#include "sim/hv/store.h"
#include "sim/run/scenario_check.h"
#include "sim/run/scenario_keys.h"

/* What a backend needs of xenstore: for each dialect, and for each guest. Any but domain 0 has
 * quotas of these (backend/bus.c, be_device.c, and hypervisor_device_add for the nodes). */
enum {
    WATCHES_KIND = 1,
    WATCHES_EACH = 1,
    NODES_KIND = 1,
    NODES_EACH = 6, /* beside those that a dialect has of its own */
};

const struct dialect *scenario_dialect(const struct scenario *scenario, uint32_t host)
{
    return dialect_find(scenario->hosts[host].protocol.dialect);
}

uint32_t scenario_dialects(const struct scenario *scenario, uint32_t backend)
{
    uint32_t dialects = 0;

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *host = &scenario->hosts[i];
        const struct dialect *dialect = scenario_dialect(scenario, i);
        if (host->role == SCENARIO_FRONTEND && host->backend == backend && dialect)
            dialects |= 1u << dialect_place(dialect);
    }
    return dialects;
}

static void no_dialect(const struct scenario_map *map, const char *name)
{
    struct diag_list *diags = map->yaml->diags;
    const char *names[16];
    uint32_t count = 0;

    while (count < 16 && dialect_at(count)) {
        names[count] = dialect_at(count)->name;
        count++;
    }
    diag_error(diags, DIAG_UNKNOWN_VALUE, scenario_check_place(map, "dialect"),
               "there is no dialect '%.60s'", name);
    diag_suggest(diags, name, "dialects", names, count);
}

/* Where a protocol says nothing: the dialect, and the order; 0: the dialect's default. */
struct preset {
    const char *dialect;
    uint32_t order;
};

/* Fill in what a protocol does not say. */
static void check(const struct scenario_map *map, struct scenario_protocol *protocol,
                  const struct preset *preset)
{
    const struct dialect *dialect;
    struct diag_list *diags = map->yaml->diags;

    if (!scenario_check_has(map, "dialect"))
        snprintf(protocol->dialect, sizeof(protocol->dialect), "%s", preset->dialect);
    dialect = dialect_find(protocol->dialect);
    if (!dialect) { /* if it is not what is given, that was reported before */
        if (scenario_check_given(map, "dialect", protocol->dialect))
            no_dialect(map, protocol->dialect);
        return;
    }
    if (protocol->order == UINT32_MAX)
        protocol->order = preset->order > 0 ? preset->order : dialect->order_default;
    if (!map->node ||
        (protocol->order >= dialect->order_min && protocol->order <= dialect->order_max))
        return; /* one that is not in the file was reported where it is */
    diag_error(diags, DIAG_OUT_OF_RANGE, scenario_check_place(map, "order"),
               "order %u is too %s for dialect '%s'", protocol->order,
               protocol->order < dialect->order_min ? "small" : "large", dialect->name);
    diag_hint(diags, "allowed: %u to %u", dialect->order_min, dialect->order_max);
}

/* What a guest speaks: what is said of it, or else of all, or else what its driver does. */
static void check_guest(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario *scenario = draft->scenario;
    struct scenario_host *host = &draft->scenario->hosts[index];
    const struct scenario_map *own = &draft->protocols[index];
    const struct dialect *only = host->driver ? host->driver->dialect : NULL;
    bool named = scenario_check_has(&draft->protocol, "dialect");
    bool ordered = !own->node && scenario_check_has(&draft->protocol, "order");
    struct preset preset = {only && !named ? only->name : scenario->protocol.dialect,
                            ordered ? scenario->protocol.order : host->side.order};

    check(own, &host->protocol, &preset);
    scenario_check_driver(draft, index);
}

void scenario_check_protocols(struct scenario_draft *draft)
{
    struct scenario *scenario = draft->scenario;

    check(&draft->protocol, &scenario->protocol, &(struct preset){dialect_xensock1.name, 0});
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        if (!scenario_check_given(&draft->hosts[i], "role", "backend")) {
            check_guest(draft, i);
        } else if (draft->protocols[i].node) {
            diag_error(draft->yaml->diags, DIAG_NOT_FOR_KIND,
                       scenario_check_place(&draft->hosts[i], "protocol"),
                       "'protocol' does not go with role 'backend'");
            diag_hint(draft->yaml->diags, "a backend speaks what its guests do");
        } else {
            scenario->hosts[i].protocol = scenario->protocol;
        }
    }
}

/* How many guests a backend can have, and the quota that says so. */
static uint32_t guests_in_quota(const struct scenario *scenario, uint32_t backend,
                                const char **quota)
{
    uint32_t dialects = scenario_dialects(scenario, backend), kinds = 0, own_most = 0;

    for (uint32_t i = 0; dialect_at(i); i++) {
        uint32_t own = dialect_node_count(dialect_at(i)->back_nodes);
        if (!(dialects >> i & 1u))
            continue;
        own_most = own > own_most ? own : own_most;
        kinds++;
    }
    uint32_t watched = (STORE_WATCHES_MAX + 1 - kinds * WATCHES_KIND) / WATCHES_EACH;
    uint32_t named = (STORE_NODES_MAX - kinds * NODES_KIND) / (NODES_EACH + own_most);
    *quota = watched <= named ? "watches" : "nodes";
    return watched <= named ? watched : named;
}

static void check_quota(struct scenario_draft *draft, uint32_t backend)
{
    const struct scenario *scenario = draft->scenario;
    const char *quota;
    uint32_t most = guests_in_quota(scenario, backend, &quota), guests = 0;

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *host = &scenario->hosts[i];
        if (host->role != SCENARIO_FRONTEND || host->backend != backend)
            continue;
        bool fitted = guests <= most;
        guests += host->count;
        if (!fitted || guests <= most)
            continue;
        diag_error(draft->yaml->diags, DIAG_QUOTA, scenario_check_place(&draft->hosts[i], "count"),
                   "with host '%s' backend '%s' has %u guests; it is not domain 0, and xenstore's "
                   "quota of %s lets it have %u",
                   host->name, scenario->hosts[backend].name, guests, quota, most);
        diag_hint(draft->yaml->diags, "lower 'count', or give some to '%s', which is domain 0",
                  scenario->hosts[scenario->backend].name);
    }
}

void scenario_check_quotas(struct scenario_draft *draft)
{
    for (uint32_t i = 0; i < draft->scenario->host_count; i++)
        if (i != draft->scenario->backend && draft->scenario->hosts[i].role == SCENARIO_BACKEND)
            check_quota(draft, i);
}
