/* The tables of the scenario format, in the order of xensock-scenario(5). See scenario_keys.h. */
#include "sim/run/scenario_keys.h"
#include "sim/run/study.h"

#include "sim/hv/hypervisor.h"

#include <stddef.h>

#define WORD(constant, word) word,
static const char *const modes[] = {SCENARIO_MODES(WORD)};
static const char *const schedulings[] = {SCENARIO_SCHEDULINGS(WORD)};
static const char *const roles[] = {SCENARIO_ROLES(WORD)};
static const char *const peer_kinds[] = {SCENARIO_PEER_KINDS(WORD)};
static const char *const workload_kinds[] = {SCENARIO_WORKLOAD_KINDS(WORD)};
static const char *const directions[] = {SCENARIO_DIRECTIONS(WORD)};
static const char *const arrivals[] = {SCENARIO_ARRIVALS(WORD)};
static const char *const fault_kinds[] = {SCENARIO_FAULT_KINDS(WORD)};
static const char *const records[] = {SCENARIO_RECORDS(WORD)};
static const char *const bools[] = {SCENARIO_BOOLS(WORD)};
static const char *const sides[] = {SCENARIO_SIDES(WORD)};
static const char *const conducts[] = {SCENARIO_CONDUCTS(WORD)};
static const char *const draws[] = {DRAW_KINDS(WORD)};

_Static_assert(sizeof(enum scenario_mode) == 4 && sizeof(enum scenario_role) == 4 &&
                   sizeof(enum scenario_peer_kind) == 4 &&
                   sizeof(enum scenario_workload_kind) == 4 &&
                   sizeof(enum scenario_direction) == 4 && sizeof(enum scenario_arrivals) == 4 &&
                   sizeof(enum scenario_scheduling) == 4 && sizeof(enum scenario_fault_kind) == 4 &&
                   sizeof(enum scenario_bool) == 4 && sizeof(enum scenario_side) == 4 &&
                   sizeof(enum scenario_conduct) == 4 && sizeof(enum draw_kind) == 4 &&
                   sizeof(enum scenario_record) == 4,
               "words are stored as 32-bit numbers");

/* clang-format off */
#define ALL SCENARIO_ALL_KINDS
#define ON(constant) (1u << SCENARIO_##constant)
#define SERVED (ON(PEER_ECHO) | ON(PEER_SINK) | ON(PEER_SOURCE) | ON(PEER_RESPONDER))
#define ASKS (ON(REQUEST_RESPONSE) | ON(CONNECT_CLOSE))
#define CONNECTS (ON(STREAM) | ASKS | ON(FORWARD))
#define LISTENS (ON(SERVE) | ON(FORWARD))
#define AT(type, member) .at = offsetof(struct type, member), .bytes = sizeof(((struct type *)0)->member)
#define WORDS(list) .words = (list), .word_count = sizeof(list) / sizeof((list)[0])
#define TABLE(rows) {(rows), sizeof(rows) / sizeof((rows)[0])}

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define DAY (86400 * SECOND)
#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

static const struct scenario_key root_keys[] = {
    {"schema", SCENARIO_TEXT, ALL, .required = ALL, AT(scenario, schema)},
    {"name", SCENARIO_NAME, ALL, .required = ALL, AT(scenario, name)},
    {"description", SCENARIO_TEXT, ALL, AT(scenario, description)},
    {"mode", SCENARIO_WORD, ALL, AT(scenario, mode), WORDS(modes), .preset = SCENARIO_EMULATED},
    {"seed", SCENARIO_COUNT, ALL, AT(scenario, seed), .max = INT64_MAX, .preset = 1},
    {"duration", SCENARIO_DURATION, ALL, AT(scenario, duration_ns), .min = MS, .max = DAY, .preset = SECOND},
    {"warmup", SCENARIO_DURATION, ALL, AT(scenario, warmup_ns), .max = DAY},
    {"timeout", SCENARIO_DURATION, ALL, AT(scenario, timeout_ns), .min = MS, .max = DAY, .preset = 60 * SECOND},
    {"cost_model", SCENARIO_TEXT, ALL, AT(scenario, cost_model), .min = 1, .text = SCENARIO_COST_MODEL},
    {"topology", SCENARIO_MAP, ALL, .required = ALL},
    {"protocol", SCENARIO_MAP, ALL, .required = 0},
    {"workload", SCENARIO_LIST, ALL, .required = 0},
    {"faults", SCENARIO_LIST, ALL, .required = 0},
    {"sweep", SCENARIO_MAP, ALL, .required = 0},
    {"repeat", SCENARIO_MAP, ALL, .required = 0},
    {"expect", SCENARIO_LIST, ALL, .required = 0},
    {"record", SCENARIO_MAP, ALL, .required = 0},
};
/* of one with `steps`; with `workload` beside it there is one too many: see scenario.c */
static const struct scenario_key script_keys[] = {
    {"schema", SCENARIO_TEXT, ALL, .required = ALL, AT(scenario, schema)},
    {"name", SCENARIO_NAME, ALL, .required = ALL, AT(scenario, name)},
    {"description", SCENARIO_TEXT, ALL, AT(scenario, description)},
    {"mode", SCENARIO_WORD, ALL, .required = ALL, AT(scenario, mode), WORDS(modes), .preset = SCENARIO_VIRTUAL},
    {"seed", SCENARIO_COUNT, ALL, AT(scenario, seed), .max = INT64_MAX, .preset = 1},
    {"protocol", SCENARIO_MAP, ALL, .required = 0},
    {"steps", SCENARIO_MAP, ALL, .required = ALL},
    {"sweep", SCENARIO_MAP, ALL, .required = 0},
    {"expect", SCENARIO_LIST, ALL, .required = 0},
};
static const struct scenario_key topology_keys[] = {
    {"hosts", SCENARIO_MAP, ALL, .required = ALL},
    {"peers", SCENARIO_MAP, ALL, .required = 0},
    {"links", SCENARIO_LIST, ALL, .required = 0},
    {"scheduling", SCENARIO_WORD, ALL, AT(scenario, scheduling), WORDS(schedulings), .preset = SCENARIO_RUN_UNTIL_BLOCK},
};
/* the range and default of `order` are the dialect's: see scenario_protocol.c */
static const struct scenario_key protocol_keys[] = {
    {"dialect", SCENARIO_TEXT, ALL, AT(scenario_protocol, dialect)},
    {"order", SCENARIO_COUNT, ALL, AT(scenario_protocol, order), .max = UINT32_MAX, .preset = UINT32_MAX},
};
/* the default of `backend` is the first backend: see scenario_check.c */
static const struct scenario_key host_keys[] = {
    {"role", SCENARIO_WORD, ALL, .required = ALL, AT(scenario_host, role), WORDS(roles)},
    {"count", SCENARIO_COUNT, ALL, AT(scenario_host, count), .min = 1, .max = SCENARIO_GUESTS_MAX, .preset = 1},
    {"cpu", SCENARIO_CPU, ALL, AT(scenario_host, cpu), .max = 1023, .preset = UINT32_MAX, .nullable = true},
    {"backend", SCENARIO_NAME, ALL, AT(scenario_host, backend_name), .nullable = true},
    {"peer", SCENARIO_TEXT, ALL, AT(scenario_host, peer), .min = 1, .text = "xensock"},
    {"protocol", SCENARIO_MAP, ALL, .required = 0},
    {"limits", SCENARIO_MAP, ALL, .required = 0},
};
/* Xen's max_grant_frames, and FIFO event channels have the most ports */
static const struct scenario_key limits_keys[] = {
    {"grant_frames", SCENARIO_COUNT, ALL, AT(scenario_host, grant_frames), .min = 1, .max = 1024, .preset = HYPERVISOR_FRAMES},
    {"ports", SCENARIO_COUNT, ALL, AT(scenario_host, ports), .min = 2, .max = HYPERVISOR_PORTS_FIFO, .nullable = true},
};
/* the default of a client's `listeners` is all, of `reset_after` for who resets 64 KiB: see scenario_listen.c */
static const struct scenario_key peer_keys[] = {
    {"kind", SCENARIO_WORD, ALL, .required = ALL, AT(scenario_peer, kind), WORDS(peer_kinds)},
    {"listen", SCENARIO_ADDR_ANY_PORT, SERVED, AT(scenario_peer, addr), .text = "127.0.0.1:0"},
    {"conduct", SCENARIO_WORD, ON(PEER_ECHO), AT(scenario_peer, conduct), WORDS(conducts), .preset = SCENARIO_CONDUCT_GOOD},
    {"reset_after", SCENARIO_SIZE, ON(PEER_ECHO), AT(scenario_peer, reset_after_bytes), .min = 1, .max = TIB, .nullable = true},
    {"address", SCENARIO_ADDR, ON(PEER_EXTERNAL), .required = ON(PEER_EXTERNAL), AT(scenario_peer, addr)},
    {"connect_to", SCENARIO_NAME, ON(PEER_CLIENT), .required = ON(PEER_CLIENT), AT(scenario_peer, connect_to)},
    {"connections", SCENARIO_COUNT, ON(PEER_CLIENT), AT(scenario_peer, connections), .min = 1, .max = SCENARIO_SOCKETS_MAX, .preset = 1},
    {"listeners", SCENARIO_COUNT, ON(PEER_CLIENT), AT(scenario_peer, listeners), .min = 1, .max = SCENARIO_LISTENERS_MAX, .nullable = true},
    {"bytes", SCENARIO_SIZE, ON(PEER_CLIENT), AT(scenario_peer, bytes), .min = 1, .max = TIB, .preset = MIB},
    {"cpu", SCENARIO_CPU, SERVED | ON(PEER_CLIENT), AT(scenario_peer, cpu), .max = 1023, .preset = UINT32_MAX, .nullable = true},
};
/* the default of `from` is the only backend: see scenario_check.c; of the others as Linux has it: 64 KiB
 * segments, tcp_rmem's 128 KiB to receive, four times as much to send, and TCP_RTO_MIN */
static const struct scenario_key link_keys[] = {
    {"from", SCENARIO_NAME, ALL, AT(scenario_link, from)},
    {"to", SCENARIO_NAME, ALL, .required = ALL, AT(scenario_link, to)},
    {"delay", SCENARIO_DURATION, ALL, AT(scenario_link, link.delay_ns), .max = 10 * SECOND},
    {"jitter", SCENARIO_DURATION, ALL, AT(scenario_link, link.jitter_ns), .max = 10 * SECOND},
    {"rate", SCENARIO_BANDWIDTH, ALL, AT(scenario_link, link.rate_bytes_per_s), .min = 1000, .max = UINT64_C(1000000000000), .nullable = true},
    {"loss", SCENARIO_SHARE, ALL, AT(scenario_link, link.loss_ppm), .max = 500000},
    {"retransmit", SCENARIO_DURATION, ALL, AT(scenario_link, link.retransmit_ns), .max = 10 * SECOND, .preset = 200 * MS},
    {"connect", SCENARIO_DURATION, ALL, AT(scenario_link, link.connect_ns), .max = 10 * SECOND},
    {"segment", SCENARIO_SIZE, ALL, AT(scenario_link, link.segment_bytes), .min = 1, .max = MIB, .preset = MIB / 16},
    {"send_buffer", SCENARIO_SIZE, ALL, AT(scenario_link, link.send_buffer_bytes), .min = 1, .max = 64 * MIB, .preset = MIB / 2},
    {"receive_buffer", SCENARIO_SIZE, ALL, AT(scenario_link, link.receive_buffer_bytes), .min = 1, .max = 64 * MIB, .preset = MIB / 8},
};
/* the default of `where` is the frontend: see scenario_check.c */
static const struct scenario_key workload_keys[] = {
    {"name", SCENARIO_NAME, ALL, .required = ALL, AT(scenario_workload, name)},
    {"kind", SCENARIO_WORD, ALL, .required = ALL, AT(scenario_workload, kind), WORDS(workload_kinds)},
    {"where", SCENARIO_NAME, ALL, AT(scenario_workload, where)},
    {"connect_to", SCENARIO_NAME, CONNECTS, .required = CONNECTS, AT(scenario_workload, connect_to)},
    {"sockets", SCENARIO_COUNT, ON(STREAM) | ASKS, AT(scenario_workload, sockets), .min = 1, .max = SCENARIO_SOCKETS_MAX, .preset = 1},
    {"start", SCENARIO_DURATION, ON(STREAM) | ASKS, AT(scenario_workload, start_ns), .max = DAY},
    {"stop", SCENARIO_DURATION, ON(STREAM) | ASKS, AT(scenario_workload, stop_ns), .min = 1, .max = DAY, .nullable = true},
    {"direction", SCENARIO_WORD, ON(STREAM), AT(scenario_workload, direction), WORDS(directions), .preset = SCENARIO_UP},
    {"bytes", SCENARIO_SIZE, ON(STREAM), AT(scenario_workload, bytes), .min = 1, .max = TIB, .nullable = true},
    {"write_size", SCENARIO_SIZES, ON(STREAM), AT(scenario_workload, write), .min = 1, .max = 16 * MIB, .preset = MIB / 16},
    {"read_size", SCENARIO_SIZE, ON(STREAM), AT(scenario_workload, read_bytes), .min = 1, .max = 16 * MIB, .preset = MIB / 16},
    {"repeat", SCENARIO_COUNT, ON(STREAM), AT(scenario_workload, repeat), .min = 1, .max = 1000000, .preset = 1},
    {"request", SCENARIO_SIZES, ON(REQUEST_RESPONSE), AT(scenario_workload, request), .min = 1, .max = 16 * MIB, .preset = 64},
    {"response", SCENARIO_SIZES, ON(REQUEST_RESPONSE), AT(scenario_workload, response), .min = 1, .max = 16 * MIB, .nullable = true},
    {"operations", SCENARIO_COUNT, ASKS, AT(scenario_workload, operations), .min = 1, .max = UINT64_C(1) << 40, .nullable = true},
    {"arrivals", SCENARIO_MAP, ASKS, .required = 0},
    {"listen", SCENARIO_ADDR, LISTENS, .required = LISTENS, AT(scenario_workload, listen)},
    {"listen_at", SCENARIO_WORD, ON(FORWARD), AT(scenario_workload, listen_at), WORDS(sides), .preset = SCENARIO_SIDE_GUEST},
    {"connections", SCENARIO_COUNT, ON(FORWARD), AT(scenario_workload, connections), .min = 1, .max = SCENARIO_SOCKETS_MAX, .preset = 64},
    {"hold", SCENARIO_DURATION, ON(FORWARD), AT(scenario_workload, hold_ns), .max = DAY, .preset = SECOND},
    {"listeners", SCENARIO_COUNT, ON(SERVE), AT(scenario_workload, listeners), .min = 1, .max = SCENARIO_LISTENERS_MAX, .preset = 1},
    {"polls", SCENARIO_WORD, ON(SERVE), AT(scenario_workload, polls), WORDS(bools), .preset = SCENARIO_FALSE},
    {"accepts", SCENARIO_COUNT, LISTENS, AT(scenario_workload, accepts), .min = 1, .max = UINT32_MAX, .nullable = true},
};
static const struct scenario_key arrivals_keys[] = {
    {"kind", SCENARIO_WORD, ALL, .required = ALL, AT(scenario_workload, arrivals.kind), WORDS(arrivals)},
    {"rate", SCENARIO_RATE, ALL, .required = ALL, AT(scenario_workload, arrivals.per_s), .min = 1, .max = SCENARIO_RATE_MAX},
    {"size", SCENARIO_COUNT, ON(BURST), .required = ON(BURST), AT(scenario_workload, arrivals.size), .min = 1, .max = SCENARIO_RATE_MAX, .preset = 1},
    {"on_for", SCENARIO_DURATION, ON(ON_OFF), .required = ON(ON_OFF), AT(scenario_workload, arrivals.on_ns), .min = MS / 1000, .max = DAY, .preset = MS},
    {"off_for", SCENARIO_DURATION, ON(ON_OFF), .required = ON(ON_OFF), AT(scenario_workload, arrivals.off_ns), .min = MS / 1000, .max = DAY, .preset = MS},
};
/* what one row cannot say: see scenario_draw.c */
#define DRAWN(constant) (1u << DRAW_##constant)
#define BOUNDED (DRAWN(UNIFORM) | DRAWN(EXPONENTIAL) | DRAWN(LOGNORMAL))
static const struct scenario_key sizes_keys[] = {
    {"kind", SCENARIO_WORD, ALL, .required = ALL, AT(draw, kind), WORDS(draws)},
    {"size", SCENARIO_SIZE, DRAWN(FIXED), .required = DRAWN(FIXED), AT(draw, value), .min = 1, .max = 16 * MIB},
    {"min", SCENARIO_SIZE, DRAWN(UNIFORM), .required = DRAWN(UNIFORM), AT(draw, min), .min = 1, .max = 16 * MIB, .preset = 1},
    {"mean", SCENARIO_SIZE, DRAWN(EXPONENTIAL), .required = DRAWN(EXPONENTIAL), AT(draw, mean), .min = 1, .max = 16 * MIB, .preset = 1},
    {"median", SCENARIO_SIZE, DRAWN(LOGNORMAL), .required = DRAWN(LOGNORMAL), AT(draw, median), .min = 1, .max = 16 * MIB, .preset = 1},
    {"p99", SCENARIO_SIZE, DRAWN(LOGNORMAL), .required = DRAWN(LOGNORMAL), AT(draw, p99), .min = 1, .max = 16 * MIB, .preset = 16 * MIB},
    {"max", SCENARIO_SIZE, BOUNDED, .required = DRAWN(UNIFORM), AT(draw, max), .min = 1, .max = 16 * MIB, .preset = 16 * MIB},
};
/* `where` may be more than a name: see scenario_faults.c */
static const struct scenario_key fault_keys[] = {
    {"kind", SCENARIO_WORD, ALL, .required = ALL, AT(scenario_fault, kind), WORDS(fault_kinds)},
    {"where", SCENARIO_TEXT, ALL, .required = ALL, AT(scenario_fault, where), .min = 1},
    {"at", SCENARIO_DURATION, ALL, AT(scenario_fault, at_ns), .max = DAY},
    {"for", SCENARIO_DURATION, ON(FAULT_RESTART) | ON(FAULT_PAUSE), .required = ON(FAULT_PAUSE), AT(scenario_fault, for_ns), .max = DAY},
    {"every", SCENARIO_DURATION, ON(FAULT_RESTART) | ON(FAULT_PAUSE), AT(scenario_fault, every_ns), .min = MS, .max = DAY, .nullable = true},
    {"times", SCENARIO_COUNT, ON(FAULT_RESTART) | ON(FAULT_PAUSE), AT(scenario_fault, times), .min = 1, .max = 1000000, .nullable = true},
};
static const struct scenario_key record_keys[] = {
    {"stages", SCENARIO_WORD, ALL, AT(scenario_recording, stages), WORDS(bools), .preset = SCENARIO_FALSE},
    {"trace", SCENARIO_WORD, ALL, AT(scenario_recording, trace), WORDS(records), .preset = SCENARIO_NEVER},
    {"capture", SCENARIO_WORD, ALL, AT(scenario_recording, capture), WORDS(records), .preset = SCENARIO_NEVER},
};
static const struct scenario_key axis_keys[] = {
    {"path", SCENARIO_TEXT, ALL, .required = ALL, AT(study_axis, path), .min = 1},
    {"values", SCENARIO_LIST, ALL, .required = ALL},
    {"zip", SCENARIO_NAME, ALL, AT(study_axis, zip), .nullable = true},
};
static const struct scenario_key repeat_keys[] = {
    {"count", SCENARIO_COUNT, ALL, AT(study, repeat_count), .min = 1, .max = STUDY_REPEATS_MAX, .preset = 1},
};
/* one of `that` and `error`: see study.c */
static const struct scenario_key expect_keys[] = {
    {"name", SCENARIO_NAME, ALL, .required = ALL, AT(study_expect, name)},
    {"that", SCENARIO_TEXT, ALL, AT(study_expect, that), .min = 1, .nullable = true},
    {"error", SCENARIO_TEXT, ALL, AT(study_expect, error), .min = 1, .nullable = true},
    {"when", SCENARIO_TEXT, ALL, AT(study_expect, when), .min = 1, .nullable = true},
};
/* clang-format on */

const struct scenario_table scenario_keys_root = TABLE(root_keys);
const struct scenario_table scenario_keys_script = TABLE(script_keys);
const struct scenario_table scenario_keys_topology = TABLE(topology_keys);
const struct scenario_table scenario_keys_protocol = TABLE(protocol_keys);
const struct scenario_table scenario_keys_host = TABLE(host_keys);
const struct scenario_table scenario_keys_limits = TABLE(limits_keys);
const struct scenario_table scenario_keys_peer = TABLE(peer_keys);
const struct scenario_table scenario_keys_link = TABLE(link_keys);
const struct scenario_table scenario_keys_workload = TABLE(workload_keys);
const struct scenario_table scenario_keys_arrivals = TABLE(arrivals_keys);
const struct scenario_table scenario_keys_sizes = TABLE(sizes_keys);
const struct scenario_table scenario_keys_fault = TABLE(fault_keys);

_Static_assert(sizeof(workload_keys) / sizeof(workload_keys[0]) <= SCENARIO_KEYS_MAX,
               "the largest table");
const struct scenario_table scenario_keys_record = TABLE(record_keys);
const struct scenario_table scenario_keys_axis = TABLE(axis_keys);
const struct scenario_table scenario_keys_repeat = TABLE(repeat_keys);
const struct scenario_table scenario_keys_expect = TABLE(expect_keys);
