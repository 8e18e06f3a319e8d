/*
 * Cost models: what good files give, what is said about bad ones, to the letter, and whether the
 * models of the program are what scenarios/models/ says.
 *
 * models/bad-*.yaml each have a .txt beside them, which holds every diagnostic of that file.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/model.h"

#include <ctype.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURES XENSOCK_SOURCE_DIR "/tests/sim/run/models"
#define MODELS XENSOCK_SOURCE_DIR "/scenarios/models"
#define US UINT64_C(1000000)
#define MS (1000 * US)

static struct diag_list diags;
static struct model model;

static int start(void **state)
{
    (void)state;
    diag_init(&diags);
    return chdir(FIXTURES); /* so that messages name the files without a directory */
}

static int finish(void **state)
{
    (void)state;
    diag_fini(&diags);
    return 0;
}

/* A file as a string of at most 64 KiB, which the next call overwrites. */
static const char *file_text(const char *path)
{
    static char text[1 << 16];
    FILE *file = fopen(path, "rb");

    if (!file)
        fail_msg("no %s", path);
    text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
    fclose(file);
    return text;
}

static void assert_printed(const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    diag_print(&diags, out, false);
    fclose(out);
    assert_string_equal(text, file_text(path));
    free(text);
}

static void assert_cost(enum cost_row row, const struct cost *expected)
{
    const struct cost *cost = &model.costs.rows[row];

    assert_int_equal(cost->shape, expected->shape);
    assert_true(cost->low_ps == expected->low_ps);
    assert_true(cost->high_ps == expected->high_ps);
    assert_int_equal(cost->sigma_ppm, expected->sigma_ppm);
    assert_int_equal(cost->tail_ppm, expected->tail_ppm);
    assert_true(cost->tail_low_ps == expected->tail_low_ps);
    assert_true(cost->tail_high_ps == expected->tail_high_ps);
}

static void shapes(void **state)
{
    (void)state;
    assert_int_equal(model_load(&model, "good.yaml", "", &diags), 0);
    assert_int_equal(diags.count, 0);
    assert_string_equal(model.name, "good");
    assert_string_equal(model.description, "Every shape.");
    assert_cost(COST_NOTIFY, &(struct cost){.low_ps = 345000});
    assert_cost(COST_COPY_BYTE, &(struct cost){.low_ps = 100});
    assert_cost(COST_SOCKET_OPEN, &(struct cost){.low_ps = 0});
    assert_cost(COST_DELIVER_RUNNING, &(struct cost){COST_UNIFORM, 2 * US, 2500000, 0, 0, 0, 0});
    assert_cost(COST_DELIVER_IDLE, &(struct cost){COST_LOGNORMAL, 5 * US, 0, 250000, 0, 0, 0});
    assert_cost(COST_DELIVER_CONTENDED,
                &(struct cost){COST_UNIFORM, 0, MS, 0, 100000, MS, 30 * MS});
    assert_cost(COST_DELIVER_ASLEEP,
                &(struct cost){COST_LOGNORMAL, 1000 * MS, 0, 2000000, 1000000, 0, 1000 * MS});
    assert_true(model.costs.dozing_after_ns == 20000);
    assert_true(model.costs.asleep_after_ns == UINT64_MAX);
    assert_true(model.costs.slice_ns == 30000000);
    assert_string_equal(model.rows[COST_STEP].source, "A22");
    assert_int_equal(model.rows[COST_STEP].factor_ppm, 23000000);
    assert_int_equal(model.rows[COST_STEP].known, MODEL_DERIVED);
    assert_int_equal(model.slice.factor_ppm, 1500000);
}

static void bad_files(void **state)
{
    static const char *const names[] = {"missing", "rows", "limits",  "schema",
                                        "none",    "list", "features"};
    char path[64];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        snprintf(path, sizeof(path), "bad-%s.yaml", names[i]);
        assert_int_equal(model_load(&model, path, "", &diags), -1);
        snprintf(path, sizeof(path), "bad-%s.txt", names[i]);
        assert_printed(path);
        finish(state);
    }
}

/* A path begins at the scenario's directory, unless it is absolute. */
static void paths(void **state)
{
    static const struct {
        const char *which, *beside;
        int expected;
    } cases[] = {{"good.yaml", "scenario.yaml", 0},
                 {"./good.yaml", "scenario.yaml", 0},
                 {"models/good.yaml", "../scenario.yaml", 0},
                 {"good.yaml", FIXTURES "/scenario.yaml", 0},
                 {FIXTURES "/good.yaml", "/nowhere/scenario.yaml", 0},
                 {"good.yaml", "../scenario.yaml", -1},
                 {"./linux-processes", "scenario.yaml", -1}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        if (model_load(&model, cases[i].which, cases[i].beside, &diags) != cases[i].expected)
            fail_msg("%s beside %s is not %d", cases[i].which, cases[i].beside, cases[i].expected);
        if (cases[i].expected)
            assert_int_equal(diags.entries[0].code, DIAG_UNREADABLE);
        finish(state);
    }
    assert_true(model_is_path("a/b"));
    assert_true(model_is_path(".yaml"));
    assert_false(model_is_path("yaml"));
    assert_false(model_is_path("xen-arm"));
}

static void too_large(void **state)
{
    static char text[MODEL_FILE_BYTES_MAX + 1];
    char path[] = "/tmp/xensock-model-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    memset(text, '\n', sizeof(text));
    assert_true(fd >= 0);
    assert_true(write(fd, text, sizeof(text)) == (ssize_t)sizeof(text));
    assert_int_equal(model_load(&model, path, "", &diags), -1);
    assert_int_equal(diags.entries[0].code, DIAG_TOO_LARGE);
    finish(NULL);
    assert_int_equal(ftruncate(fd, MODEL_FILE_BYTES_MAX), 0);
    assert_int_equal(model_load(&model, path, "", &diags), -1);
    assert_int_equal(diags.entries[0].code, DIAG_WRONG_TYPE);
    close(fd);
    unlink(path);
}

/* All but the list of models, which a new file in scenarios/models/ makes longer. */
static void names(void **state)
{
    const struct diag *diag = &diags.entries[0];

    (void)state;
    assert_int_equal(model_load(&model, "xen-x86-pinend", "", &diags), -1);
    assert_int_equal(diags.count, 1);
    assert_int_equal(diag->code, DIAG_UNKNOWN_VALUE);
    assert_string_equal(diag->message, "there is no cost model 'xen-x86-pinend'");
    assert_string_equal(diag->hint, "did you mean 'xen-x86-pinned'?");
    assert_non_null(strstr(diag->help, "known models: linux-processes, "));
    for (uint32_t i = 0; model_at(i); i++)
        assert_non_null(strstr(diag->help, model_at(i)));
    finish(NULL);
    assert_int_equal(model_load(&model, "mine", "", &diags), -1);
    assert_string_equal(diag->hint, "a file's name has a slash or ends in .yaml");
    finish(NULL);
    assert_int_equal(model_load(&model, SCENARIO_COST_MODEL, "", &diags), 0);
    for (uint32_t i = 1; model_at(i); i++)
        assert_true(strcmp(model_at(i - 1), model_at(i)) < 0);
}

/* The digest is of the text: of a comment too, and the same each time. */
static void digests(void **state)
{
    char digest[PAYLOAD_DIGEST_TEXT_BYTES];

    (void)state;
    assert_int_equal(model_load(&model, "xen-arm", "", &diags), 0);
    memcpy(digest, model.digest, sizeof(digest));
    assert_int_equal(strlen(digest), 32);
    assert_int_equal(model_load(&model, "xen-x86-idle", "", &diags), 0);
    assert_string_not_equal(model.digest, digest);
    assert_int_equal(model_load(&model, MODELS "/xen-arm.yaml", "", &diags), 0);
    assert_string_equal(model.digest, digest);
}

/* ---- the models of the program ---- */

/* The next row "A12" that a source names, from *at on; false if there is none. */
static bool next_citation(const char **at, char row[8])
{
    char before = ' ';

    for (const char *c = *at; *c; before = *c, c++) {
        size_t digits = strspn(c + 1, "0123456789");

        if (!isupper((unsigned char)*c) || digits == 0 || digits > 2 ||
            isalnum((unsigned char)c[1 + digits]) || isalnum((unsigned char)before))
            continue;
        memcpy(row, c, digits + 1);
        row[digits + 1] = '\0';
        *at = c + digits + 1;
        return true;
    }
    return false;
}

static void check_origin(const struct model_origin *origin, const char *readme, const char *what)
{
    const char *at = origin->source;
    char row[8], line[16];
    bool recalled = false, measured = false, cited = false;

    while (next_citation(&at, row)) {
        snprintf(line, sizeof(line), "\n| %s |", row);
        if (!strstr(readme, line))
            fail_msg("%s of %s: no row %s in the README", what, model.name, row);
        cited = true;
        recalled |= row[0] == 'R';
        measured |= row[0] == 'P';
    }
    switch (origin->known) {
    case MODEL_READ: assert_true(cited && !measured); break;
    case MODEL_RECALLED: assert_true(recalled); break;
    case MODEL_DERIVED: assert_true(cited); break;
    case MODEL_MEASURED: assert_true(measured && !recalled); break;
    case MODEL_ESTIMATED: break;
    }
}

/* Every file of scenarios/models/ is in the program as it stands, loads under its own name, and
 * cites only sources that the README has. */
static void every_model(void **state)
{
    char *readme = strdup(file_text(MODELS "/README.md"));
    char path[512];
    glob_t files;

    (void)state;
    assert_int_equal(glob(MODELS "/*.yaml", 0, NULL, &files), 0);
    for (uint32_t i = 0; i < files.gl_pathc; i++) {
        assert_non_null(model_at(i));
        snprintf(path, sizeof(path), "%s/%s.yaml", MODELS, model_at(i));
        assert_string_equal(files.gl_pathv[i], path);
        if (model_load(&model, model_at(i), "", &diags)) {
            diag_print(&diags, stderr, false);
            fail_msg("%s is faulty", model_at(i));
        }
        assert_string_equal(model.name, model_at(i));
        assert_string_equal(diags.texts[0], file_text(path));
        for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
            check_origin(&model.rows[row], readme, "a row");
        check_origin(&model.dozing_after, readme, "dozing_after");
        check_origin(&model.asleep_after, readme, "asleep_after");
        check_origin(&model.slice, readme, "slice");
        finish(NULL);
    }
    assert_null(model_at((uint32_t)files.gl_pathc));
    globfree(&files);
    free(readme);
}

/* The manual page has each row, and says of it what cost.h says. */
static void manual(void **state)
{
    static const char *const rows[][2] = {
#define X(constant, key, meaning) {(key), (meaning)},
        COST_ROWS(X)
#undef X
    };
    const char *page = file_text(XENSOCK_SOURCE_DIR "/tools/man/xensock-scenario.5.scd");
    char line[200];

    (void)state;
    for (uint32_t i = 0; i < COST_ROWS_COUNT; i++) {
        snprintf(line, sizeof(line), "*%s*\n:%c %s\n", rows[i][0], i ? ' ' : '<', rows[i][1]);
        for (char *tick = line; (tick = strchr(tick, '`'));)
            *tick = '*';
        if (!strstr(page, line))
            fail_msg("the page has not: %s", line);
    }
}

/* Some numbers as their sources have them, so that no slip of a digit stays. */
static void golden(void **state)
{
    (void)state;
    assert_int_equal(model_load(&model, "linux-processes", "", &diags), 0);
    assert_cost(COST_NOTIFY, &(struct cost){.low_ps = 345000});
    assert_cost(COST_COPY_BYTE, &(struct cost){.low_ps = 21});
    assert_cost(COST_TURN, &(struct cost){.low_ps = 1100000});
    assert_cost(COST_CONTEXT_SWITCH, &(struct cost){.low_ps = 2650000});
    assert_cost(COST_DELIVER_IDLE,
                &(struct cost){COST_LOGNORMAL, 23500000, 0, 600000, 1000, 200 * US, 1300 * US});
    assert_true(model.costs.dozing_after_ns == UINT64_MAX);
    assert_int_equal(model_load(&model, "xen-x86-pinned", "", &diags), 0);
    assert_cost(COST_DELIVER_ASLEEP, &(struct cost){COST_LOGNORMAL, 2600000, 0, 200000, 0, 0, 0});
    assert_cost(COST_WAKE_BACKEND, &(struct cost){COST_LOGNORMAL, 8 * US, 0, 500000, 0, 0, 0});
    assert_int_equal(model_load(&model, "xen-x86-idle", "", &diags), 0);
    assert_cost(COST_DELIVER_DOZING, &(struct cost){COST_LOGNORMAL, 13 * US, 0, 400000, 0, 0, 0});
    assert_cost(COST_DELIVER_ASLEEP, &(struct cost){COST_UNIFORM, 50 * US, 140 * US, 0, 0, 0, 0});
    assert_true(model.costs.dozing_after_ns == 20000);
    assert_true(model.costs.asleep_after_ns == 600000);
    assert_int_equal(model.rows[COST_HYPERCALL_FRONT].factor_ppm, 1700000);
}

static uint64_t ps(enum cost_row row)
{
    return model.costs.rows[row].low_ps;
}

/* The sums of the README, which it compares with measurements. */
static void rows_add_up(void **state)
{
    (void)state;
    assert_int_equal(model_load(&model, "linux-processes", "", &diags), 0);
    assert_true(2 * (ps(COST_NOTIFY) + ps(COST_CONTEXT_SWITCH) + ps(COST_TURN)) == 8190000);
    assert_true(2 * (ps(COST_SOCKET_WRITE) + ps(COST_CONTEXT_SWITCH) + ps(COST_SOCKET_READ)) ==
                15900000);
    assert_true(ps(COST_SOCKET_WRITE) + ps(COST_SOCKET_READ) +
                    65536 * (ps(COST_SOCKET_READ_BYTE) + ps(COST_SOCKET_WRITE_BYTE)) ==
                14475040);
    assert_int_equal(model_load(&model, "xen-x86-idle", "", &diags), 0);
    assert_true(ps(COST_DELIVER_DOZING) + ps(COST_WAKE_BACKEND) == 21 * US);
    assert_true(ps(COST_MAP_PAGE) + ps(COST_UNMAP_PAGE) == 1400000);
    assert_true(2 * ps(COST_DELIVER_IDLE) == 10 * US);
}

/* In two tests, since a list of diagnostics has room for four sources. */
static void golden_shared_and_arm(void **state)
{
    (void)state;
    assert_int_equal(model_load(&model, "xen-x86-shared", "", &diags), 0);
    assert_cost(COST_DELIVER_CONTENDED,
                &(struct cost){COST_UNIFORM, 0, MS, 0, 100000, MS, 30 * MS});
    assert_true(model.costs.slice_ns == 30000000);
    assert_int_equal(model_load(&model, "xen-arm", "", &diags), 0);
    assert_cost(COST_HYPERCALL_BACK, &(struct cost){.low_ps = 160000});
    assert_cost(COST_DELIVER_RUNNING, &(struct cost){COST_UNIFORM, 2 * US, 2500000, 0, 0, 0, 0});
    assert_int_equal(model.rows[COST_HYPERCALL_FRONT].known, MODEL_READ);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shapes, start, finish),
        cmocka_unit_test_setup_teardown(bad_files, start, finish),
        cmocka_unit_test_setup_teardown(paths, start, finish),
        cmocka_unit_test_setup_teardown(too_large, start, finish),
        cmocka_unit_test_setup_teardown(names, start, finish),
        cmocka_unit_test_setup_teardown(digests, start, finish),
        cmocka_unit_test_setup_teardown(every_model, start, finish),
        cmocka_unit_test_setup_teardown(rows_add_up, start, finish),
        cmocka_unit_test_setup_teardown(manual, start, finish),
        cmocka_unit_test_setup_teardown(golden, start, finish),
        cmocka_unit_test_setup_teardown(golden_shared_and_arm, start, finish),
    };

    return !!cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
