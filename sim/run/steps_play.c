/*
 * Playing a script: time, what is expected, and what nobody expected. See steps.h.
 *
 * Things of one kind (and, where a socket's number names it, of one socket) are met in the order in
 * which they happened. Before something is done, before time goes on and at the end, all that
 * happened must have been met, or be of a kind that the script ignores.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/steps_private.h"

#include "sim/run/units.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- failing ---- */

bool steps_fail(struct steps_player *player, enum diag_code code, const char *format, ...)
{
    struct steps_outcome *outcome = player->outcome;
    uint32_t count = player->line_count < STEPS_LINES ? player->line_count : STEPS_LINES;
    va_list args;
    FILE *to;

    if (outcome->code != 0)
        return false; /* the first one counts */
    outcome->code = code;
    outcome->place = player->step->place;
    to = fmemopen(outcome->message, sizeof(outcome->message), "w");
    assert(to);
    va_start(args, format);
    vfprintf(to, format, args);
    va_end(args);
    fprintf(to, "\n   it was at %s; before that", units_format_duration(player->now_ns).text);
    for (uint32_t i = player->line_count - count; i < player->line_count; i++)
        fprintf(to, "\n     %12s  %s",
                units_format_duration(player->lines[i % STEPS_LINES].at_ns).text,
                player->lines[i % STEPS_LINES].text);
    if (count == 0)
        fputs("\n     nothing happened", to);
    fclose(to);
    return false;
}

/* ---- what nobody expected ---- */

static bool is_ignored(const struct steps_player *player, enum steps_kind kind)
{
    return player->steps->ignored >> kind & 1;
}

static bool unexpected(struct steps_player *player, const char *what, uint64_t at_ns)
{
    return steps_fail(player, DIAG_STEP_UNEXPECTED, "no step expects what happened at %s: %s",
                      units_format_duration(at_ns).text, what);
}

static bool unexpected_bytes(struct steps_player *player)
{
    char what[STEPS_LINE_BYTES];

    for (uint32_t i = 0; i < player->sock_count && !is_ignored(player, STEPS_READ); i++) {
        uint32_t unknown = steps_unknown(player, &player->socks[i]);
        snprintf(what, sizeof(what), "%" PRIu32 " bytes came into the ring of socket %" PRIu64,
                 unknown, player->socks[i].sockid);
        if (unknown > 0)
            return unexpected(player, what, player->now_ns);
    }
    for (uint32_t i = 0; i < player->conn_count && !is_ignored(player, STEPS_SEES); i++) {
        uint64_t unseen = steps_unseen(player, i);
        snprintf(what, sizeof(what), "the peer of %" PRIu64 " received %" PRIu64 " bytes",
                 player->conns[i].sockid, unseen);
        if (unseen > 0)
            return unexpected(player, what, player->now_ns);
    }
    return true;
}

/* Whether all that happened was expected; false after steps_fail. */
static bool all_met(struct steps_player *player)
{
    char text[STEPS_LINE_BYTES];

    for (; player->seen_first < player->seen_count; player->seen_first++) {
        const struct steps_seen *seen = &player->seen[player->seen_first];
        if (seen->taken || is_ignored(player, seen->kind))
            continue;
        steps_say_seen(player, seen, text);
        return unexpected(player, text, seen->at_ns);
    }
    return unexpected_bytes(player);
}

/* ---- time ---- */

/* Let it be the core's next deadline, or `to_ns` if that comes first. */
static void go_on(struct steps_player *player, uint64_t to_ns)
{
    uint64_t next_ns = exec_deadline_ns(player->exec);

    if (next_ns <= player->now_ns)
        next_ns = player->now_ns + 1; /* what was due is done */
    player->now_ns = next_ns < to_ns ? next_ns : to_ns;
    steps_settle(player);
}

static bool advance(struct steps_player *player, uint64_t to_ns)
{
    while (player->now_ns < to_ns) {
        if (!all_met(player))
            return false;
        go_on(player, to_ns);
    }
    return true;
}

/* ---- expectations ---- */

static bool is_lane(const struct steps_step *step, const struct steps_seen *seen)
{
    if (seen->taken || seen->kind != step->kind)
        return false;
    if (step->none && !STEPS_GIVEN(step, sockid) && !STEPS_GIVEN(step, of))
        return true;
    return (step->kind != STEPS_NOTIFIED && step->kind != STEPS_ERROR &&
            step->kind != STEPS_SEES) ||
           seen->sockid == step->sockid;
}

static bool fits_code(const struct steps_player *player, const struct steps_step *step,
                      uint32_t code)
{
    if (STEPS_GIVEN(step, code) && step->code != code)
        return false;
    return !STEPS_GIVEN(step, cmd) || player->dialect->calls[step->cmd].code == code;
}

static bool is_addr(const struct steps_step *step, const struct call_addr *addr)
{
    return !STEPS_GIVEN(step, addr) ||
           memcmp(step->addr.addr.bytes, addr->bytes, addr->len < 16 ? 16 : addr->len) == 0;
}

static bool fits_request(struct steps_player *player, const struct steps_step *step,
                         const struct call *call)
{
    const struct {
        bool given;
        uint64_t expected, is;
    } fields[] = {
        {STEPS_GIVEN(step, sockid), steps_wire(player, step->sockid), call->sockid},
        {STEPS_GIVEN(step, new_sockid), steps_wire(player, step->new_sockid), call->new_sockid},
        {STEPS_GIVEN(step, flags), step->flags, call->flags},
        {STEPS_GIVEN(step, backlog), step->backlog, call->backlog},
        {STEPS_GIVEN(step, reuse), step->reuse, call->reuse},
        {STEPS_GIVEN(step, family), step->family, call->family},
        {STEPS_GIVEN(step, type), step->type, call->type},
        {STEPS_GIVEN(step, protocol), step->protocol, call->protocol},
        {STEPS_GIVEN(step, evtchn), step->evtchn, call->evtchn},
        {STEPS_GIVEN(step, ref), step->ref, call->refs[0]},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (fields[i].given && fields[i].expected != fields[i].is)
            return false;
    return fits_code(player, step, call->code) && is_addr(step, &call->addr);
}

static bool fits_response(const struct steps_player *player, const struct steps_step *step,
                          const struct call_reply *reply)
{
    return fits_code(player, step, reply->code) &&
           (!STEPS_GIVEN(step, id) || reply->id == step->id) &&
           (!STEPS_GIVEN(step, sockid) || reply->sockid == step->sockid) &&
           (!STEPS_GIVEN(step, ret_text) || reply->ret == step->ret);
}

static bool fits_told(const struct steps_step *step, const struct steps_seen *seen)
{
    return seen->upcall == step->upcall &&
           (!STEPS_GIVEN(step, cmd) || (uint32_t)seen->cmd == (uint32_t)step->cmd) &&
           (!STEPS_GIVEN(step, sockid) || seen->sockid == step->sockid) &&
           (!STEPS_GIVEN(step, ret_text) || seen->ret == step->ret);
}

static bool fits(struct steps_player *player, const struct steps_step *step,
                 const struct steps_seen *seen)
{
    bool index = steps_given(step, offsetof(struct steps_step, number_text));
    bool value = STEPS_GIVEN(step, number_text[1]);

    switch ((int)step->kind) {
    case STEPS_REQUEST: return fits_request(player, step, &seen->call);
    case STEPS_RESPONSE: return fits_response(player, step, &seen->reply);
    case STEPS_ERROR: return seen->word == step->word && seen->ret == step->ret;
    case STEPS_BECOMES: return seen->state == step->state;
    case STEPS_FAULT:
        return seen->fault.reason == step->fault &&
               (!index || seen->fault.index == step->number[0]) &&
               (!value || seen->fault.value == step->number[1]);
    case STEPS_SEES: return seen->sees == step->sees && is_addr(step, &seen->addr);
    case STEPS_TOLD: return fits_told(step, seen);
    }
    return true; /* notified */
}

/* The first of its kind that happened must be it; of what is ignored, any of them. */
static enum steps_met meet_next(struct steps_player *player, const struct steps_step *step,
                                char got[STEPS_LINE_BYTES])
{
    for (uint32_t i = player->seen_first; i < player->seen_count; i++) {
        struct steps_seen *seen = &player->seen[i];
        if (!is_lane(step, seen))
            continue;
        if (fits(player, step, seen)) {
            seen->taken = true;
            if (step->kind == STEPS_REQUEST || step->kind == STEPS_RESPONSE)
                steps_taken(player, step, seen);
            return STEPS_MET;
        }
        if (is_ignored(player, step->kind))
            continue;
        steps_say_seen(player, seen, got);
        return STEPS_WRONG;
    }
    snprintf(got, STEPS_LINE_BYTES, "nothing of the kind");
    return STEPS_NOT_YET;
}

static enum steps_met meet_notified(struct steps_player *player, const struct steps_step *step,
                                    char got[STEPS_LINE_BYTES])
{
    uint32_t count = 0;

    for (uint32_t i = player->seen_first; i < player->seen_count; i++)
        count += is_lane(step, &player->seen[i]);
    snprintf(got, STEPS_LINE_BYTES, "%" PRIu32 " so far", count);
    if (count < step->times)
        return STEPS_NOT_YET;
    for (uint32_t i = 0; i < step->times; i++)
        meet_next(player, step, got);
    return STEPS_MET;
}

static enum steps_met meet(struct steps_player *player, const struct steps_step *step,
                           char got[STEPS_LINE_BYTES])
{
    if (step->kind == STEPS_READ)
        return steps_read_ring(player, step, got);
    if (step->kind == STEPS_INDEX)
        return steps_index(player, step, got);
    if (step->kind == STEPS_SEES && step->sees == STEPS_SEES_DATA)
        return steps_sees_data(player, step, got);
    return step->kind == STEPS_NOTIFIED ? meet_notified(player, step, got)
                                        : meet_next(player, step, got);
}

/* Wait for it; time stands still while it can be met now. */
static bool expect(struct steps_player *player, const struct steps_step *step)
{
    uint64_t until_ns = player->now_ns + step->within_ns;
    char got[STEPS_LINE_BYTES], text[STEPS_LINE_BYTES];
    enum steps_met met;

    while ((met = meet(player, step, got)) == STEPS_NOT_YET && player->now_ns < until_ns) {
        if (!all_met(player))
            return false;
        go_on(player, until_ns);
    }
    steps_say_step(step, text);
    if (met == STEPS_WRONG)
        return steps_fail(player, DIAG_STEP_OTHER, "expected %s, but it is %s", text, got);
    if (met == STEPS_NOT_YET)
        return steps_fail(player, DIAG_STEP_MISSED, "expected %s%s%s, but there is %s", text,
                          step->within_ns ? " within " : "",
                          step->within_ns ? units_format_duration(step->within_ns).text : "", got);
    if (step->kind == STEPS_READ || step->kind == STEPS_REQUEST || step->kind == STEPS_RESPONSE)
        steps_settle(player); /* taking it may be news to the core */
    return player->outcome->code == 0;
}

static bool expect_none(struct steps_player *player, const struct steps_step *step)
{
    uint64_t until_ns = player->now_ns + step->for_ns;
    char text[STEPS_LINE_BYTES];

    for (;;) {
        for (uint32_t i = player->seen_first; i < player->seen_count; i++) {
            if (!is_lane(step, &player->seen[i]))
                continue;
            steps_say_seen(player, &player->seen[i], text);
            return steps_fail(player, DIAG_STEP_OTHER, "expected %s: none, but there is %s",
                              steps_word_of(step->kind), text);
        }
        if (player->now_ns >= until_ns)
            return true;
        if (!all_met(player))
            return false;
        go_on(player, until_ns);
    }
}

/* ---- steps ---- */

static bool set_state(struct steps_player *player, const struct steps_step *step)
{
    uint16_t domid = player->steps->against == STEPS_BACKEND ? STEPS_FRONT : STEPS_BACK;
    char text[16];

    if (step->kind == STEPS_STORE) {
        steps_node_write(player, domid, step->key, step->value);
        return player->outcome->code == 0;
    }
    xenbus_print(text, step->state);
    steps_node_write(player, domid, player->dialect->keys[DIALECT_KEY_STATE], text);
    return player->outcome->code == 0;
}

static bool act(struct steps_player *player, const struct steps_step *step)
{
    switch ((int)step->kind) {
    case STEPS_REQUEST: return steps_request(player, step);
    case STEPS_RESPONSE: return steps_respond(player, step);
    case STEPS_NOTIFY: return steps_notify(player, step->sockid);
    case STEPS_WRITE: return steps_write(player, step);
    case STEPS_ERROR: return steps_set_error(player, step);
    case STEPS_OFFER: return steps_offer(player, step) && player->outcome->code == 0;
    case STEPS_ATTACH: return steps_attach(player);
    case STEPS_STATE:
    case STEPS_STORE: return set_state(player, step);
    case STEPS_RAW: return steps_raw(player, step);
    case STEPS_PEER: return steps_peer(player, step);
    case STEPS_CALL: return steps_call(player, step);
    }
    assert(!"a step that does something");
    return false;
}

static bool play_step(struct steps_player *player, const struct steps_step *step)
{
    uint64_t at_ns = step->relative ? player->last_ns + step->at_ns : step->at_ns;
    bool does = steps_role_of(step->kind, player->steps->against) == STEPS_DOES;
    char text[STEPS_LINE_BYTES];

    if (step->timed && at_ns < player->now_ns)
        return steps_fail(player, DIAG_STEP_IMPOSSIBLE, "this moment, %s, is over",
                          units_format_duration(at_ns).text);
    if (step->timed && !advance(player, at_ns))
        return false;
    if (does && !all_met(player))
        return false;
    if (step->kind == STEPS_QUIET)
        return advance(player, player->now_ns + step->lasts_ns) && all_met(player);
    if (step->none)
        return expect_none(player, step);
    if (!does)
        return expect(player, step);
    steps_say_step(step, text);
    steps_log(player, "(line %u) %s", step->place.line, text);
    if (!act(player, step))
        return false;
    steps_settle(player);
    return true;
}

bool steps_play(const struct steps_config *config, struct steps_outcome *outcome)
{
    struct steps_player *player = calloc(1, sizeof(*player));
    const struct steps *steps = config->steps;
    bool good;

    assert(player);
    *outcome = (struct steps_outcome){0};
    player->steps = steps;
    player->scenario = config->scenario;
    player->dialect = dialect_find(config->scenario->protocol.dialect);
    player->outcome = outcome;
    player->step = &steps->steps[0];
    if (!steps_world_open(player, config->trace)) {
        free(player);
        return false;
    }
    good = outcome->code == 0;
    for (uint32_t i = 0; good && i < steps->count; i++) {
        player->step = &steps->steps[i];
        good = play_step(player, player->step);
        player->last_ns = player->now_ns;
        outcome->played += good;
    }
    if (good)
        all_met(player);
    outcome->now_ns = player->now_ns;
    outcome->events = exec_protocol_events(exec_counters(player->exec));
    steps_world_close(player);
    free(player);
    return true;
}
