/*
 * What the tests of studies share: a small scenario to put a sweep, repeats and expectations
 * behind, and what is said about it. `test_study` and `test_expect` are for its lines 16 and on.
 */
#ifndef XENSOCK_TESTS_SIM_RUN_STUDY_FIXTURE_H
#define XENSOCK_TESTS_SIM_RUN_STUDY_FIXTURE_H

#include "sim/run/study.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STUDY_TEXT_BYTES = 1 << 18 };

/* Line 16 is the next. */
#define STUDY_HEAD                                                                                 \
    "schema: xensock/scenario/1\n"                                                                 \
    "name: s\n"                                                                                    \
    "mode: virtual\n"                                                                              \
    "seed: 7\n"                                                                                    \
    "topology:\n"                                                                                  \
    "  hosts:\n"                                                                                   \
    "    dom0: {role: backend}\n"                                                                  \
    "    web: {role: frontend}\n"                                                                  \
    "  peers:\n"                                                                                   \
    "    echo: {kind: echo}\n"                                                                     \
    "    sink: {kind: sink}\n"                                                                     \
    "workload:\n"                                                                                  \
    "  - {name: ask, kind: request-response, connect_to: echo, arrivals: {kind: fixed, rate: "     \
    "9/s}}\n"                                                                                      \
    "  - {name: put, kind: stream, connect_to: sink}\n"                                            \
    "  - {name: door, kind: connect-close, connect_to: echo}\n"

static struct diag_list diags;
static struct study study;
static bool loaded;

static inline int end(void **state)
{
    (void)state;
    if (loaded)
        study_fini(&study);
    loaded = false;
    diag_fini(&diags);
    return 0;
}

/* Load the scenario with `rest` behind it, and one override or none. */
static inline int load_with(const char *rest, const char *set)
{
    static char text[STUDY_TEXT_BYTES];

    end(NULL);
    diag_init(&diags);
    snprintf(text, sizeof(text), "%s%s", STUDY_HEAD, rest);
    diag_add_source(&diags, "s.yaml", text);
    loaded = study_load_text(&study, text, &set, set ? 1 : 0, &diags) == 0;
    return loaded ? 0 : -1;
}

static inline int load(const char *rest)
{
    return load_with(rest, NULL);
}

/* What diag_print says, to be freed. */
static inline char *printed(void)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    diag_print(&diags, out, false);
    fclose(out);
    return text;
}

/* A good one; else what is wrong is shown. */
static inline void load_good(const char *rest)
{
    if (load(rest) < 0)
        fail_msg("%s%s", rest, printed());
}

/* What is said, a line each: code (of a note "note"), place, words, and in brackets the hint, the
 * suggestion or the line of its own. */
static inline const char *told(void)
{
    static char text[1 << 14];
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < diags.count; i++) {
        const struct diag *diag = &diags.entries[i];
        const char *more = diag->hint[0] ? diag->hint : diag->help;
        char code[16] = "note";
        if (diag->severity == DIAG_ERROR)
            snprintf(code, sizeof(code), "E%04d", (int)diag->code);
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %u:%u %s%s%s%s\n", code,
                                 diag->place.line, diag->place.column, diag->message,
                                 more[0] ? " (" : "", more, more[0] ? ")" : "");
    }
    return text;
}

/* It says this. */
static inline void assert_told(const char *rest, const char *expected)
{
    assert_int_equal(load(rest), -1);
    assert_string_equal(told(), expected);
}

/* An error: its code, place and words. */
struct fault {
    enum diag_code code;
    uint32_t line, column;
    const char *message;
};

/* Whether it is the only one; else what there is is shown. */
static inline bool only_error(const char *rest, const struct fault *wanted)
{
    bool good = load(rest) == 0;
    const struct diag *first = &diags.entries[0];

    if (!good && diags.errors == 1 && first->code == wanted->code &&
        first->place.line == wanted->line && first->place.column == wanted->column &&
        strcmp(first->message, wanted->message) == 0)
        return true;
    char *text = printed();
    print_message("%s%s(wanted E%04d at %u:%u: %s)\n", rest, text, (int)wanted->code, wanted->line,
                  wanted->column, wanted->message);
    free(text);
    return false;
}

#endif
