/* See render_common.h. */
#include "sim/run/render_common.h"

#include "sim/run/units.h"

#include <inttypes.h>
#include <string.h>

const char *render_refuse(const json_t *result)
{
    const json_t *points = json_object_get(result, "points"), *point;
    const char *schema = json_string_value(json_object_get(result, "schema"));
    size_t i;

    if (!json_is_object(result))
        return "it is no JSON object";
    if (!schema)
        return "it has no 'schema'";
    if (strcmp(schema, RENDER_SCHEMA) != 0)
        return "its schema is not " RENDER_SCHEMA;
    if (!json_is_boolean(json_object_get(result, "complete")))
        return "'complete' is no boolean";
    if (!json_is_array(json_object_get(result, "errors")))
        return "'errors' is no list";
    if (points && !json_is_array(points))
        return "'points' is no list";
    json_array_foreach(points, i, point) if (
        !json_is_array(json_object_get(point, "repeats"))) return "a point has no list of repeats";
    return NULL;
}

const char *render_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}

uint64_t render_number(const json_t *object, const char *key)
{
    json_int_t number = json_integer_value(json_object_get(object, key));

    return number > 0 ? (uint64_t)number : 0;
}

const char *render_name(const json_t *result)
{
    const json_t *scenario = json_object_get(result, "scenario");
    const char *name = render_text(json_object_get(scenario, "resolved"), "name");

    return name[0] ? name : "scenario";
}

const json_t *render_point(const json_t *result, uint64_t id)
{
    const json_t *points = json_object_get(result, "points"), *point;
    size_t i;

    json_array_foreach(points, i, point) if (render_number(point, "id") == id) return point;
    return NULL;
}

static struct units_text plain(uint64_t value, const char *behind)
{
    struct units_text out;

    snprintf(out.text, sizeof(out.text), "%" PRIu64 "%s", value, behind);
    return out;
}

void render_quantity(const struct render_sink *sink, const char *unit, uint64_t value)
{
    struct units_text text = plain(value, "");

    if (strcmp(unit, "ns") == 0)
        text = units_format_latency(value);
    else if (strcmp(unit, "bytes_per_s") == 0)
        text = units_format_rate(value);
    else if (strcmp(unit, "bytes") == 0)
        text = units_format_size(value);
    else if (strcmp(unit, "ppm") == 0)
        text = units_format_share(value);
    else if (strstr(unit, "per_s"))
        text = plain(value, "/s");
    sink->put(sink->file, text.text);
}

/* As units.h can read it again, but for the bandwidths that units_format_bandwidth does not take.
 */
static struct units_text exactly(const char *unit, uint64_t value)
{
    if (strcmp(unit, "ns") == 0)
        return units_format_duration(value);
    if (strcmp(unit, "bytes") == 0)
        return units_format_size(value);
    if (strcmp(unit, "bytes_per_s") == 0 && value < UINT64_C(1) << 61)
        return units_format_bandwidth(value);
    if (strcmp(unit, "ppm") == 0)
        return units_format_share(value);
    return plain(value, strcmp(unit, "per_s") == 0 ? "/s" : "");
}

void render_axis(const struct render_sink *sink, const json_t *axis, const json_t *point)
{
    const json_t *value =
        json_object_get(json_object_get(point, "axes"), render_text(axis, "name"));
    json_int_t number = json_integer_value(value);

    if (json_is_string(value))
        sink->put(sink->file, json_string_value(value));
    else if (json_is_integer(value) && number >= 0)
        sink->put(sink->file, exactly(render_text(axis, "unit"), (uint64_t)number).text);
    else if (json_is_boolean(value))
        sink->put(sink->file, json_is_true(value) ? "true" : "false");
}

void render_axes(const struct render_sink *sink, const json_t *result, const json_t *point)
{
    const json_t *axes = json_object_get(result, "axes"), *axis;
    size_t i;

    json_array_foreach(axes, i, axis)
    {
        sink->put(sink->file, i > 0 ? "," : "[");
        sink->put(sink->file, render_text(axis, "name"));
        sink->put(sink->file, "=");
        render_axis(sink, axis, point);
    }
    if (json_array_size(axes) > 0)
        sink->put(sink->file, "]");
}

void render_where(const struct render_sink *sink, const json_t *result, const json_t *of)
{
    uint64_t id = render_number(of, "point");
    const json_t *point = render_point(result, id);

    if (!json_is_integer(json_object_get(of, "point")))
        return;
    if (point) {
        render_axes(sink, result, point);
        return;
    }
    sink->put(sink->file, "[point=");
    sink->put(sink->file, plain(id, "]").text);
}

/* A word behind a space, so that a shell takes it as it is. */
static void put_word(const struct render_sink *sink, const char *word)
{
    static const char bare[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "_./:=,+@%-";

    if (word[0] && strspn(word, bare) == strlen(word)) {
        sink->put(sink->file, " ");
        sink->put(sink->file, word);
        return;
    }
    sink->put(sink->file, " '");
    while (*word) {
        char piece[256];
        size_t bytes = strcspn(word, "'");

        /* cut between characters: 0x80 to 0xbf go on with one */
        bytes = bytes < sizeof(piece) ? bytes : sizeof(piece) - 1;
        while (bytes > 0 && (word[bytes] & 0xc0) == 0x80)
            bytes--;
        memcpy(piece, word, bytes);
        piece[bytes] = '\0';
        sink->put(sink->file, piece);
        word += bytes;
        if (*word == '\'') {
            sink->put(sink->file, "'\\''");
            word++;
        }
    }
    sink->put(sink->file, "'");
}

static void put_option(const struct render_sink *sink, const char *option, uint64_t value)
{
    sink->put(sink->file, option);
    put_word(sink, plain(value, "").text);
}

void render_command(const struct render_sink *sink, const json_t *result, const json_t *point,
                    const json_t *repeat)
{
    const json_t *plan = json_object_get(result, "plan"), *set;
    const char *file = render_text(json_object_get(result, "scenario"), "file");
    char again[sizeof("out//again") + 128];
    size_t i;

    sink->put(sink->file, "xensock run");
    put_word(sink, file[0] ? file : "FILE");
    json_array_foreach(json_object_get(plan, "sets"), i, set)
    {
        sink->put(sink->file, " --set");
        put_word(sink, json_string_value(set) ? json_string_value(set) : "");
    }
    if (!plan) { /* an older result: mode and seed may have been among them */
        char set_mode[64], set_seed[64];
        snprintf(set_mode, sizeof(set_mode), "mode=%s", render_text(result, "mode"));
        snprintf(set_seed, sizeof(set_seed), "seed=%" PRIu64, render_number(result, "seed"));
        sink->put(sink->file, " --set");
        put_word(sink, set_mode);
        sink->put(sink->file, " --set");
        put_word(sink, set_seed);
    }
    if (point && render_number(plan, "points") > 1)
        put_option(sink, " --point", render_number(point, "id"));
    if (repeat && render_number(plan, "repeats") > 1)
        put_option(sink, " --repeat", render_number(repeat, "i"));
    if ((point || repeat) && render_number(plan, "runs") > 1) {
        sink->put(sink->file, " --out"); /* beside the study's result, and not over it */
        snprintf(again, sizeof(again), "out/%s/again", render_name(result));
        put_word(sink, again);
    }
}

bool render_belongs(const json_t *result, const json_t *error, const json_t *point)
{
    const json_t *id = json_object_get(error, "point");
    bool alone = json_array_size(json_object_get(result, "points")) == 1;

    if (json_is_integer(id) && render_point(result, render_number(error, "point")))
        return point && render_number(error, "point") == render_number(point, "id");
    return alone ? point != NULL : point == NULL;
}

bool render_awaited(const json_t *error)
{
    return json_is_true(json_object_get(error, "expected"));
}

enum render_verdict render_verdict(const json_t *result)
{
    const json_t *expectation, *error;
    size_t i;

    json_array_foreach(json_object_get(result, "expectations"), i,
                       expectation) if (strcmp(render_text(expectation, "result"), "fail") ==
                                        0) return RENDER_FAILED;
    json_array_foreach(json_object_get(result, "errors"), i,
                       error) if (!render_awaited(error)) return RENDER_FAILED;
    if (!json_is_true(json_object_get(result, "complete")))
        return RENDER_INCOMPLETE;
    json_array_foreach(json_object_get(result, "expectations"), i,
                       expectation) if (strcmp(render_text(expectation, "result"), "pass") !=
                                        0) return RENDER_INCOMPLETE;
    return RENDER_PASSED;
}
