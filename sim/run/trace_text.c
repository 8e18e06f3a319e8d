/*
 * Records of a trace in words. See trace_text.h.
 *
 * A record's detail is a word, its `extra` and `value` are shown as KEY=NUMBER. What has no word or
 * no key is shown under its own name, unless it is 0.
 */
#include "sim/run/trace_text.h"

#include "ringlib/step.h"
#include "sim/run/workload.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* ---- the words of a detail; NULL or "?" for none ---- */

#define WORD(words, detail) ((detail) < sizeof(words) / sizeof((words)[0]) ? (words)[detail] : NULL)

static const char *event_word(uint8_t detail)
{
    return step_ev_name((enum ev_kind)detail);
}

static const char *action_word(uint8_t detail)
{
    return step_act_name((enum act_kind)detail);
}

static const char *call_word(uint8_t detail)
{
    if (detail < CALL_KINDS)
        return call_name((enum call_kind)detail);
    return detail == TRACE_CALL_SEND ? "SEND" : detail == TRACE_CALL_RECV ? "RECV" : NULL;
}

static const char *fate_word(uint8_t detail)
{
    static const char *const words[] = {[TRACE_FATE_SENT] = "sent",
                                        [TRACE_FATE_COALESCED] = "coalesced",
                                        [TRACE_FATE_UNBOUND] = "unbound"};

    return WORD(words, detail);
}

static const char *socket_word(uint8_t detail)
{
    static const char *const words[] = {
        [TRACE_SOCKET_CONNECTED] = "connected", [TRACE_SOCKET_REFUSED] = "refused",
        [TRACE_SOCKET_ACCEPTED] = "accepted",   [TRACE_SOCKET_ENDED] = "ended",
        [TRACE_SOCKET_RESET] = "reset",         [TRACE_SOCKET_CLOSED] = "closed"};

    return WORD(words, detail);
}

static const char *phase_word(uint8_t detail)
{
    static const char *const words[] = {[WORKLOAD_IDLE] = "idle",
                                        [WORKLOAD_WARMUP] = "warmup",
                                        [WORKLOAD_MEASURE] = "measure",
                                        [WORKLOAD_DRAIN] = "drain",
                                        [WORKLOAD_DONE] = "done"};

    return WORD(words, detail);
}

static const char *peer_word(uint8_t detail)
{
    static const char *const words[] = {"took", "sent", "ended"};

    return WORD(words, detail);
}

static const char *fault_word(uint8_t detail)
{
    static const char *const words[] = {[TRACE_FAULT_KILL] = "kill",
                                        [TRACE_FAULT_RESTART] = "restart",
                                        [TRACE_FAULT_PAUSE] = "pause",
                                        [TRACE_FAULT_RETURN] = "return"};

    return WORD(words, detail);
}

/* ---- what the numbers are ---- */

enum as {
    AS_SPARE, /* not used: shown under its own name if it is not 0 after all */
    AS_NUMBER,
    AS_RESULT, /* >= 0, or -ERR_* */
    AS_TEXT,   /* the first eight characters, the very first in the lowest byte */
    AS_CALL,   /* enum call_kind */
    AS_FAULT,  /* enum fault_reason */
};

struct field {
    const char *key;
    enum as as;
};

struct fields {
    struct field extra, value;
};

/* A completion has a result. */
static struct fields event_fields(uint8_t detail)
{
    struct fields fields = {0};

    if (detail < EV_START)
        fields.extra = (struct field){"result", AS_RESULT};
    if (detail == EV_PORT_ALLOC || detail == EV_PORT_BIND || detail == EV_PORT)
        fields.value = (struct field){"port", AS_NUMBER};
    if (detail == EV_STORE_READ)
        fields.value = (struct field){"read", AS_TEXT};
    return fields;
}

static struct fields action_fields(uint8_t detail)
{
    static const struct fields known[] = {
        [ACT_SHARE] = {.extra = {"pages", AS_NUMBER}},
        [ACT_MAP] = {.extra = {"refs", AS_NUMBER}},
        [ACT_PORT_BIND] = {.extra = {"port", AS_NUMBER}},
        [ACT_PORT_CLOSE] = {.extra = {"port", AS_NUMBER}},
        [ACT_NOTIFY] = {.extra = {"port", AS_NUMBER}},
        [ACT_NET_READ] = {.value = {"bytes", AS_NUMBER}},
        [ACT_NET_WRITE] = {.value = {"bytes", AS_NUMBER}},
        [ACT_FAULT] = {.extra = {"reason", AS_FAULT}},
        [ACT_DONE] = {.extra = {"call", AS_CALL}, .value = {"result", AS_RESULT}},
    };

    return detail < sizeof(known) / sizeof(known[0]) ? known[detail] : (struct fields){0};
}

/* How the records of each point are shown. */
static const struct shape {
    const char *(*word)(uint8_t detail); /* NULL: the detail is a number */
    const char *key;                     /* of that number, always shown; NULL: a spare one */
    struct fields fields;
    struct fields (*fields_of)(uint8_t detail); /* instead of them, where it depends */
    bool is_token;                              /* token 0 is one, too */
    const char *token_key;                      /* it is a number */
} shapes[TRACE_POINT_COUNT] = {
    [TRACE_EVENT] = {.word = event_word, .fields_of = event_fields, .is_token = true},
    [TRACE_ACTION] = {.word = action_word, .fields_of = action_fields, .is_token = true},
    [TRACE_CALL] = {.word = call_word,
                    .fields = {{"bytes", AS_NUMBER}, {"result", AS_RESULT}},
                    .is_token = true},
    [TRACE_TURN] = {.fields = {{"steps", AS_NUMBER}, {"cost_ns", AS_NUMBER}}},
    [TRACE_NOTIFY] = {.word = fate_word,
                      .fields = {{"port", AS_NUMBER}, {"arrives_in_ns", AS_NUMBER}}},
    [TRACE_WAKE] = {.fields = {{"port", AS_NUMBER}, {0}}},
    [TRACE_LINK] = {.key = "sent_again",
                    .fields = {{"bytes", AS_NUMBER}, {"arrives_in_ns", AS_NUMBER}}},
    [TRACE_SOCKET] = {.word = socket_word, .fields = {{"port", AS_NUMBER}, {"other", AS_NUMBER}}},
    [TRACE_ARRIVAL] = {.fields = {{"workload", AS_NUMBER}, {"number", AS_NUMBER}},
                       .token_key = "due_ns"},
    [TRACE_ANSWER] = {.fields = {{"workload", AS_NUMBER}, {"latency_ns", AS_NUMBER}},
                      .token_key = "due_ns"},
    [TRACE_PHASE] = {.word = phase_word},
    [TRACE_PEER] = {.word = peer_word, .fields = {{"bytes", AS_NUMBER}, {"offset", AS_NUMBER}}},
    [TRACE_FAULT] = {.word = fault_word, .key = "which", .fields = {{0}, {"length_ns", AS_NUMBER}}},
};

/* ---- the text ---- */

/* Append a word to `text`, behind a space if it is not the first; what does not fit is cut. */
static void add(char text[TRACE_TEXT_BYTES], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(char text[TRACE_TEXT_BYTES], const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;

    if (used > 0 && used + 1 < TRACE_TEXT_BYTES)
        text[used++] = ' ';
    va_start(arguments, format);
    vsnprintf(text + used, TRACE_TEXT_BYTES - used, format, arguments);
    va_end(arguments);
}

static void add_number(char text[TRACE_TEXT_BYTES], const char *key, uint64_t value)
{
    add(text, "%s=%" PRIu64, key, value);
}

/* A result is 32 bits, widened with its sign or without. */
static void add_result(char text[TRACE_TEXT_BYTES], const char *key, uint64_t value)
{
    int32_t result = (int32_t)(uint32_t)value;
    bool wide = value > UINT32_MAX && value < UINT64_MAX - INT32_MAX;

    if (wide)
        add_number(text, key, value);
    else if (result < 0 && strcmp(err_name(result), "E?") != 0)
        add(text, "%s=-%s", key, err_name(result));
    else
        add(text, "%s=%" PRId32, key, result);
}

/* Characters that need no escape anywhere, else the number they are. */
static void add_text(char text[TRACE_TEXT_BYTES], const char *key, uint64_t value)
{
    static const char zeros[9];
    char bytes[9] = {0};
    size_t length;

    memcpy(bytes, &value, 8);
    length = strlen(bytes);
    if (trace_file_name_ok(bytes) && memcmp(bytes + length, zeros, sizeof(bytes) - length) == 0)
        add(text, "%s='%s'", key, bytes);
    else
        add(text, "%s=0x%" PRIx64, key, value);
}

/* A word for the number, if it has one. */
static void add_word(char text[TRACE_TEXT_BYTES], const char *key, uint64_t value, const char *word)
{
    if (word && strcmp(word, "?") != 0)
        add(text, "%s=%s", key, word);
    else
        add_number(text, key, value);
}

static void add_field(char text[TRACE_TEXT_BYTES], const char *name, const struct field *field,
                      uint64_t value)
{
    uint8_t small = value < UINT8_MAX ? (uint8_t)value : UINT8_MAX;

    switch (field->as) {
    case AS_SPARE:
        if (value > 0)
            add_number(text, name, value);
        break;
    case AS_NUMBER: add_number(text, field->key, value); break;
    case AS_RESULT: add_result(text, field->key, value); break;
    case AS_TEXT: add_text(text, field->key, value); break;
    case AS_CALL: add_word(text, field->key, value, call_word(small)); break;
    case AS_FAULT:
        add_word(text, field->key, value, step_fault_name((enum fault_reason)small));
        break;
    }
}

static void add_detail(char text[TRACE_TEXT_BYTES], const struct shape *shape, uint8_t detail)
{
    const char *word = shape->word ? shape->word(detail) : NULL;

    if (word && strcmp(word, "?") != 0)
        add(text, "%s", word);
    else if (shape->key)
        add_number(text, shape->key, detail);
    else if (shape->word || detail > 0)
        add_number(text, "detail", detail);
}

static void add_token(char text[TRACE_TEXT_BYTES], uint64_t token)
{
    unsigned device = step_device(token), generation = step_generation(token);

    if (step_slot(token) == STEP_SLOT_DEVICE)
        add(text, "%u/-/%u", device, generation);
    else
        add(text, "%u/%u/%u", device, (unsigned)step_slot(token), generation);
}

void trace_text_detail(const struct trace_record *record, char text[TRACE_TEXT_BYTES])
{
    static const struct shape unknown = {0};
    const struct shape *shape =
        record->point < TRACE_POINT_COUNT ? &shapes[record->point] : &unknown;
    struct fields fields = shape->fields_of ? shape->fields_of(record->detail) : shape->fields;

    text[0] = '\0';
    add_detail(text, shape, record->detail);
    if (shape->token_key)
        add_number(text, shape->token_key, record->token);
    else if (shape->is_token || record->token > 0)
        add_token(text, record->token);
    add_field(text, "extra", &fields.extra, record->extra);
    add_field(text, "value", &fields.value, record->value);
}

/* ---- lines ---- */

static const char *const point_names[TRACE_POINT_COUNT] = {
#define X(constant, name, meaning) name,
    TRACE_POINTS(X)
#undef X
};

const char *trace_text_point(enum trace_point point)
{
    return point_names[point];
}

bool trace_text_find_point(const char *name, uint8_t *point)
{
    for (uint32_t i = 0; i < TRACE_POINT_COUNT; i++)
        if (strcmp(point_names[i], name) == 0) {
            *point = (uint8_t)i;
            return true;
        }
    return false;
}

void trace_text_who(const struct trace_file *file, uint16_t who, char text[TRACE_FILE_NAME_BYTES])
{
    const char *name = trace_file_name(file, who);

    if (name)
        snprintf(text, TRACE_FILE_NAME_BYTES, "%s", name);
    else
        snprintf(text, TRACE_FILE_NAME_BYTES, "#%u", (unsigned)who);
}

void trace_text_print(FILE *out, const struct trace_file *file, const struct trace_record *record)
{
    char who[TRACE_FILE_NAME_BYTES], detail[TRACE_TEXT_BYTES];

    trace_text_who(file, record->who, who);
    trace_text_detail(record, detail);
    fprintf(out, "%6" PRIu64 ".%09" PRIu64 "  %-*s  %-7s%s%s\n", record->now_ns / 1000000000,
            record->now_ns % 1000000000, (int)trace_file_name_width(file), who,
            point_names[record->point], detail[0] ? "  " : "", detail);
}

void trace_text_print_json(FILE *out, const struct trace_file *file,
                           const struct trace_record *record)
{
    char who[TRACE_FILE_NAME_BYTES], detail[TRACE_TEXT_BYTES];

    trace_text_who(file, record->who, who);
    trace_text_detail(record, detail);
    fprintf(out,
            "{\"now_ns\":%" PRIu64 ",\"who\":%u,\"name\":\"%s\",\"point\":\"%s\",\"detail\":%u,"
            "\"token\":\"%016" PRIx64 "\",\"extra\":%" PRIu32 ",\"value\":%" PRIu64
            ",\"text\":\"%s\"}\n",
            record->now_ns, (unsigned)record->who, who, point_names[record->point],
            (unsigned)record->detail, record->token, record->extra, record->value, detail);
}
