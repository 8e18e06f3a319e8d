/*
 * What the tests of scenario files share: a list of diagnostics and a scenario, made anew for each
 * test, in the directory of the files, so that messages name these without it.
 */
#ifndef XENSOCK_TESTS_SIM_RUN_SCENARIO_FIXTURE_H
#define XENSOCK_TESTS_SIM_RUN_SCENARIO_FIXTURE_H

#include "sim/run/scenario.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURES XENSOCK_SOURCE_DIR "/tests/sim/run/scenarios"

static struct diag_list diags;
static struct scenario scenario;

static inline int start(void **state)
{
    (void)state;
    diag_init(&diags);
    return chdir(FIXTURES);
}

static inline int finish(void **state)
{
    (void)state;
    diag_fini(&diags);
    return 0;
}

/* Load a file, with one override or none. */
static inline int load_with(const char *path, const char *set)
{
    return scenario_load(&scenario, path, &set, set ? 1 : 0, &diags);
}

static inline int load(const char *path)
{
    return load_with(path, NULL);
}

/* What diag_print says, to be freed. */
static inline char *printed(bool colour)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    diag_print(&diags, out, colour);
    fclose(out);
    return text;
}

/* It says what stands in a file beside the scenario. */
static inline void assert_printed(const char *path)
{
    static char expected[1 << 16];
    FILE *file = fopen(path, "rb");
    char *text = printed(false);

    if (!file)
        fail_msg("no %s", path);
    expected[fread(expected, 1, sizeof(expected) - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
    free(text);
}

#endif
