/*
 * What no single key of a step can say: which keys go together, what the dialect has, which sockets
 * there are by then. Texts that stand for numbers are read here. See steps.h.
 */
#include "sim/run/steps_private.h"

#include "sim/run/units.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct diag_place place_of(const struct steps_reading *reading, const char *key)
{
    int node = scenario_yaml_find(reading->map.yaml, reading->map.node, key);

    return node ? scenario_yaml_place(reading->map.yaml, node) : reading->step->place;
}

static struct diag_list *fail(struct steps_reading *reading, enum diag_code code, const char *key,
                              const char *problem)
{
    diag_error(reading->map.yaml->diags, code, place_of(reading, key), "%s", problem);
    return reading->map.yaml->diags;
}

static struct diag_list *fail_text(struct steps_reading *reading, const char *key, const char *text)
{
    diag_error(reading->map.yaml->diags, DIAG_MALFORMED, place_of(reading, key), "'%s' is '%.60s'",
               key, text);
    return reading->map.yaml->diags;
}

static const struct dialect *dialect_of(const struct steps_reading *reading)
{
    return dialect_find(reading->scenario->protocol.dialect);
}

/* ---- numbers in words ---- */

/* "-111", "ECONNREFUSED", "-ECONNREFUSED", "0"; an error is negative. */
static bool parse_ret(const char *text, int32_t *ret)
{
    static const int32_t numbers[] = {
#define X(name, number) number,
        ERR_LIST(X)
#undef X
    };
    const char *name = text + (text[0] == '-');
    uint64_t number;

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (strcmp(err_name(numbers[i]), name) == 0) {
            *ret = -numbers[i];
            return true;
        }
    if (units_parse_count(name, &number) != UNITS_OK || number > INT32_MAX)
        return false;
    *ret = text[0] == '-' ? -(int32_t)number : (int32_t)number;
    return true;
}

/* A word of 32 bits, also negative. */
static bool parse_word(const char *text, uint32_t *word)
{
    uint64_t number;

    if (units_parse_count(text + (text[0] == '-'), &number) != UNITS_OK || number > UINT32_MAX)
        return false;
    *word = text[0] == '-' ? 0 - (uint32_t)number : (uint32_t)number;
    return true;
}

static void check_texts(struct steps_reading *reading)
{
    static const char *const keys[] = {"index", "value"};
    struct steps_step *step = reading->step;

    if (STEPS_GIVEN(step, ret_text) && !parse_ret(step->ret_text, &step->ret))
        diag_hint(fail_text(reading, "ret", step->ret_text),
                  "expected a number, or an error such as ECONNREFUSED");
    for (uint32_t i = 0; i < 2; i++)
        if (steps_given(step, offsetof(struct steps_step, number_text) + i * STEPS_WORD_BYTES) &&
            !parse_word(step->number_text[i], &step->number[i]))
            diag_hint(fail_text(reading, keys[i], step->number_text[i]),
                      "expected a number of 32 bits; it may be negative");
    if (!STEPS_GIVEN(step, of))
        return;
    if (strcmp(step->of, "command") == 0)
        step->sockid = STEPS_COMMAND;
    else if (units_parse_count(step->of, &step->sockid) != UNITS_OK)
        diag_hint(fail_text(reading, "of", step->of), "expected 'command', or a socket's number");
}

static void check_reason(struct steps_reading *reading)
{
    struct steps_step *step = reading->step;
    const char *names[FAULT_REASONS];

    for (step->fault = 0; step->fault < FAULT_REASONS; step->fault++) {
        names[step->fault] = step_fault_name(step->fault);
        if (strcmp(step->reason, names[step->fault]) == 0)
            return;
    }
    diag_suggest(fail_text(reading, "reason", step->reason), step->reason, "reasons", names,
                 FAULT_REASONS);
}

/* ---- what goes together ---- */

static bool needs(struct steps_reading *reading, size_t at, const char *key)
{
    if (steps_given(reading->step, at))
        return true;
    diag_error(reading->map.yaml->diags, DIAG_MISSING_KEY, reading->step->place, "'%s' has no '%s'",
               steps_word_of(reading->step->kind), key);
    return false;
}
#define NEEDS(reading, member, key) needs((reading), offsetof(struct steps_step, member), (key))

static void check_data(struct steps_reading *reading)
{
    struct steps_step *step = reading->step;

    if (STEPS_GIVEN(step, data) == STEPS_GIVEN(step, bytes))
        diag_hint(fail(reading, DIAG_STEP_KEYS, "data", "there is one of 'data' and 'bytes'"),
                  "'bytes' are of a pattern that both ends know");
    else if (STEPS_GIVEN(step, data))
        step->bytes = strlen(step->data);
}

static void check_times(struct steps_reading *reading)
{
    struct steps_step *step = reading->step;
    bool expects = steps_role_of(step->kind, reading->steps->against) == STEPS_EXPECTS;

    if (step->within_ns > 0 && (!expects || step->none || step->kind == STEPS_QUIET))
        fail(reading, DIAG_STEP_KEYS, "", "'within' goes with what is expected to come");
    if (step->for_ns > 0 && !step->none)
        diag_hint(fail(reading, DIAG_STEP_KEYS, "", "'for' goes with 'none'"),
                  "say how long nothing at all happens: quiet: 10ms");
    if (step->none && (!expects || step->kind == STEPS_QUIET || step->kind == STEPS_INDEX))
        fail(reading, DIAG_STEP_KEYS, "", "'none' goes with what could come");
}

/* ---- the dialect ---- */

static bool has_row(const struct dialect_row *rows, uint32_t count, size_t call_at)
{
    for (uint32_t i = 0; i < count; i++)
        if (rows[i].call_at == call_at)
            return true;
    return false;
}

/* The members of a step that are members of a call. */
static const struct {
    size_t at, call_at;
    const char *key;
} fields[] = {
#define FIELD(member, of_call)                                                                     \
    {                                                                                              \
        offsetof(struct steps_step, member), offsetof(struct call, of_call), #member               \
    }
    FIELD(sockid, sockid),     FIELD(new_sockid, new_sockid),
    FIELD(addr, addr.bytes),   FIELD(flags, flags),
    FIELD(backlog, backlog),   FIELD(reuse, reuse),
    FIELD(family, family),     FIELD(type, type),
    FIELD(protocol, protocol), FIELD(evtchn, evtchn),
    FIELD(ref, refs),
#undef FIELD
};

static void check_fields(struct steps_reading *reading)
{
    const struct dialect *dialect = dialect_of(reading);
    const struct dialect_call *call = &dialect->calls[reading->step->cmd];

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (!steps_given(reading->step, fields[i].at) ||
            has_row(call->rows, call->row_count, fields[i].call_at) ||
            has_row(dialect->request, dialect->request_rows, fields[i].call_at))
            continue;
        diag_error(reading->map.yaml->diags, DIAG_STEP_DIALECT, place_of(reading, fields[i].key),
                   "a %s of %s has no '%s'", call_name((enum call_kind)reading->step->cmd),
                   dialect->name, fields[i].key);
    }
}

static void check_call_of_wire(struct steps_reading *reading)
{
    const struct steps_step *step = reading->step;
    const struct dialect *dialect = dialect_of(reading);

    if (!dialect || !STEPS_GIVEN(step, cmd))
        return;
    if (step->cmd > STEPS_CALL_SOCKET || !dialect_has(dialect, (enum call_kind)step->cmd)) {
        diag_error(reading->map.yaml->diags, DIAG_STEP_DIALECT, place_of(reading, "cmd"),
                   "%s has no such call", dialect->name);
        if (step->kind == STEPS_REQUEST)
            diag_hint(reading->map.yaml->diags, "'code' puts any number in its place");
    } else if (step->kind == STEPS_REQUEST) {
        check_fields(reading);
    }
}

/* ---- sockets ---- */

/* Whether an earlier step makes this socket: a request, or the application. */
static bool is_made(const struct steps_reading *reading, uint64_t sockid)
{
    for (const struct steps_step *at = reading->steps->steps; at < reading->step; at++) {
        bool names = at->kind == STEPS_REQUEST || at->kind == STEPS_CALL;
        if (names && !at->none &&
            ((STEPS_GIVEN(at, sockid) && at->sockid == sockid) ||
             (STEPS_GIVEN(at, new_sockid) && at->new_sockid == sockid)))
            return true;
    }
    return false;
}

static void check_socket(struct steps_reading *reading, const char *key)
{
    const struct steps_step *step = reading->step;

    if (step->sockid == STEPS_COMMAND || is_made(reading, step->sockid))
        return;
    diag_error(reading->map.yaml->diags, DIAG_STEP_SOCKET, place_of(reading, key),
               "no step before makes a socket %llu", (unsigned long long)step->sockid);
}

static void check_word(struct steps_reading *reading)
{
    const struct steps_step *step = reading->step;
    bool of_commands = step->word <= STEPS_WORD_RSP_EVENT;

    if (of_commands != (step->sockid == STEPS_COMMAND))
        fail(reading, DIAG_STEP_KEYS, "word",
             of_commands ? "this is a word of the command ring" : "this is a word of a data ring");
    if (step->kind == STEPS_ERROR && step->word != STEPS_WORD_IN_ERROR &&
        step->word != STEPS_WORD_OUT_ERROR)
        diag_hint(fail(reading, DIAG_STEP_KEYS, "word", "this is no error of a data ring"),
                  "use in_error or out_error");
}

/* ---- each kind ---- */

/* Bytes in the form "00 ff 12", in place. */
static bool parse_hex(struct steps_step *step)
{
    char out[STEPS_DATA_BYTES];
    uint32_t count = 0;

    for (const char *at = step->data; *at;) {
        char digits[3] = {at[0], at[0] ? at[1] : '\0', '\0'}, *end;
        if (*at == ' ') {
            at++;
            continue;
        }
        out[count++] = (char)strtoul(digits, &end, 16);
        if (end != digits + 2 || digits[0] == '-' || digits[0] == '+')
            return false;
        at += 2;
    }
    memcpy(step->data, out, count);
    step->bytes = count;
    return count > 0;
}

static void check_raw(struct steps_reading *reading)
{
    struct steps_step *step = reading->step;
    const struct dialect *dialect = dialect_of(reading);

    if (STEPS_GIVEN(step, word) == STEPS_GIVEN(step, slot)) {
        diag_hint(
            fail(reading, DIAG_STEP_KEYS, "", "'raw' has one of 'word' and 'slot'"),
            "{of: command, word: req_prod, value: 70}, {of: command, slot: 0, at: 4, hex: ff}");
        return;
    }
    if (STEPS_GIVEN(step, word)) {
        if (NEEDS(reading, number_text[1], "value"))
            check_word(reading);
        return;
    }
    if (!NEEDS(reading, data, "hex") || !dialect)
        return;
    if (step->sockid != STEPS_COMMAND)
        fail(reading, DIAG_STEP_KEYS, "of", "only the command ring has slots");
    if (!parse_hex(step))
        diag_hint(fail_text(reading, "hex", step->data), "expected bytes such as \"00 ff 12\"");
    else if (step->slot_at + step->bytes > dialect->request_bytes)
        diag_hint(fail(reading, DIAG_OUT_OF_RANGE, "hex", "these bytes end behind the slot"),
                  "a slot of %s has %u", dialect->name, dialect->request_bytes);
}

static void check_request(struct steps_reading *reading)
{
    const struct steps_step *step = reading->step;

    check_call_of_wire(reading);
    if (step->none || reading->steps->against == STEPS_FRONTEND)
        return;
    NEEDS(reading, cmd, "cmd");
    NEEDS(reading, id, "id");
    NEEDS(reading, sockid, "sockid");
    if (step->cmd == STEPS_CALL_ACCEPT)
        NEEDS(reading, new_sockid, "new_sockid");
    if (step->cmd == STEPS_CALL_CONNECT || step->cmd == STEPS_CALL_BIND)
        NEEDS(reading, addr, "addr");
}

static void check_response(struct steps_reading *reading)
{
    check_call_of_wire(reading);
    if (reading->steps->against == STEPS_BACKEND)
        return;
    NEEDS(reading, cmd, "cmd");
    NEEDS(reading, id, "id");
    NEEDS(reading, sockid, "sockid");
    NEEDS(reading, ret_text, "ret");
}

static void check_app(struct steps_reading *reading)
{
    const struct steps_step *step = reading->step;

    switch (step->cmd) {
    case STEPS_CALL_CONNECT:
    case STEPS_CALL_BIND: NEEDS(reading, addr, "addr"); return;
    case STEPS_CALL_ACCEPT: NEEDS(reading, new_sockid, "new_sockid"); break;
    case STEPS_CALL_SEND: check_data(reading); break;
    case STEPS_CALL_RECV:
        if (!STEPS_GIVEN(step, ret_text))
            check_data(reading);
        break;
    case STEPS_CALL_SOCKET:
        fail(reading, DIAG_STEP_KEYS, "cmd", "an application has no such call");
        return;
    case STEPS_CALL_RELEASE:
    case STEPS_CALL_LISTEN:
    case STEPS_CALL_POLL: break;
    }
    check_socket(reading, "sockid");
}

static void check_peer(struct steps_reading *reading)
{
    const struct steps_step *step = reading->step;
    bool data =
        step->kind == STEPS_PEER ? step->does == STEPS_PEER_SENDS : step->sees == STEPS_SEES_DATA;

    check_socket(reading, "sockid");
    if (data)
        check_data(reading);
    else if (STEPS_GIVEN(step, data) || STEPS_GIVEN(step, bytes))
        fail(reading, DIAG_STEP_KEYS, "data", "nothing is sent or received by that");
}

/* tidy: one line a kind */
static void check_kind(struct steps_reading *reading)
{
    switch (reading->step->kind) {
    case STEPS_REQUEST: check_request(reading); break;
    case STEPS_RESPONSE: check_response(reading); break;
    case STEPS_NOTIFY:
    case STEPS_NOTIFIED: check_socket(reading, "of"); break;
    case STEPS_WRITE:
    case STEPS_READ:
        check_socket(reading, "sockid");
        check_data(reading);
        break;
    case STEPS_ERROR:
        check_socket(reading, "sockid");
        check_word(reading);
        break;
    case STEPS_FAULT: check_reason(reading); break;
    case STEPS_RAW:
        check_socket(reading, "of");
        check_raw(reading);
        break;
    case STEPS_INDEX:
        check_socket(reading, "of");
        check_word(reading);
        break;
    case STEPS_PEER:
    case STEPS_SEES: check_peer(reading); break;
    case STEPS_CALL: check_app(reading); break;
    case STEPS_OFFER:
    case STEPS_ATTACH:
        if (reading->steps->connected)
            diag_hint(fail(reading, DIAG_STEP_KEYS, "", "the device is connected already"),
                      "'steps' needs 'connected: false'");
        break;
    case STEPS_TOLD:
    case STEPS_STATE:
    case STEPS_BECOMES:
    case STEPS_STORE:
    case STEPS_QUIET:
    case STEPS_KIND_COUNT: break;
    }
}

void steps_check(struct steps_reading *reading)
{
    static const char *const sides[] = {
#define X(constant, word) word,
        STEPS_SIDES(X)
#undef X
    };
    struct steps_step *step = reading->step;

    if (steps_role_of(step->kind, reading->steps->against) == STEPS_NOTHING) {
        diag_error(reading->map.yaml->diags, DIAG_STEP_SIDE, step->place,
                   "against a %s there is no '%s'", sides[reading->steps->against],
                   steps_word_of(step->kind));
        return;
    }
    check_times(reading);
    if (step->none)
        return;
    uint32_t before = reading->map.yaml->diags->errors;
    check_texts(reading);
    if (reading->map.yaml->diags->errors == before)
        check_kind(reading);
}
