/* Steps, and what happened, in the words of the file. See steps_private.h. */
#include "sim/run/steps_private.h"

#include "sim/run/units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORD(constant, word) word,
static const char *const words[] = {STEPS_WORDS(WORD)};
static const char *const states[] = {STEPS_STATES(WORD)};
static const char *const calls[] = {STEPS_CALLS(WORD)};
static const char *const sees[] = {STEPS_PEER_SEES(WORD)};
static const char *const upcalls[] = {STEPS_UPCALLS(WORD)};

const char *steps_word(enum steps_word word)
{
    return words[word];
}

const char *steps_state_word(enum steps_state state)
{
    return states[state];
}

/* A text that grows. */
struct text {
    char *to;
    size_t used;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    size_t room = STEPS_LINE_BYTES - text->used;
    va_list args;

    va_start(args, format);
    int length = vsnprintf(text->to + text->used, room, format, args);
    va_end(args);
    text->used += (size_t)length < room ? (size_t)length : room - 1;
}

static void add_value(struct text *text, const struct scenario_key *key,
                      const struct steps_step *step)
{
    const char *at = (const char *)step + key->at;

    switch ((int)key->type) {
    case SCENARIO_WORD: add(text, "%s", key->words[scenario_keys_number(key, step)]); break;
    case SCENARIO_TEXT: add(text, "%.60s", at); break;
    case SCENARIO_ADDR_ANY_PORT:
        add(text, "%s", ((const struct scenario_addr *)(const void *)at)->text);
        break;
    case SCENARIO_DURATION:
        add(text, "%s", units_format_duration(scenario_keys_number(key, step)).text);
        break;
    default: add(text, "%" PRIu64, scenario_keys_number(key, step));
    }
}

void steps_say_step(const struct steps_step *step, char text[STEPS_LINE_BYTES])
{
    const struct scenario_table *table = &steps_keys[step->kind];
    struct text out = {text, 0};
    const char *between = "";

    add(&out, "%s: ", steps_word_of(step->kind));
    if (step->none) {
        add(&out, "none");
        return;
    }
    add(&out, "{");
    for (uint32_t i = 0; i < table->count; i++) {
        if (!(step->given >> i & 1))
            continue;
        add(&out, "%s%s: ", between, table->keys[i].name);
        add_value(&out, &table->keys[i], step);
        between = ", ";
    }
    add(&out, "}");
}

static void add_of(struct text *text, uint64_t sockid)
{
    if (sockid == STEPS_COMMAND)
        add(text, "command");
    else
        add(text, "%" PRIu64, sockid);
}

static void add_ret(struct text *text, int32_t ret)
{
    if (ret < 0)
        add(text, "%s", err_name(ret));
    else
        add(text, "%" PRId32, ret);
}

static void add_cmd(struct text *text, const struct dialect *dialect, uint32_t code)
{
    for (uint32_t kind = 0; kind < CALL_KINDS; kind++)
        if (dialect_has(dialect, kind) && dialect->calls[kind].code == code) {
            add(text, "cmd: %s", calls[kind]);
            return;
        }
    add(text, "code: %" PRIu32, code);
}

static void add_request(struct text *out, const struct steps_player *player,
                        const struct call *call)
{
    add_cmd(out, player->dialect, call->code);
    add(out, ", id: %" PRIu32 ", sockid: %" PRIu64, call->id, steps_label(player, call->sockid));
    if (call->kind == CALL_ACCEPT)
        add(out, ", new_sockid: %" PRIu64, steps_label(player, call->new_sockid));
}

static void add_response(struct text *out, const struct steps_player *player,
                         const struct call_reply *reply)
{
    add_cmd(out, player->dialect, reply->code);
    add(out, ", id: %" PRIu32 ", sockid: %" PRIu64 ", ret: ", reply->id,
        steps_label(player, reply->sockid));
    add_ret(out, reply->ret);
}

static void add_told(struct text *out, const struct steps_seen *seen)
{
    add(out, "what: %s", upcalls[seen->upcall]);
    if (seen->upcall == STEPS_UPCALL_DONE) {
        add(out, ", cmd: %s, ret: ", calls[seen->cmd]);
        add_ret(out, seen->ret);
    }
    if (seen->upcall <= STEPS_UPCALL_WRITABLE)
        add(out, ", sockid: %" PRIu64, seen->sockid);
}

/* tidy: one line or two a kind */
void steps_say_seen(const struct steps_player *player, const struct steps_seen *seen,
                    char text[STEPS_LINE_BYTES])
{
    struct text out = {text, 0};

    add(&out, "%s: {", steps_word_of(seen->kind));
    switch ((int)seen->kind) {
    case STEPS_REQUEST: add_request(&out, player, &seen->call); break;
    case STEPS_RESPONSE: add_response(&out, player, &seen->reply); break;
    case STEPS_NOTIFIED:
        add(&out, "of: ");
        add_of(&out, seen->sockid);
        break;
    case STEPS_ERROR:
        add(&out, "sockid: %" PRIu64 ", word: %s, ret: ", seen->sockid, words[seen->word]);
        add_ret(&out, seen->ret);
        break;
    case STEPS_BECOMES: add(&out, "is: %s", states[seen->state]); break;
    case STEPS_FAULT:
        add(&out, "reason: %s, index: %" PRId32 ", value: %" PRId32,
            step_fault_name(seen->fault.reason), (int32_t)seen->fault.index,
            (int32_t)seen->fault.value);
        break;
    case STEPS_SEES:
        add(&out, "sockid: %" PRIu64 ", what: %s", seen->sockid, sees[seen->sees]);
        break;
    case STEPS_TOLD: add_told(&out, seen); break;
    default: break;
    }
    add(&out, "}");
}
