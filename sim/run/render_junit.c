/*
 * See render_junit.h. The shape is what Jenkins and GitLab read, which tests/run/junit.xsd says:
 * a case has one failure, error or skip at most. The cases are gone through twice, since their
 * numbers stand before them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/render_junit.h"

#include "sim/run/render_common.h"

#include <inttypes.h>
#include <string.h>

enum outcome { PASSED, FAILED, BROKEN, SKIPPED };

/* What is being written, or only counted if `file` is NULL. */
struct junit {
    FILE *file;
    const json_t *result;
    uint32_t cases, failed, broken, skipped;
    uint64_t wall_ns;
};

/* One case: an expectation's, with `one` of its cases, or that of the runs of a point. */
struct test {
    const json_t *expectation, *one;
    const json_t *point, *repeat; /* may be NULL; `repeat`: the one to do again */
    enum outcome outcome;
    uint64_t wall_ns;
};

/* XML 1.0 has no controls but three, not even by number, nor U+FFFE and U+FFFF. */
static void put_xml(FILE *file, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        bool absent = at[0] == 0xef && at[1] == 0xbf && at[2] >= 0xbe;

        if (*at == '&')
            fputs("&amp;", file);
        else if (*at == '<')
            fputs("&lt;", file);
        else if (*at == '>')
            fputs("&gt;", file);
        else if (*at == '"')
            fputs("&quot;", file);
        else if (*at == '\t' || *at == '\n' || *at == '\r')
            fprintf(file, "&#%d;", *at); /* an attribute would make spaces of them */
        else if (*at < ' ' || absent)
            fputs("\xef\xbf\xbd", file);
        else
            fputc(*at, file);
        at += absent ? 2 : 0;
    }
}

static void put_time(FILE *file, uint64_t wall_ns)
{
    fprintf(file, " time=\"%" PRIu64 ".%06" PRIu64 "\"", wall_ns / UINT64_C(1000000000),
            wall_ns % UINT64_C(1000000000) / 1000);
}

static const char *noun_of(enum outcome outcome)
{
    switch (outcome) {
    case PASSED: return NULL;
    case FAILED: return "failure";
    case BROKEN: return "error";
    case SKIPPED: return "skipped";
    }
    return NULL;
}

/* The first so many bytes of a text; without memory nothing. */
static void put_piece(FILE *file, const char *text, size_t bytes)
{
    char *piece = strndup(text, bytes);

    if (piece)
        put_xml(file, piece);
    free(piece);
}

/* Whether the word stands in an expression, not as a part of another. */
static bool has_not(const char *that)
{
    static const char of_words[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    for (const char *at = that; *at; at += strcspn(at, of_words)) {
        size_t bytes = strspn(at, of_words);
        if (bytes == 3 && strncmp(at, "not", 3) == 0)
            return true;
        at += bytes;
    }
    return false;
}

/* "p99(latency.short) = 412 us, wanted <= 250 us": the operator stands where the expression has
 * its only one; of others, and below a `not`, which turns it round, the whole is quoted. */
static void put_unmet(struct junit *junit, const struct test *test)
{
    const char *that = render_text(test->expectation, "that");
    const char *measured = render_text(test->one, "measured");
    const char *limit = render_text(test->one, "limit");
    size_t left = strcspn(that, "<>=!"), sign = strspn(that + left, "<>=!");
    bool single = sign > 0 && !that[left + sign + strcspn(that + left + sign, "<>=!&|")] &&
                  !memchr(that, '&', left) && !memchr(that, '|', left) && !has_not(that);

    if (!measured[0] || !limit[0] || !single) {
        put_xml(junit->file, that);
        fputs(": ", junit->file);
        put_xml(junit->file, render_text(test->one, "why"));
        return;
    }
    const char *operator= that + left;
    while (left > 0 && that[left - 1] == ' ')
        left--;
    put_piece(junit->file, that, left);
    fputs(" = ", junit->file);
    put_xml(junit->file, measured);
    fputs(", wanted ", junit->file);
    put_piece(junit->file, operator, sign);
    fputs(" ", junit->file);
    put_xml(junit->file, limit);
}

/* The errors of the runs of a point, or of none; how many there are. In the message of a case only
 * the first, in its text all of them. */
static size_t put_errors(struct junit *junit, const struct test *test, size_t most)
{
    const json_t *error;
    size_t i, count = 0;

    json_array_foreach(json_object_get(junit->result, "errors"), i, error)
    {
        if (!render_belongs(junit->result, error, test->point) || render_awaited(error) ||
            count++ >= most)
            continue;
        fputs(count > 1 ? "\n" : "", junit->file);
        put_xml(junit->file, render_text(error, "code"));
        fputs(": ", junit->file);
        if (json_object_get(error, "file"))
            put_xml(junit->file, render_text(error, "file"));
        if (json_object_get(error, "line"))
            fprintf(junit->file, ":%" PRIu64 ":%" PRIu64 ": ", render_number(error, "line"),
                    render_number(error, "column"));
        put_xml(junit->file, render_text(error, "message"));
        if (json_object_get(error, "repeat") && most > 1)
            fprintf(junit->file, " (repeat %" PRIu64 ")", render_number(error, "repeat"));
    }
    return count;
}

static void put_reason(struct junit *junit, const struct test *test)
{
    FILE *file = junit->file;

    fprintf(file, "    <%s message=\"", noun_of(test->outcome));
    if (test->outcome == FAILED)
        put_unmet(junit, test);
    else if (test->expectation)
        put_xml(file, render_text(test->one, "why"));
    else if (put_errors(junit, test, 1) == 0)
        fputs("not all has run", file);
    if (test->outcome == SKIPPED) {
        fputs("\"/>\n", file);
        return;
    }
    fprintf(file, "\" type=\"%s\">", test->expectation ? "expectation" : "run");
    if (test->expectation)
        put_xml(file, render_text(test->one, "why"));
    else
        put_errors(junit, test, SIZE_MAX);
    fprintf(file, "</%s>\n", noun_of(test->outcome));
}

static void put_case(struct junit *junit, const struct test *test)
{
    const struct render_sink sink = {junit->file, put_xml};

    fputs("   <testcase classname=\"", junit->file);
    put_xml(junit->file, render_name(junit->result));
    fputs("\" name=\"", junit->file);
    put_xml(junit->file, test->expectation ? render_text(test->expectation, "name") : "run");
    if (test->expectation)
        render_where(&sink, junit->result, test->one);
    else if (test->point)
        render_axes(&sink, junit->result, test->point);
    fputs("\"", junit->file);
    put_time(junit->file, test->wall_ns);
    fputs(">\n", junit->file);
    if (test->outcome != PASSED)
        put_reason(junit, test);
    fputs("    <system-out>", junit->file);
    /* what looks at other points shows again only with these */
    bool alone = !test->expectation || !strchr(render_text(test->expectation, "that"), '@');
    render_command(&sink, junit->result, alone ? test->point : NULL, test->repeat);
    fputs("</system-out>\n   </testcase>\n", junit->file);
}

/* Count a case, and write it. */
static void take(struct junit *junit, const struct test *test)
{
    junit->cases++;
    junit->failed += test->outcome == FAILED;
    junit->broken += test->outcome == BROKEN;
    junit->skipped += test->outcome == SKIPPED;
    junit->wall_ns += test->wall_ns;
    if (junit->file)
        put_case(junit, test);
}

/* The first error that a point's runs have and nobody awaits. */
static const json_t *error_of(const struct junit *junit, const json_t *point)
{
    const json_t *error;
    size_t i;

    json_array_foreach(json_object_get(junit->result, "errors"), i,
                       error) if (render_belongs(junit->result, error, point) &&
                                  !render_awaited(error)) return error;
    return NULL;
}

static const json_t *repeat_of(const json_t *point, const json_t *i)
{
    const json_t *repeat;
    size_t index;

    json_array_foreach(json_object_get(point, "repeats"), index, repeat)
    {
        if (i && json_equal(i, json_object_get(repeat, "i")))
            return repeat;
    }
    return NULL;
}

static bool has_all_repeats(const struct junit *junit, const json_t *point)
{
    uint64_t wanted = render_number(json_object_get(junit->result, "plan"), "repeats");

    return json_array_size(json_object_get(point, "repeats")) >= wanted;
}

static void take_expectation(struct junit *junit, const json_t *expectation)
{
    const json_t *one;
    size_t i;

    json_array_foreach(json_object_get(expectation, "cases"), i, one)
    {
        const json_t *id = json_object_get(one, "point");
        const char *word = render_text(one, "result");
        struct test test = {.expectation = expectation, .one = one};

        if (json_is_integer(id))
            test.point = render_point(junit->result, render_number(one, "point"));
        bool told = test.point ? error_of(junit, test.point) || !has_all_repeats(junit, test.point)
                               : !json_is_true(json_object_get(junit->result, "complete"));
        if (strcmp(word, "fail") == 0) {
            test.outcome = FAILED;
            test.repeat = repeat_of(test.point, json_object_get(one, "repeat"));
        } else if (strcmp(word, "pass") != 0) {
            test.outcome = told ? SKIPPED : BROKEN;
        }
        take(junit, &test);
    }
}

static void take_runs(struct junit *junit, const json_t *point)
{
    const json_t *repeats = json_object_get(point, "repeats"), *repeat;
    const json_t *error = error_of(junit, point);
    struct test test = {.point = point, .outcome = error ? BROKEN : PASSED};
    bool last = point == NULL || json_array_size(json_object_get(junit->result, "points")) == 1;
    size_t i;

    json_array_foreach(repeats, i, repeat)
    {
        test.wall_ns += render_number(repeat, "wall_ns");
        if (json_object_get(error, "repeat") &&
            render_number(error, "repeat") == render_number(repeat, "i"))
            test.repeat = repeat;
    }
    if (!error && last && !json_is_true(json_object_get(junit->result, "complete")))
        test.outcome = BROKEN;
    if (!error && point && !has_all_repeats(junit, point))
        test.outcome = BROKEN;
    take(junit, &test);
}

/* All cases; the one of no point is there if it has something to say. */
static void take_all(struct junit *junit)
{
    const json_t *points = json_object_get(junit->result, "points"), *entry;
    bool complete = json_is_true(json_object_get(junit->result, "complete"));
    size_t i;

    json_array_foreach(json_object_get(junit->result, "expectations"), i, entry)
        take_expectation(junit, entry);
    json_array_foreach(points, i, entry) take_runs(junit, entry);
    if (json_array_size(points) != 1 && (error_of(junit, NULL) || !complete))
        take_runs(junit, NULL);
}

static void put_property(struct junit *junit, const char *name, const char *value)
{
    fputs("   <property name=\"", junit->file);
    put_xml(junit->file, name);
    fputs("\" value=\"", junit->file);
    put_xml(junit->file, value);
    fputs("\"/>\n", junit->file);
}

static void put_axis_property(struct junit *junit, const json_t *axis)
{
    const json_t *text;
    size_t i;

    fputs("   <property name=\"axis.", junit->file);
    put_xml(junit->file, render_text(axis, "name"));
    fputs("\" value=\"", junit->file);
    put_xml(junit->file, render_text(axis, "path"));
    json_array_foreach(json_object_get(axis, "texts"), i, text)
    {
        fputs(i > 0 ? ", " : ": ", junit->file);
        put_xml(junit->file, json_string_value(text) ? json_string_value(text) : "");
    }
    fputs("\"/>\n", junit->file);
}

static void put_properties(struct junit *junit)
{
    const json_t *result = junit->result, *entry;
    const json_t *scenario = json_object_get(result, "scenario");
    const json_t *host = json_object_get(result, "host");
    char seed[24];
    size_t i;

    snprintf(seed, sizeof(seed), "%" PRIu64, render_number(result, "seed"));
    fputs("  <properties>\n", junit->file);
    put_property(junit, "version", render_text(json_object_get(result, "tool"), "version"));
    put_property(junit, "mode", render_text(result, "mode"));
    put_property(junit, "seed", json_object_get(result, "seed") ? seed : "");
    put_property(junit, "scenario", render_text(scenario, "file"));
    put_property(junit, "scenario.xxh3", render_text(scenario, "xxh3"));
    put_property(junit, "host.cpu", render_text(host, "cpu"));
    put_property(junit, "host.kernel", render_text(host, "kernel"));
    json_array_foreach(json_object_get(result, "axes"), i, entry) put_axis_property(junit, entry);
    fputs("  </properties>\n", junit->file);
}

static void put_numbers(struct junit *junit, const struct junit *all, const char *element)
{
    fprintf(junit->file, " <%s name=\"", element);
    put_xml(junit->file, render_name(junit->result));
    fprintf(junit->file, "\" tests=\"%" PRIu32 "\" failures=\"%" PRIu32 "\" errors=\"%" PRIu32 "\"",
            all->cases, all->failed, all->broken);
    if (strcmp(element, "testsuite") == 0) /* Jenkins' shape has it only there */
        fprintf(junit->file, " skipped=\"%" PRIu32 "\"", all->skipped);
    put_time(junit->file, all->wall_ns);
    fputs(">\n", junit->file);
}

void render_junit(FILE *out, const json_t *result)
{
    struct junit count = {.result = result}, junit = {.file = out, .result = result};

    take_all(&count);
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
    put_numbers(&junit, &count, "testsuites");
    put_numbers(&junit, &count, "testsuite");
    put_properties(&junit);
    take_all(&junit);
    fputs("  </testsuite>\n </testsuites>\n", out);
}
