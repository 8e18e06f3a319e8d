/*
 * Fuzz harness of the texts that people write: scenarios, --set overrides, cost models.
 *
 * The input: a first byte, whose bit 0 says that a cost model follows and not a scenario, and whose
 * bits 1 and 2 say how many overrides do; then those, each ended by a NUL; the rest is the file.
 *
 * What is checked: a text is either accepted without an error, or refused with errors that have a
 * code, words fit for a terminal and a place that exists; what is accepted holds the limits that
 * scenario.h and model.h promise; printed with every default filled in and read again it is the
 * same; and nothing is opened but that one text, wherever it says its cost model is.
 * Not checked: what a fault is worded like, which test_scenario.c and test_model.c do.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/fuzz/expressions.h"
#include "tests/fuzz/fuzz_draws.h"

#include "ringlib/dialect.h"
#include "sim/run/model.h"
#include "sim/run/scenario.h"
#include "sim/run/units.h"
#include "sim/time/prng.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

enum {
    INPUT_BYTES_MAX = 1 << 15,
    PRINTED_BYTES_MAX = 1 << 17,
    SETS_MAX = 3,
    DRAWS = 4, /* of each cost of an accepted model */
};

#define FILE_PATH "below/text.yaml" /* what the loader is told to read */

/* ---- the files there are: one ---------------------------------------------------------------- */

/* While `served` is set, every file is this text or absent, and what was asked for is noted. */
static const char *served;
static size_t served_bytes;
static char absent_path[4096]; /* the last one that was absent */
static unsigned opened, absent;

FILE *fopen(const char *path, const char *mode)
{
    union { /* fmemopen takes no const, but reads only */
        const char *in;
        char *out;
    } text = {served};

    if (!served) {
        union { /* POSIX has functions fit a void *, C does not */
            void *object;
            FILE *(*function)(const char *, const char *);
        } real = {dlsym(RTLD_NEXT, "fopen64")};

        return real.function(path, mode);
    }
    FUZZ_CHECK(strcmp(mode, "rb") == 0, "%s is opened for '%s'", path, mode);
    if (strcmp(path, FILE_PATH) == 0) {
        opened++;
        return fmemopen(text.out, served_bytes, "rb");
    }
    absent++;
    snprintf(absent_path, sizeof(absent_path), "%s", path);
    errno = ENOENT;
    return NULL;
}

static void serve(const char *text, size_t bytes)
{
    served = text;
    served_bytes = bytes;
    opened = 0;
    absent = 0;
}

/* ---- text ------------------------------------------------------------------------------------ */

/* The character at `at`, which is advanced; UINT32_MAX if it is not UTF-8 (RFC 3629). */
static uint32_t char_take(const char **at)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    const unsigned char *byte = (const unsigned char *)*at;
    uint32_t more = byte[0] < 0x80 ? 0 : byte[0] < 0xe0 ? 1 : byte[0] < 0xf0 ? 2 : 3;
    uint32_t value = more ? byte[0] & (0x3fu >> more) : byte[0];

    *at += 1;
    if ((byte[0] >= 0x80 && byte[0] < 0xc2) || byte[0] > 0xf4)
        return UINT32_MAX;
    for (uint32_t i = 1; i <= more; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return UINT32_MAX;
        value = value << 6 | (byte[i] & 0x3f);
    }
    if (value < least[more] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
        return UINT32_MAX;
    *at += more;
    return value;
}

/* `allowed` are the control characters that may stand there. */
static void check_text(const char *text, const char *allowed)
{
    for (const char *at = text; *at;) {
        const char *start = at;
        uint32_t value = char_take(&at);
        bool control = value < 0x20 || (value >= 0x7f && value < 0xa0);

        FUZZ_CHECK(value != UINT32_MAX, "no UTF-8 at byte %td", start - text);
        FUZZ_CHECK(!control || (value < 0x20 && strchr(allowed, (int)value)),
                   "the control character %#x at byte %td", value, start - text);
    }
}

/* What ends a line, as libyaml has it. */
static bool is_break(uint32_t value)
{
    return value == '\n' || value == '\r' || value == 0x85 || value == 0x2028 || value == 0x2029;
}

/* How many characters line `line` of `text` has, each byte that is no UTF-8 being one; -1 if there
 * is no such line. */
static int64_t line_chars(const char *text, uint32_t line)
{
    int64_t chars = 0;
    uint32_t at_line = 1;

    while (*text && at_line <= line) {
        uint32_t value = char_take(&text);

        if (!is_break(value)) {
            chars += at_line == line;
            continue;
        }
        if (value == '\r' && *text == '\n')
            text++;
        at_line++;
    }
    return at_line < line ? -1 : chars;
}

/* ---- diagnostics ----------------------------------------------------------------------------- */

/* Whether an error about all of a source is one that has no place in it. */
static bool is_placeless(enum diag_code code)
{
    return code == DIAG_UNREADABLE || code == DIAG_TOO_LARGE || code == DIAG_SYNTAX ||
           code == DIAG_NO_MEMORY || code == DIAG_UNKNOWN_VALUE;
}

static void check_place(const struct diag_list *diags, const struct diag *diag)
{
    struct diag_place place = diag->place;

    FUZZ_CHECK(place.source < diags->source_count, "source %u", place.source);
    if (place.line == 0) {
        FUZZ_CHECK(diag->severity == DIAG_ERROR && is_placeless(diag->code), "E%04d has no place",
                   diag->code);
        return;
    }
    const char *text = diags->texts[place.source];
    FUZZ_CHECK(text, "a place in a source without a text");
    int64_t chars = line_chars(text, place.line);
    FUZZ_CHECK(chars >= 0, "there is no line %u", place.line);
    FUZZ_CHECK(place.column >= 1 && place.column <= chars + 1, "%u:%u of a line of %" PRId64,
               place.line, place.column, chars);
    FUZZ_CHECK(place.length == 1 || (place.length && place.column - 1 + place.length <= chars),
               "%u:%u, %u long, in a line of %" PRId64, place.line, place.column, place.length,
               chars);
}

static void check_diag(const struct diag_list *diags, const struct diag *diag)
{
    FUZZ_CHECK(diag->message[0], "a diagnostic without words");
    FUZZ_CHECK(diag->severity == DIAG_NOTE || diag->code >= DIAG_UNREADABLE, "no code");
    check_text(diag->message, "");
    check_text(diag->hint, "");
    check_text(diag->help, "");
    check_text(diag->suggestion, "");
    check_place(diags, diag);
}

static void check_shown(const struct diag_list *diags)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    json_t *json = diag_json(diags);

    FUZZ_CHECK(out && json, "out of memory");
    FUZZ_CHECK(json_array_size(json) == diags->count, "%zu of %u in JSON", json_array_size(json),
               diags->count);
    json_decref(json);
    diag_print(diags, out, false);
    fclose(out);
    FUZZ_CHECK(strlen(text) == bytes, "a NUL among %zu bytes", bytes);
    check_text(text, "\n\t");
    free(text);
}

/* `result` is what the loader returned. */
static void check_diags(const struct diag_list *diags, int result)
{
    uint32_t errors = 0;

    FUZZ_CHECK(result == (diags->errors ? -1 : 0), "%d with %u errors", result, diags->errors);
    FUZZ_CHECK(diags->count <= DIAG_MAX && (diags->dropped == 0 || diags->count == DIAG_MAX),
               "%u kept, %u dropped", diags->count, diags->dropped);
    for (uint32_t i = 0; i < diags->count; i++) {
        errors += diags->entries[i].severity == DIAG_ERROR;
        check_diag(diags, &diags->entries[i]);
    }
    FUZZ_CHECK(errors <= diags->errors && diags->errors <= errors + diags->dropped &&
                   (errors > 0) == (diags->errors > 0),
               "%u errors, %u of them kept, %u dropped", diags->errors, errors, diags->dropped);
    if (diags->count)
        check_shown(diags);
}

/* ---- printing what was accepted, so that it can be read again -------------------------------- */

struct printed {
    char text[PRINTED_BYTES_MAX];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void print(struct printed *out, const char *format,
                                                        ...)
{
    va_list arguments;

    va_start(arguments, format);
    int bytes = vsnprintf(out->text + out->used, sizeof(out->text) - out->used, format, arguments);
    va_end(arguments);
    FUZZ_CHECK(bytes >= 0 && out->used + (size_t)bytes < sizeof(out->text), "%zu and %d bytes",
               out->used, bytes);
    out->used += (size_t)bytes;
}

/* A text as YAML has it in double quotes, of printable ASCII only. */
static void print_text(struct printed *out, const char *text)
{
    print(out, "\"");
    while (*text) {
        uint32_t value = char_take(&text);

        FUZZ_CHECK(value != UINT32_MAX, "an accepted text is not UTF-8");
        if (value >= ' ' && value < 0x7f && value != '"' && value != '\\')
            print(out, "%c", (int)value);
        else
            print(out, "\\U%08x", value);
    }
    print(out, "\"");
}

/* The unit that the name of a key of the resolved form has, and the length of what is before. */
static const char *key_unit(const char *key, size_t *letters)
{
    static const char *const units[][2] = {
        {"_bytes_per_s", "B/s"}, {"_per_s", "/s"}, {"_bytes", "B"}, {"_ppm", "ppm"}, {"_ns", "ns"}};
    size_t bytes = strlen(key);

    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        size_t suffix = strlen(units[i][0]);

        if (bytes > suffix && strcmp(key + bytes - suffix, units[i][0]) == 0) {
            *letters = bytes - suffix;
            return units[i][1];
        }
    }
    *letters = bytes;
    return "";
}

/* Calls itself: the resolved form is at most four deep. */
static void print_json(struct printed *out, json_t *json, const char *unit)
{
    const char *separator = "", *key;
    json_t *value;
    size_t letters;

    if (json_is_object(json)) {
        print(out, "{");
        json_object_foreach(json, key, value)
        {
            if (json_is_null(value))
                continue; /* absent by choice */
            unit = key_unit(key, &letters);
            print(out, "%s\n%.*s: ", separator, (int)letters, key);
            print_json(out, value, unit);
            separator = ",";
        }
        print(out, "}");
    } else if (json_is_array(json)) {
        print(out, "[");
        for (size_t i = 0; i < json_array_size(json); i++) {
            print(out, "%s", i ? ", " : "");
            print_json(out, json_array_get(json, i), "");
        }
        print(out, "]");
    } else if (json_is_string(json) || json_is_boolean(json)) {
        const char *word = json_is_true(json) ? "true" : "false";
        print_text(out, json_is_string(json) ? json_string_value(json) : word);
    } else {
        FUZZ_CHECK(json_is_integer(json), "no such value in a resolved scenario");
        print(out, "%" JSON_INTEGER_FORMAT "%s", json_integer_value(json), unit);
    }
}

static void print_origin(struct printed *out, const struct model_origin *origin)
{
#define X(constant, word) word,
    static const char *const words[] = {MODEL_KNOWN(X)};
#undef X

    FUZZ_CHECK(origin->known < sizeof(words) / sizeof(words[0]), "%u", origin->known);
    FUZZ_CHECK(origin->source[0] && origin->factor_ppm >= 1000000, "'%s', %u ppm", origin->source,
               origin->factor_ppm);
    print(out, "factor: %s, known: %s, source: ", units_format_decimal(origin->factor_ppm).text,
          words[origin->known]);
    print_text(out, origin->source);
    print(out, "}\n");
}

static void print_duration(struct printed *out, const char *key, uint64_t duration_ps)
{
    print(out, "%s: %s, ", key, units_format_fine_duration(duration_ps).text);
}

static void print_cost(struct printed *out, const struct cost *cost)
{
    static const char *const keys[] = {
        [COST_CONSTANT] = "value", [COST_UNIFORM] = "low", [COST_LOGNORMAL] = "median"};

    print_duration(out, keys[cost->shape], cost->low_ps);
    if (cost->shape == COST_UNIFORM)
        print_duration(out, "high", cost->high_ps);
    if (cost->shape == COST_LOGNORMAL)
        print(out, "sigma: %s, ", units_format_decimal(cost->sigma_ppm).text);
    print(out, "tail: {");
    print_duration(out, "low", cost->tail_low_ps);
    print_duration(out, "high", cost->tail_high_ps);
    print(out, "probability: %s}, ", units_format_decimal(cost->tail_ppm).text);
}

static void print_limit(struct printed *out, const char *key, uint64_t value_ns,
                        const struct model_origin *origin)
{
    print(out, "%s: {value: %s, ", key,
          value_ns == UINT64_MAX ? "never" : units_format_duration(value_ns).text);
    print_origin(out, origin);
}

static void print_model(struct printed *out, const struct model *model)
{
#define X(constant, key, meaning) [COST_##constant] = (key),
    static const char *const keys[] = {COST_ROWS(X)};
#undef X

    out->used = 0;
    print(out, "schema: %s\nname: %s\ndescription: ", model->schema, model->name);
    print_text(out, model->description);
    print(out, "\n");
    print_limit(out, "dozing_after", model->costs.dozing_after_ns, &model->dozing_after);
    print_limit(out, "asleep_after", model->costs.asleep_after_ns, &model->asleep_after);
    print_limit(out, "slice", model->costs.slice_ns, &model->slice);
    for (uint32_t i = 0; i < COST_ROWS_COUNT; i++) {
        print(out, "%s: {", keys[i]);
        print_cost(out, &model->costs.rows[i]);
        print_origin(out, &model->rows[i]);
    }
}

/* ---- what is accepted holds its limits ------------------------------------------------------- */

static void check_name(const char *name)
{
    size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");

    FUZZ_CHECK(letters > 0 && letters < SCENARIO_NAME_BYTES && name[letters] == '\0', "'%s'", name);
}

static void check_addr(const struct scenario_addr *addr, bool any_port)
{
    struct call_addr parsed;

    FUZZ_CHECK(units_parse_addr(addr->text, &parsed) == UNITS_OK, "'%s'", addr->text);
    FUZZ_CHECK(memcmp(&parsed, &addr->addr, sizeof(parsed)) == 0, "'%s'", addr->text);
    FUZZ_CHECK(any_port || call_addr_port(&parsed) != 0, "'%s' has no port", addr->text);
}

static void check_topology(const struct scenario *scenario)
{
    uint32_t guests = 0;

    FUZZ_CHECK(scenario->host_count >= 2 && scenario->host_count <= SCENARIO_HOSTS_MAX, "%u hosts",
               scenario->host_count);
    FUZZ_CHECK(scenario->peer_count <= SCENARIO_PEERS_MAX, "%u peers", scenario->peer_count);
    FUZZ_CHECK(scenario->link_count <= SCENARIO_LINKS_MAX, "%u links", scenario->link_count);
    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *host = &scenario->hosts[i];

        check_name(host->name);
        FUZZ_CHECK(scenario->hosts[host->backend].role == SCENARIO_BACKEND, "backend of %u", i);
        FUZZ_CHECK(host->count >= 1 && host->count <= SCENARIO_GUESTS_MAX, "%u", host->count);
        FUZZ_CHECK(host->cpu >= SCENARIO_CPU_ANY && host->cpu <= 1023, "CPU %d", host->cpu);
        guests += host->role == SCENARIO_FRONTEND ? host->count : host->count - 1;
    }
    FUZZ_CHECK(scenario->hosts[scenario->frontend].role == SCENARIO_FRONTEND, "no guest");
    FUZZ_CHECK(guests <= 64 || scenario->mode == SCENARIO_VIRTUAL, "%u guests", guests);
    for (uint32_t i = 0; i < scenario->link_count; i++) {
        const struct scenario_link *link = &scenario->links[i];

        FUZZ_CHECK(link->peer < scenario->peer_count &&
                       strcmp(scenario->peers[link->peer].name, link->to) == 0,
                   "link to '%s'", link->to);
        FUZZ_CHECK(link->link.loss_ppm <= 500000 && link->link.segment_bytes >= 1 &&
                       link->link.send_buffer_bytes >= 1 && link->link.receive_buffer_bytes >= 1,
                   "link to '%s'", link->to);
    }
}

static void check_peer(const struct scenario *scenario, const struct scenario_peer *peer)
{
    check_name(peer->name);
    if (peer->kind == SCENARIO_PEER_CLIENT) {
        const struct scenario_workload *of = &scenario->workloads[peer->workload];
        FUZZ_CHECK(of->listen.text[0] && strcmp(of->name, peer->connect_to) == 0,
                   "a client of '%s'", peer->connect_to);
        FUZZ_CHECK(peer->connections - 1 < SCENARIO_SOCKETS_MAX && peer->bytes, "%u connections",
                   peer->connections);
        return;
    }
    FUZZ_CHECK(peer->kind != SCENARIO_PEER_EXTERNAL || scenario->mode == SCENARIO_EMULATED,
               "an external peer in virtual time");
    check_addr(&peer->addr, peer->kind != SCENARIO_PEER_EXTERNAL);
}

static void check_workload(const struct scenario *scenario,
                           const struct scenario_workload *workload)
{
    const struct scenario_host *host = &scenario->hosts[workload->host];

    check_name(workload->name);
    FUZZ_CHECK(workload->host < scenario->host_count && host->role == SCENARIO_FRONTEND &&
                   strcmp(host->name, workload->where) == 0,
               "'%s' in '%s'", workload->name, workload->where);
    for (const struct scenario_workload *other = scenario->workloads; other < workload; other++)
        FUZZ_CHECK(strcmp(other->name, workload->name) != 0, "two named '%s'", other->name);
    bool forward = workload->kind == SCENARIO_FORWARD;
    FUZZ_CHECK(!workload->listen.text[0] || host->count == 1, "%u listen", host->count);
    if (workload->kind == SCENARIO_SERVE || forward)
        check_addr(&workload->listen, false);
    if (workload->kind == SCENARIO_SERVE)
        return;
    FUZZ_CHECK(workload->peer < scenario->peer_count &&
                   strcmp(scenario->peers[workload->peer].name, workload->connect_to) == 0,
               "'%s' to '%s'", workload->name, workload->connect_to);
    FUZZ_CHECK((forward ? workload->connections : workload->sockets) - 1 < SCENARIO_SOCKETS_MAX,
               "'%s'", workload->name);
    FUZZ_CHECK(forward || !scenario->peers[workload->peer].conduct, "'%s'", workload->name);
    if (workload->kind == SCENARIO_STREAM)
        FUZZ_CHECK(workload->read_bytes >= 1 && workload->repeat >= 1 &&
                       (workload->repeat == 1 || workload->bytes),
                   "'%s'", workload->name);
    fuzz_check_draws(scenario, workload);
    FUZZ_CHECK(workload->arrivals.per_s <= SCENARIO_RATE_MAX, "'%s'", workload->name);
}

static void check_scenario(const struct scenario *scenario)
{
    const struct dialect *dialect = dialect_find(scenario->protocol.dialect);
    uint32_t order = scenario->protocol.order;

    check_name(scenario->name);
    FUZZ_CHECK(dialect && order >= dialect->order_min && order <= dialect->order_max,
               "order %u of '%s'", order, scenario->protocol.dialect);
    FUZZ_CHECK(scenario->seed <= INT64_MAX && scenario->duration_ns && scenario->timeout_ns &&
                   scenario->cost_model[0],
               "seed, times or cost model");
    FUZZ_CHECK(scenario->workload_count >= 1 && scenario->workload_count <= SCENARIO_WORKLOADS_MAX,
               "%u workloads", scenario->workload_count);
    check_topology(scenario);
    for (uint32_t i = 0; i < scenario->peer_count; i++)
        check_peer(scenario, &scenario->peers[i]);
    for (uint32_t i = 0; i < scenario->workload_count; i++)
        check_workload(scenario, &scenario->workloads[i]);
}

/* What cost.h asks of costs it asserts itself, and sums of them must fit. */
static void check_model(const struct model *model)
{
    struct prng prng;

    check_name(model->name);
    FUZZ_CHECK(model->description[0] && strlen(model->digest) == 32, "'%s'", model->digest);
    FUZZ_CHECK(model->costs.dozing_after_ns <= model->costs.asleep_after_ns, "dozes last");
    FUZZ_CHECK(model->costs.slice_ns >= 1000, "%" PRIu64 " ns", model->costs.slice_ns);
    prng_init(&prng, 1, "fuzz", 0);
    for (uint32_t i = 0; i < COST_ROWS_COUNT; i++)
        for (uint32_t draw = 0; draw < DRAWS; draw++)
            FUZZ_CHECK(cost_draw(&model->costs.rows[i], &prng) < UINT64_C(1) << 62, "row %u", i);
}

/* ---- one input ------------------------------------------------------------------------------- */

static struct diag_list diags;
static struct scenario scenario;
static struct model model;
static struct printed first, again;

/* The path of the cost model is taken from the directory of the scenario, and read only. */
static void check_cost_model(const char *which)
{
    char expected[sizeof(absent_path)];

    serve("", 0);
    snprintf(expected, sizeof(expected), "%s%s", which[0] == '/' ? "" : "below/", which);
    int result = model_load(&model, which, FILE_PATH, &diags);
    check_diags(&diags, result);
    if (!model_is_path(which))
        FUZZ_CHECK(result == 0 && opened + absent == 0, "'%s' is part of the program", which);
    else if (strcmp(expected, FILE_PATH) != 0)
        FUZZ_CHECK(result == -1 && opened == 0 && absent == 1 && strcmp(absent_path, expected) == 0,
                   "'%s' is looked for at '%s'", which, absent_path);
    diag_fini(&diags);
}

/* Whether a loader that returned `result` took what is served, and that alone. */
static bool accepted(int result)
{
    check_diags(&diags, result);
    diag_fini(&diags);
    FUZZ_CHECK(opened == 1 && absent == 0, "%u opened, %u absent", opened, absent);
    return result == 0;
}

/* Load what is served, and have it printed if it is accepted. */
static bool load_scenario(const char *const *sets, uint32_t count, struct printed *out)
{
    if (!accepted(scenario_load(&scenario, FILE_PATH, sets, count, &diags)))
        return false;
    json_t *json = scenario_json(&scenario);
    check_scenario(&scenario);
    out->used = 0;
    print_json(out, json, "");
    json_decref(json);
    return true;
}

static bool load_model(struct printed *out)
{
    if (!accepted(model_load(&model, FILE_PATH, "", &diags)))
        return false;
    check_model(&model);
    print_model(out, &model);
    return true;
}

static void run(bool is_model, const char *const *sets, uint32_t set_count)
{
    if (!(is_model ? load_model(&first) : load_scenario(sets, set_count, &first)))
        return;
    serve(first.text, first.used);
    FUZZ_CHECK(is_model ? load_model(&again) : load_scenario(NULL, 0, &again),
               "refused when printed:\n%s", first.text);
    FUZZ_CHECK(strcmp(first.text, again.text) == 0, "\n%s\nread again:\n%s", first.text,
               again.text);
    if (!is_model)
        check_cost_model(scenario.cost_model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t kind = fuzz_u8(&input);
    char sets[SETS_MAX][256];
    const char *list[SETS_MAX];
    uint32_t count = kind & 1 ? 0 : kind >> 1 & SETS_MAX;

    if (size > INPUT_BYTES_MAX || (kind == FUZZ_EXPRESSION && fuzz_expression(&input)))
        return 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t used = 0;

        list[i] = sets[i];
        while (used < sizeof(sets[i]) - 1 && (sets[i][used] = (char)fuzz_u8(&input)))
            used++;
        sets[i][used] = '\0';
    }
    serve((const char *)input.data, input.size);
    run(kind & 1, list, count);
    served = NULL;
    return 0;
}
