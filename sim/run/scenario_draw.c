/*
 * Rules of sizes that are drawn, and of who answers with another size than it was asked with. A
 * part of scenario_check.h.
 */
#include "sim/run/payload.h"
#include "sim/run/scenario_check.h"
#include "sim/run/units.h"

/* One key whose value may be a distribution. */
struct drawn {
    const struct scenario_map *map; /* of the workload */
    const char *key;
    const struct draw *draw;
    uint64_t least; /* of what is drawn */
};

enum { DRAWN = 3 };

static bool asks_responder(const struct scenario *scenario, const struct scenario_workload *spec)
{
    return spec->kind == SCENARIO_REQUEST_RESPONSE &&
           scenario->peers[spec->peer].kind == SCENARIO_PEER_RESPONDER;
}

static void drawn_of(const struct scenario_draft *draft, uint32_t index, struct drawn all[DRAWN])
{
    const struct scenario_workload *spec = &draft->scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    bool asks = asks_responder(draft->scenario, spec);

    all[0] = (struct drawn){map, "write_size", &spec->write, 1};
    all[1] = (struct drawn){map, "request", &spec->request, asks ? PAYLOAD_ASK_BYTES : 1};
    all[2] = (struct drawn){map, "response", &spec->response, 1};
}

/* Where a key of the distribution stands. */
static struct diag_place place_in(const struct drawn *drawn, const char *key)
{
    struct scenario_map inner = scenario_yaml_map(drawn->map, drawn->key, "");

    return inner.node ? scenario_check_place(&inner, key)
                      : scenario_check_place(drawn->map, drawn->key);
}

/* Numbers of one distribution that contradict each other. */
static void check_bounds(const struct drawn *drawn)
{
    const struct draw *draw = drawn->draw;
    struct diag_list *diags = drawn->map->yaml->diags;
    bool lognormal = draw->kind == DRAW_LOGNORMAL, uniform = draw->kind == DRAW_UNIFORM;
    uint64_t low = lognormal ? draw->median : uniform ? draw->min : draw->mean;
    const char *word = lognormal ? "median" : uniform ? "min" : "mean";

    if (draw->kind == DRAW_FIXED)
        return;
    if (draw->max < low) {
        diag_error(diags, DIAG_DRAW_BOUNDS, place_in(drawn, "max"),
                   "'max' of '%s' is %s, below its '%s' of %s", drawn->key,
                   units_format_size(draw->max).text, word, units_format_size(low).text);
        diag_hint(diags, "at least %s", units_format_size(low).text);
    } else if (lognormal && draw->p99 < draw->median) {
        diag_error(diags, DIAG_DRAW_BOUNDS, place_in(drawn, "p99"),
                   "'p99' of '%s' is %s, below its 'median' of %s", drawn->key,
                   units_format_size(draw->p99).text, units_format_size(draw->median).text);
        diag_hint(diags, "at least %s", units_format_size(draw->median).text);
    }
}

/* A request says in its first bytes how long it and its answer are. */
static void check_ask(const struct drawn *drawn)
{
    const struct draw *draw = drawn->draw;
    uint64_t low = draw->kind == DRAW_UNIFORM ? draw->min : draw_most(draw);
    struct diag_list *diags = drawn->map->yaml->diags;

    if (low >= drawn->least || !draw_is_given(draw))
        return;
    diag_error(diags, DIAG_ASK_TOO_SHORT,
               place_in(drawn, draw->kind == DRAW_UNIFORM ? "min"
                               : draw->kind == DRAW_FIXED ? "size"
                                                          : "max"),
               "a request of %s to a responder has no room to say how much it wants back",
               units_format_size(low).text);
    diag_hint(diags, "at least %u", PAYLOAD_ASK_BYTES);
}

static void check_response(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario *scenario = draft->scenario;
    const struct scenario_workload *spec = &scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];
    const struct scenario_peer *peer = &scenario->peers[spec->peer];

    if (!scenario_check_has(map, "response") || strcmp(peer->name, spec->connect_to) != 0 ||
        (peer->kind != SCENARIO_PEER_ECHO && peer->kind != SCENARIO_PEER_EXTERNAL))
        return;
    diag_error(map->yaml->diags, DIAG_RESPONSE_OF_ECHO, scenario_check_place(map, "response"),
               "'response' needs a peer of kind 'responder': '%s' answers with what it was sent",
               peer->name);
    diag_hint(map->yaml->diags, "connect to a responder, or leave 'response' out");
    diag_note(map->yaml->diags, scenario_check_place(&draft->peers[spec->peer], "kind"),
              "its kind");
}

static void check_write(struct scenario_draft *draft, uint32_t index)
{
    const struct scenario_workload *spec = &draft->scenario->workloads[index];
    const struct scenario_map *map = &draft->workloads[index];

    if (spec->direction != SCENARIO_DOWN || spec->write.kind == DRAW_FIXED)
        return;
    diag_error(
        map->yaml->diags, DIAG_DRAW_UNUSED, scenario_check_place(map, "write_size"),
        "'write_size' is a distribution, but with direction 'down' the guest writes nothing");
    diag_hint(map->yaml->diags, "leave it out, or use direction 'up' or 'both'");
}

void scenario_check_draws(struct scenario_draft *draft, uint32_t index)
{
    struct drawn all[DRAWN];

    drawn_of(draft, index, all);
    for (uint32_t i = 0; i < DRAWN; i++)
        check_bounds(&all[i]);
    if (asks_responder(draft->scenario, &draft->scenario->workloads[index]))
        check_ask(&all[1]);
    check_response(draft, index);
    check_write(draft, index);
}

static void note_cut(const struct drawn *drawn, const char *key, uint32_t ppm, uint64_t bound)
{
    if (ppm == 0)
        return;
    diag_note(drawn->map->yaml->diags, place_in(drawn, key),
              "more than %s of '%s' would be %s %s, and are that instead",
              units_format_share(ppm).text, drawn->key, bound == drawn->least ? "below" : "above",
              units_format_size(bound).text);
}

void scenario_note_draws(struct scenario_draft *draft, uint32_t index)
{
    struct drawn all[DRAWN];

    drawn_of(draft, index, all);
    for (uint32_t i = 0; i < DRAWN; i++) {
        const struct draw *draw = all[i].draw;
        note_cut(&all[i], "max", draw_cut_above_ppm(draw), draw_most(draw));
        note_cut(&all[i], "kind", draw_cut_below_ppm(draw, all[i].least), all[i].least);
    }
}
