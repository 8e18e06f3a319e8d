/*
 * As whose drivers the hosts of a scenario behave: their `peer`. A part of scenario_check.h.
 *
 * A driver speaks one dialect, and may know one order of data rings alone. What a front and a back
 * of the same dialect then make of each other is the run's business, not refused here.
 */
#include <stdio.h>

#include "sim/run/scenario_check.h"

enum { NAMES_MAX = 48 };

/* The names that may stand where one is wrong: peers of that side, or quirks. */
static uint32_t names_for(const struct quirk_text_part *wrong, bool front,
                          const char *names[NAMES_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; wrong->is_peer && quirk_peer_at(i); i++) {
        const struct quirk_peer *peer = quirk_peer_at(i);
        if (front ? peer->front.exists : peer->back.exists)
            names[count++] = peer->name;
    }
    for (uint32_t i = 0; !wrong->is_peer && i < QUIRK_COUNT; i++)
        if (quirk_is_front((enum quirk)i) == front)
            names[count++] = quirk_name((enum quirk)i);
    return count;
}

/* The part of a peer's text that is wrong, if it stands there as it is. */
static struct diag_place part_place(const struct scenario_map *map, const char *text,
                                    const struct quirk_text_part *part)
{
    struct diag_place place = scenario_check_place(map, "peer");

    if (place.length == strlen(text) && part->length > 0) {
        place.column += part->at;
        place.length = part->length;
    }
    return place;
}

static void check_side(struct scenario_draft *draft, uint32_t index)
{
    struct scenario_host *host = &draft->scenario->hosts[index];
    const struct scenario_map *map = &draft->hosts[index];
    bool front = host->role == SCENARIO_FRONTEND;
    struct diag_list *diags = draft->yaml->diags;
    const char *names[NAMES_MAX];
    struct quirk_text_part wrong;
    char name[64];

    if (quirk_parse(host->peer, front, &host->side, &host->driver, &wrong) == 0)
        return;
    if (!scenario_check_given(map, "peer", host->peer) ||
        !scenario_check_given(map, "role", front ? "frontend" : "backend"))
        return; /* reported before */
    snprintf(name, sizeof(name), "%.*s", (int)wrong.length, host->peer + wrong.at);
    const char *what = wrong.is_peer ? "peer" : "quirk";
    struct diag_place place = part_place(map, host->peer, &wrong);
    if (wrong.other_side)
        diag_error(diags, DIAG_WRONG_TARGET, place, "%s '%s' is of a %s, and host '%s' is a %s",
                   what, name, front ? "backend" : "frontend", host->name,
                   front ? "frontend" : "backend");
    else
        diag_error(diags, DIAG_UNKNOWN_VALUE, place, "there is no %s '%s'", what, name);
    diag_suggest(diags, name, wrong.is_peer ? "peers" : "quirks", names,
                 names_for(&wrong, front, names));
}

void scenario_check_sides(struct scenario_draft *draft)
{
    for (uint32_t i = 0; i < draft->scenario->host_count; i++)
        check_side(draft, i);
}

void scenario_check_driver(struct scenario_draft *draft, uint32_t guest)
{
    const struct scenario_host *host = &draft->scenario->hosts[guest];
    const struct scenario_map *map = &draft->hosts[guest];
    const struct dialect *speaks = scenario_dialect(draft->scenario, guest);
    struct diag_list *diags = draft->yaml->diags;

    if (!host->side.exists || !speaks)
        return;
    if (host->driver->dialect && host->driver->dialect != speaks) {
        diag_error(diags, DIAG_WRONG_TARGET, scenario_check_place(map, "peer"),
                   "peer '%s' speaks %s, and host '%s' is to speak %s", host->driver->name,
                   host->driver->dialect->name, host->name, speaks->name);
        diag_hint(diags, "give it 'protocol: {dialect: %s}'", host->driver->dialect->name);
    } else if (host->side.order > 0 && host->side.order != host->protocol.order) {
        diag_error(diags, DIAG_OUT_OF_RANGE, scenario_check_place(map, "peer"),
                   "peer '%s' has data rings of order %u, and host '%s' is to have %u",
                   host->driver->name, host->side.order, host->name, host->protocol.order);
        diag_hint(diags, "give it 'protocol: {order: %u}', or leave 'order' out", host->side.order);
    }
}

void scenario_check_speaks(struct scenario_draft *draft)
{
    const struct scenario *scenario = draft->scenario;

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *host = &scenario->hosts[i];
        const struct scenario_host *back = &scenario->hosts[host->backend];
        const struct dialect *speaks = scenario_dialect(scenario, i);
        if (host->role != SCENARIO_FRONTEND || back->role != SCENARIO_BACKEND || !speaks ||
            !back->side.exists || !back->driver->dialect || back->driver->dialect == speaks)
            continue;
        diag_error(draft->yaml->diags, DIAG_WRONG_TARGET,
                   scenario_check_place(&draft->hosts[host->backend], "peer"),
                   "peer '%s' speaks %s, and its guest '%s' speaks %s", back->driver->name,
                   back->driver->dialect->name, host->name, speaks->name);
        diag_hint(draft->yaml->diags, "let the guest speak it, or give it another backend");
    }
}
