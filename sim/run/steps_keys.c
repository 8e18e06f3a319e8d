/* The tables of a script's steps, in the order of xensock-scenario(5). See steps.h. */
#include "sim/run/steps.h"

#include <stddef.h>

#define WORD(constant, word) word,
static const char *const sides[] = {STEPS_SIDES(WORD)};
static const char *const calls[] = {STEPS_CALLS(WORD)};
static const char *const peer_does[] = {STEPS_PEER_DOES(WORD)};
static const char *const peer_sees[] = {STEPS_PEER_SEES(WORD)};
static const char *const upcalls[] = {STEPS_UPCALLS(WORD)};
static const char *const words[] = {STEPS_WORDS(WORD)};
static const char *const states[] = {STEPS_STATES(WORD)};
static const char *const bools[] = {SCENARIO_BOOLS(WORD)};

_Static_assert(sizeof(enum steps_side) == 4 && sizeof(enum steps_call) == 4 &&
                   sizeof(enum steps_peer) == 4 && sizeof(enum steps_sees) == 4 &&
                   sizeof(enum steps_upcall) == 4 && sizeof(enum steps_word) == 4 &&
                   sizeof(enum steps_state) == 4,
               "words are stored as 32-bit numbers");

/* clang-format off */
#define ALL SCENARIO_ALL_KINDS
#define AT(member) .at = offsetof(struct steps_step, member), .bytes = sizeof(((struct steps_step *)0)->member)
#define WORDS(list) .words = (list), .word_count = sizeof(list) / sizeof((list)[0])
#define TABLE(rows) {(rows), sizeof(rows) / sizeof((rows)[0])}
#define COUNT32(name, member) {(name), SCENARIO_COUNT, ALL, AT(member), .max = UINT32_MAX}
#define SOCKID(name, member) {(name), SCENARIO_COUNT, ALL, AT(member), .max = UINT64_MAX - 1}
#define YES(name, member) {(name), SCENARIO_WORD, ALL, AT(member), WORDS(bools), .preset = SCENARIO_TRUE}

#define SECOND UINT64_C(1000000000)
#define DAY (86400 * SECOND)

static const struct scenario_key request_keys[] = {
    {"cmd", SCENARIO_WORD, ALL, AT(cmd), WORDS(calls)},
    COUNT32("id", id),
    SOCKID("sockid", sockid),
    SOCKID("new_sockid", new_sockid),
    {"addr", SCENARIO_ADDR_ANY_PORT, ALL, AT(addr)},
    COUNT32("flags", flags),
    COUNT32("backlog", backlog),
    COUNT32("reuse", reuse),
    COUNT32("family", family),
    COUNT32("type", type),
    COUNT32("protocol", protocol),
    COUNT32("evtchn", evtchn),
    COUNT32("ref", ref),
    {"order", SCENARIO_COUNT, ALL, AT(order), .max = 31},
    COUNT32("code", code),
    YES("publish", publish),
    YES("notify", notify),
    YES("arm", arm),
};
static const struct scenario_key response_keys[] = {
    {"cmd", SCENARIO_WORD, ALL, AT(cmd), WORDS(calls)},
    COUNT32("id", id),
    SOCKID("sockid", sockid),
    {"ret", SCENARIO_TEXT, ALL, AT(ret_text), .min = 1},
    COUNT32("code", code),
    YES("publish", publish),
    YES("notify", notify),
    YES("arm", arm),
};
static const struct scenario_key notify_keys[] = {
    {"of", SCENARIO_TEXT, ALL, .required = ALL, AT(of), .min = 1},
};
static const struct scenario_key notified_keys[] = {
    {"of", SCENARIO_TEXT, ALL, .required = ALL, AT(of), .min = 1},
    {"times", SCENARIO_COUNT, ALL, AT(times), .min = 1, .max = 1000, .preset = 1},
};
static const struct scenario_key write_keys[] = {
    {"sockid", SCENARIO_COUNT, ALL, .required = ALL, AT(sockid), .max = UINT64_MAX - 1},
    {"data", SCENARIO_TEXT, ALL, AT(data), .min = 1},
    {"bytes", SCENARIO_SIZE, ALL, AT(bytes), .min = 1, .max = STEPS_PATTERN_MAX},
    YES("publish", publish),
    YES("notify", notify),
};
static const struct scenario_key read_keys[] = {
    {"sockid", SCENARIO_COUNT, ALL, .required = ALL, AT(sockid), .max = UINT64_MAX - 1},
    {"data", SCENARIO_TEXT, ALL, AT(data), .min = 1},
    {"bytes", SCENARIO_SIZE, ALL, AT(bytes), .min = 1, .max = STEPS_PATTERN_MAX},
    YES("publish", publish),
    YES("notify", notify),
};
static const struct scenario_key error_keys[] = {
    {"sockid", SCENARIO_COUNT, ALL, .required = ALL, AT(sockid), .max = UINT64_MAX - 1},
    {"word", SCENARIO_WORD, ALL, .required = ALL, AT(word), WORDS(words)},
    {"ret", SCENARIO_TEXT, ALL, .required = ALL, AT(ret_text), .min = 1},
    YES("notify", notify),
};
/* also of attach, which has none */
static const struct scenario_key offer_keys[] = {
    COUNT32("order", order),
};
static const struct scenario_key state_keys[] = {
    {"is", SCENARIO_WORD, ALL, .required = ALL, AT(state), WORDS(states)},
};
static const struct scenario_key store_keys[] = {
    {"key", SCENARIO_TEXT, ALL, .required = ALL, AT(key), .min = 1},
    {"value", SCENARIO_TEXT, ALL, .required = ALL, AT(value)},
};
static const struct scenario_key fault_keys[] = {
    {"reason", SCENARIO_TEXT, ALL, .required = ALL, AT(reason), .min = 1},
    {"index", SCENARIO_TEXT, ALL, AT(number_text[0]), .min = 1},
    {"value", SCENARIO_TEXT, ALL, AT(number_text[1]), .min = 1},
};
static const struct scenario_key raw_keys[] = {
    {"of", SCENARIO_TEXT, ALL, .required = ALL, AT(of), .min = 1},
    {"word", SCENARIO_WORD, ALL, AT(word), WORDS(words)},
    {"value", SCENARIO_TEXT, ALL, AT(number_text[1]), .min = 1},
    {"slot", SCENARIO_COUNT, ALL, AT(slot), .max = UINT32_MAX},
    {"at", SCENARIO_COUNT, ALL, AT(slot_at), .max = DIALECT_SLOT_MAX - 1},
    {"hex", SCENARIO_TEXT, ALL, AT(data), .min = 2},
};
static const struct scenario_key index_keys[] = {
    {"of", SCENARIO_TEXT, ALL, .required = ALL, AT(of), .min = 1},
    {"word", SCENARIO_WORD, ALL, .required = ALL, AT(word), WORDS(words)},
    {"value", SCENARIO_TEXT, ALL, .required = ALL, AT(number_text[1]), .min = 1},
};
static const struct scenario_key peer_keys[] = {
    {"sockid", SCENARIO_COUNT, ALL, .required = ALL, AT(sockid), .max = UINT64_MAX - 1},
    {"does", SCENARIO_WORD, ALL, .required = ALL, AT(does), WORDS(peer_does)},
    {"data", SCENARIO_TEXT, ALL, AT(data), .min = 1},
    {"bytes", SCENARIO_SIZE, ALL, AT(bytes), .min = 1, .max = STEPS_PATTERN_MAX},
    {"ret", SCENARIO_TEXT, ALL, AT(ret_text), .min = 1},
};
static const struct scenario_key sees_keys[] = {
    {"sockid", SCENARIO_COUNT, ALL, .required = ALL, AT(sockid), .max = UINT64_MAX - 1},
    {"what", SCENARIO_WORD, ALL, .required = ALL, AT(sees), WORDS(peer_sees)},
    {"addr", SCENARIO_ADDR_ANY_PORT, ALL, AT(addr)},
    {"data", SCENARIO_TEXT, ALL, AT(data), .min = 1},
    {"bytes", SCENARIO_SIZE, ALL, AT(bytes), .min = 1, .max = STEPS_PATTERN_MAX},
};
static const struct scenario_key call_keys[] = {
    {"cmd", SCENARIO_WORD, ALL, .required = ALL, AT(cmd), WORDS(calls)},
    {"sockid", SCENARIO_COUNT, ALL, .required = ALL, AT(sockid), .max = UINT64_MAX - 1},
    SOCKID("new_sockid", new_sockid),
    {"addr", SCENARIO_ADDR_ANY_PORT, ALL, AT(addr)},
    {"data", SCENARIO_TEXT, ALL, AT(data), .min = 1},
    {"bytes", SCENARIO_SIZE, ALL, AT(bytes), .min = 1, .max = STEPS_PATTERN_MAX},
    {"ret", SCENARIO_TEXT, ALL, AT(ret_text), .min = 1},
};
static const struct scenario_key told_keys[] = {
    {"what", SCENARIO_WORD, ALL, .required = ALL, AT(upcall), WORDS(upcalls)},
    {"cmd", SCENARIO_WORD, ALL, AT(cmd), WORDS(calls)},
    SOCKID("sockid", sockid),
    {"ret", SCENARIO_TEXT, ALL, AT(ret_text), .min = 1},
};
static const struct scenario_key quiet_keys[] = {
    {"lasts", SCENARIO_DURATION, ALL, .required = ALL, AT(lasts_ns), .max = DAY},
};

#undef AT
#define AT(type, member) .at = offsetof(struct type, member), .bytes = sizeof(((struct type *)0)->member)
static const struct scenario_key steps_rows[] = {
    {"against", SCENARIO_WORD, ALL, .required = ALL, AT(steps, against), WORDS(sides)},
    {"connected", SCENARIO_WORD, ALL, AT(steps, connected), WORDS(bools), .preset = SCENARIO_TRUE},
    {"peer", SCENARIO_TEXT, ALL, AT(steps, peer), .min = 1, .text = "xensock"},
    {"max_sockets", SCENARIO_COUNT, ALL, AT(steps, max_sockets), .min = 1, .max = 1024, .preset = 64},
    {"linger", SCENARIO_DURATION, ALL, AT(steps, linger_ns), .max = DAY},
    {"ignore", SCENARIO_LIST, ALL, .required = 0},
    {"script", SCENARIO_LIST, ALL, .required = ALL},
};
/* clang-format on */

const struct scenario_table steps_keys[STEPS_KIND_COUNT] = {
    [STEPS_REQUEST] = TABLE(request_keys), [STEPS_RESPONSE] = TABLE(response_keys),
    [STEPS_NOTIFY] = TABLE(notify_keys),   [STEPS_NOTIFIED] = TABLE(notified_keys),
    [STEPS_WRITE] = TABLE(write_keys),     [STEPS_READ] = TABLE(read_keys),
    [STEPS_ERROR] = TABLE(error_keys),     [STEPS_OFFER] = TABLE(offer_keys),
    [STEPS_ATTACH] = {offer_keys, 0},      [STEPS_STATE] = TABLE(state_keys),
    [STEPS_BECOMES] = TABLE(state_keys),   [STEPS_STORE] = TABLE(store_keys),
    [STEPS_FAULT] = TABLE(fault_keys),     [STEPS_RAW] = TABLE(raw_keys),
    [STEPS_INDEX] = TABLE(index_keys),     [STEPS_PEER] = TABLE(peer_keys),
    [STEPS_SEES] = TABLE(sees_keys),       [STEPS_CALL] = TABLE(call_keys),
    [STEPS_TOLD] = TABLE(told_keys),       [STEPS_QUIET] = TABLE(quiet_keys),
};
const struct scenario_table steps_keys_steps = TABLE(steps_rows);

_Static_assert(sizeof(request_keys) / sizeof(request_keys[0]) <= SCENARIO_KEYS_MAX,
               "the largest table");
