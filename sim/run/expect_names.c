/*
 * The names that expressions may use: metrics of workloads, counters, processes, axes. See
 * expect.h.
 *
 * Counters are asked of those who count, so there is no second list of them.
 */
#include "sim/run/expect_private.h"
#include "sim/run/metrics_counters.h"
#include "sim/run/report.h"
#include "sim/run/study.h"

#include <assert.h>
#include <string.h>

#define ON(constant) (1u << SCENARIO_##constant)
#define ASKS (ON(REQUEST_RESPONSE) | ON(CONNECT_CLOSE))
#define EVERY (ON(STREAM) | ASKS | ON(SERVE) | ON(FORWARD))

static const struct metric_row {
    const char *name, *unit, *what;
    uint32_t kinds; /* of workloads that have it; 0: of something else */
    bool histogram;
} metrics[] = {
    {"throughput", "bytes_per_s", "bytes carried a second, both ways", EVERY, false},
    {"bytes", "bytes", "bytes carried, both ways", EVERY, false},
    {"operations", "operations", "operations done", EVERY, false},
    {"duration", "ns", "how long it was measured", EVERY, false},
    {"latency", "ns", "of an operation, from when it was to begin", ASKS, true},
    {"service", "ns", "of an operation, from when it began; of an open loop", ASKS, true},
    {"released", "ns", "of an operation, to its socket's release", ON(CONNECT_CLOSE), true},
    {"offered", "operations_per_s", "operations wanted; of an open loop", ASKS, false},
    {"backlog", "operations", "operations due and never begun; of an open loop", ASKS, false},
    {"accepted", "connections", "connections accepted", ON(SERVE), false},
    {"forwarded", "connections", "connections carried", ON(FORWARD), false},
    {"sent", "bytes", "bytes towards the backend", ON(FORWARD), false},
    {"received", "bytes", "bytes from the backend", EVERY, false},
    {"lost", "connections", "connections that faults cut", EVERY, false},
    {"resumed", "times", "how often a device came again", EVERY, false},
    {"recovery", "ns", "the longest time until devices were up again after a fault", 0, false},
    {"stage", "ns", "how long bytes or commands were at one stage of their way", 0, true},
};

enum { METRIC_COUNT = sizeof(metrics) / sizeof(metrics[0]), WORDS_MAX = 128 };

bool expect_metric_at(uint32_t i, struct expect_metric *metric)
{
    if (i >= METRIC_COUNT)
        return false;
    *metric = (struct expect_metric){.name = metrics[i].name,
                                     .unit = metrics[i].unit,
                                     .of = metrics[i].kinds                           ? "WORKLOAD"
                                           : strcmp(metrics[i].name, "recovery") == 0 ? "HOST"
                                                                                      : "STAGE",
                                     .what = metrics[i].what,
                                     .dim = expect_unit_dim(metrics[i].unit),
                                     .histogram = metrics[i].histogram};
    return true;
}

/* Words to suggest from. */
struct words {
    const char *list[WORDS_MAX];
    uint32_t count;
};

static void words_add(struct words *words, const char *word)
{
    if (words->count < WORDS_MAX)
        words->list[words->count++] = word;
}

static bool words_have(const struct words *words, const char *word)
{
    for (uint32_t i = 0; i < words->count; i++)
        if (strcmp(words->list[i], word) == 0)
            return true;
    return false;
}

static bool unknown(struct expect_parser *parser, const struct expect_token *token,
                    const char *part, const char *what, const struct words *words)
{
    if (expect_fail(parser, DIAG_EXPECT_NAME, token, "no %s is called '%.60s'", what, part))
        diag_suggest(parser->diags, part, "names", words->list, words->count);
    return false;
}

/* ---- metrics ---- */

static bool metric_of_workload(struct expect_parser *parser, const struct expect_token *token,
                               const struct metric_row *row, const char *of)
{
    const struct scenario *scenario = &parser->study->first;
    struct words words = {.count = 0};

    if (!parser->study->sound)
        return true;
    for (uint32_t i = 0; i < scenario->workload_count; i++) {
        const struct scenario_workload *workload = &scenario->workloads[i];
        if (strcmp(workload->name, of) != 0) {
            words_add(&words, workload->name);
            continue;
        }
        if (row->kinds >> workload->kind & 1)
            return true;
        expect_fail(parser, DIAG_EXPECT_NAME, token, "workload '%s' has no %s", of, row->name);
        return false;
    }
    return unknown(parser, token, of, "workload", &words);
}

static bool metric_of_host(struct expect_parser *parser, const struct expect_token *token,
                           const char *of)
{
    const struct scenario *scenario = &parser->study->first;
    struct words words = {.list = {"hypervisor"}, .count = 1};

    for (uint32_t i = 0; i < scenario->host_count; i++)
        words_add(&words, scenario->hosts[i].name);
    return !parser->study->sound || words_have(&words, of) ||
           unknown(parser, token, of, "host", &words);
}

static bool name_metric(struct expect_parser *parser, const struct expect_token *token,
                        const struct metric_row *row, struct expect_node *node)
{
    const char *of = node->name + strlen(row->name) + 1;

    node->kind = EXPECT_METRIC;
    node->dim = expect_unit_dim(row->unit);
    node->type = row->histogram ? EXPECT_IS_HISTOGRAM : EXPECT_IS_NUMBER;
    if (strcmp(row->name, "recovery") == 0)
        return metric_of_host(parser, token, of);
    return row->kinds == 0 || metric_of_workload(parser, token, row, of);
}

/* ---- counters ---- */

/* Those of a role, whoever counts them; in virtual time its CPU too. */
static void role_counters(struct metrics_counters *all, bool frontend)
{
    static const struct hv_counters hv;
    static const struct exec_counters exec;
    static const struct vcpu_counters vcpu;
    static const struct fe_counters fe;
    static const struct be_counters be;
    static const struct net_counters net;

    all->count = 0;
    metrics_counters_hv(all, &hv);
    metrics_counters_exec(all, &exec);
    metrics_counters_vcpu(all, &vcpu);
    if (frontend) {
        metrics_counters_fe(all, &fe);
    } else {
        metrics_counters_be(all, &be);
        metrics_counters_net(all, &net);
    }
}

static bool ends_with(const char *text, const char *end)
{
    size_t bytes = strlen(text), end_bytes = strlen(end);

    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/* By its name's end, as all keys of a result say theirs. */
static struct expect_dim counter_dim(const char *name)
{
    if (ends_with(name, "_ns"))
        return expect_unit_dim("ns");
    if (ends_with(name, "_bytes") || ends_with(name, "bytes_in") || ends_with(name, "bytes_out"))
        return expect_unit_dim("bytes");
    return expect_unit_dim(NULL);
}

/* ROLE.COUNTER, ROLE.HOST.COUNTER, and ROLE.cost.NAME_ns, which the cost model names. */
static bool counter_of_role(struct expect_parser *parser, const struct expect_token *token,
                            const char *role, const char *rest)
{
    const struct scenario *scenario = &parser->study->first;
    struct metrics_counters all;
    struct words words = {.count = 0};

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        size_t bytes = strlen(scenario->hosts[i].name);
        if (strncmp(rest, scenario->hosts[i].name, bytes) == 0 && rest[bytes] == '.') {
            rest += bytes + 1;
            break;
        }
    }
    if (strncmp(rest, "cost.", 5) == 0 || !parser->study->sound)
        return true;
    role_counters(&all, strcmp(role, "frontend") == 0);
    for (uint32_t i = 0; i < all.count; i++)
        words_add(&words, all.list[i].name);
    return words_have(&words, rest) || unknown(parser, token, rest, "counter", &words);
}

static bool counter_of_peer(struct expect_parser *parser, const struct expect_token *token,
                            const char *rest)
{
    const struct scenario *scenario = &parser->study->first;
    static const struct peer_counters none;
    const char *dot = strchr(rest, '.');
    size_t bytes = dot ? (size_t)(dot - rest) : strlen(rest);
    struct words words = {.count = 0};
    char name[EXPECT_NAME_BYTES];
    bool found = false;

    for (uint32_t i = 0; i < scenario->peer_count; i++) {
        words_add(&words, scenario->peers[i].name);
        found |= strlen(scenario->peers[i].name) == bytes &&
                 strncmp(scenario->peers[i].name, rest, bytes) == 0;
    }
    if (!parser->study->sound)
        return true;
    if (found && !dot) {
        if (expect_fail(parser, DIAG_EXPECT_NAME, token, "of peer '%s' it names no counter", rest))
            diag_hint(parser->diags, "such as peer.%s.bytes_in", rest);
        return false;
    }
    snprintf(name, sizeof(name), "%.*s", (int)bytes, rest);
    if (!found)
        return unknown(parser, token, name, "peer", &words);
    json_t *counters = report_peer_counters(&none);
    found = json_object_get(counters, dot + 1) != NULL;
    if (!found) {
        const char *key;
        json_t *value;
        words.count = 0;
        json_object_foreach(counters, key, value) words_add(&words, key);
        unknown(parser, token, dot + 1, "counter", &words);
    }
    json_decref(counters);
    return found;
}

static bool name_counter(struct expect_parser *parser, const struct expect_token *token,
                         struct expect_node *node)
{
    static const struct words beside = {.list = {"virtual.events", "virtual.records",
                                                 "virtual.protocol_events", "capture.packets",
                                                 "capture.lost"},
                                        .count = 5};
    const char *name = node->name;

    node->kind = EXPECT_COUNTER;
    node->type = EXPECT_IS_NUMBER;
    node->dim = counter_dim(name);
    if (strncmp(name, "frontend.", 9) == 0)
        return counter_of_role(parser, token, "frontend", name + 9);
    if (strncmp(name, "backend.", 8) == 0)
        return counter_of_role(parser, token, "backend", name + 8);
    if (strncmp(name, "peer.", 5) == 0)
        return counter_of_peer(parser, token, name + 5);
    return words_have(&beside, name) || unknown(parser, token, name, "counter", &beside);
}

/* ---- all ---- */

static bool begins(const char *name, const char *word)
{
    size_t bytes = strlen(word);

    return strncmp(name, word, bytes) == 0 && name[bytes] == '.';
}

static bool name_axis(const struct study *study, struct expect_node *node)
{
    uint32_t axis = study_axis_find(study, node->name);

    if (axis == study->axis_count)
        return false;
    node->kind = EXPECT_AXIS;
    node->axis = axis;
    node->of = EXPECT_OF_POINT;
    node->type = study->axes[axis].unit == STUDY_TEXT ? EXPECT_IS_TEXT : EXPECT_IS_NUMBER;
    node->dim = expect_unit_dim(study_unit_word(study->axes[axis].unit));
    return true;
}

/* Whether it is a value of an axis, which would have to be quoted. */
static bool is_value(const struct study *study, const char *name)
{
    for (uint32_t i = 0; i < study->axis_count; i++)
        for (uint32_t j = 0; study->axes[i].unit == STUDY_TEXT && j < study->axes[i].count; j++)
            if (strcmp(study_text(study, i, j), name) == 0)
                return true;
    return false;
}

/* What a name alone does not mean, but would with more: false if that is not it. */
static bool fail_bare(struct expect_parser *parser, const struct expect_token *token,
                      const char *name)
{
    struct expect_metric metric;
    uint32_t i = 0;

    while (expect_metric_at(i, &metric) && strcmp(metric.name, name) != 0)
        i++;
    if (i < METRIC_COUNT) {
        if (expect_fail(parser, DIAG_EXPECT_NAME, token, "'%s' does not say whose", name))
            diag_hint(parser->diags, "such as %s.%s", name, metric.of);
    } else if (expect_is_function(name)) {
        if (expect_fail(parser, DIAG_EXPECT_NAME, token, "'%.60s' is a function", name))
            diag_hint(parser->diags, "its argument stands in brackets");
    } else if (is_value(parser->study, name)) {
        if (expect_fail(parser, DIAG_EXPECT_NAME, token, "'%.60s' is no name", name))
            diag_hint(parser->diags, "a value of an axis stands in quotes: \"%.60s\"", name);
    } else {
        return false;
    }
    return true;
}

/* A first word that leads nowhere: all there are, and the axes. */
static bool unknown_word(struct expect_parser *parser, const struct expect_token *token,
                         const char *name)
{
    struct words words = {.list = {"frontend", "backend", "peer", "cpu", "errors"}, .count = 5};
    char first[EXPECT_NAME_BYTES];

    for (uint32_t i = 0; i < METRIC_COUNT; i++)
        words_add(&words, metrics[i].name);
    for (uint32_t i = 0; i < parser->study->axis_count; i++)
        words_add(&words, parser->study->axes[i].name);
    snprintf(first, sizeof(first), "%.*s", (int)strcspn(name, "."), name);
    return !fail_bare(parser, token, name) &&
           unknown(parser, token, first, "metric, counter or axis", &words);
}

/* Of what is no code there would always be none, and nobody would know. */
static bool is_error(struct expect_parser *parser, const struct expect_token *token,
                     const char *code)
{
    if (study_is_code(code))
        return true;
    if (expect_fail(parser, DIAG_EXPECT_NAME, token, "no error has a code '%.60s'", code))
        diag_hint(parser->diags, "such as errors.E0501");
    return false;
}

bool expect_name(struct expect_parser *parser, const struct expect_token *token,
                 struct expect_node *node)
{
    static const char *const counters[] = {"frontend", "backend", "peer", "virtual", "capture"};

    if (token->length >= sizeof(node->name)) {
        expect_fail(parser, DIAG_EXPECT_NAME, token, "a name has at most %zu characters",
                    sizeof(node->name) - 1);
        return false;
    }
    memcpy(node->name, parser->text + token->at, token->length);
    node->name[token->length] = '\0';
    if (name_axis(parser->study, node))
        return true;
    node->of = EXPECT_OF_REPEAT | EXPECT_OF_POINT | EXPECT_OF_METRICS;
    for (uint32_t i = 0; i < METRIC_COUNT; i++)
        if (begins(node->name, metrics[i].name))
            return name_metric(parser, token, &metrics[i], node);
    for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++)
        if (begins(node->name, counters[i]))
            return name_counter(parser, token, node);
    node->kind = begins(node->name, "cpu") ? EXPECT_CPU : EXPECT_ERRORS;
    node->dim = expect_unit_dim(node->kind == EXPECT_CPU ? "ns" : NULL);
    if (begins(node->name, "errors"))
        return is_error(parser, token, strchr(node->name, '.') + 1);
    return node->kind == EXPECT_CPU || strcmp(node->name, "errors") == 0 ||
           unknown_word(parser, token, node->name);
}
