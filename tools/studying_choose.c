/* Which runs of a study the command line asks for, and what goes with them. See studying.h. */
#include "tools/studying.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* AXIS=VALUE as a value of the study; false after saying that there is none. */
static bool find_only(const struct study *study, struct studying_only *only)
{
    size_t bytes = strcspn(only->text, "=");
    const char *value = only->text + bytes + (only->text[bytes] == '=');

    for (only->axis = 0; only->axis < study->axis_count; only->axis++) {
        const struct study_axis *axis = &study->axes[only->axis];
        if (strlen(axis->name) != bytes || strncmp(axis->name, only->text, bytes) != 0)
            continue;
        for (only->value = 0; only->value < axis->count; only->value++)
            if (strcmp(study_text(study, only->axis, only->value), value) == 0)
                return true;
        fprintf(stderr, "xensock: error: --only: axis '%s' has no value '%s'; it has:", axis->name,
                value);
        for (uint32_t i = 0; i < axis->count; i++)
            fprintf(stderr, " %s", study_text(study, only->axis, i));
        fputc('\n', stderr);
        return false;
    }
    fprintf(stderr, "xensock: error: --only takes AXIS=VALUE, not '%s'; axes:", only->text);
    for (uint32_t i = 0; i < study->axis_count; i++)
        fprintf(stderr, " %s", study->axes[i].name);
    fputs(study->axis_count ? "\n" : " there are none\n", stderr);
    return false;
}

/* Whether a point has one of the values asked for, of each axis that is asked for. */
static bool is_only(const struct studying *studying, uint32_t point)
{
    const struct studying_options *options = studying->options;

    for (uint32_t axis = 0; axis < studying->study->axis_count; axis++) {
        bool asked = false, has = false;
        for (uint32_t i = 0; i < options->only_count; i++) {
            if (options->only[i].axis != axis)
                continue;
            asked = true;
            has |= options->only[i].value == study_value(studying->study, point, axis);
        }
        if (asked && !has)
            return false;
    }
    return true;
}

bool studying_is_asked(const struct studying *studying, uint32_t point, uint32_t repeat)
{
    const struct studying_options *options = studying->options;

    return (options->point < 0 || options->point == point) &&
           (options->repeat < 0 || options->repeat == repeat) && is_only(studying, point) &&
           study_part_has(studying->study, &studying->part, point, repeat);
}

static void choose_runs(struct studying *studying)
{
    const struct study *study = studying->study;

    studying->wanted = calloc((size_t)study->point_count * study->repeat_count, 1);
    assert(studying->wanted);
    for (uint32_t point = 0; point < study->point_count; point++)
        for (uint32_t repeat = 0; repeat < study->repeat_count; repeat++)
            if (studying_is_asked(studying, point, repeat)) {
                studying->wanted[point * study->repeat_count + repeat] = 1;
                studying->run_count++;
            }
}

/* A shard may be left without runs, who asks for some not. */
bool studying_choose(struct studying *studying)
{
    struct studying_options *options = studying->options;
    const struct study *study = studying->study;

    for (uint32_t i = 0; i < options->only_count; i++)
        if (!find_only(study, &options->only[i]))
            return false;
    if (options->point >= study->point_count || options->repeat >= study->repeat_count) {
        bool point = options->point >= study->point_count;
        fprintf(stderr, "xensock: error: there is no %s %" PRId64 ", only 0 to %" PRIu32 "\n",
                point ? "point" : "repeat", point ? options->point : options->repeat,
                (point ? study->point_count : study->repeat_count) - 1);
        return false;
    }
    choose_runs(studying);
    if (studying->run_count > 0 || options->shards > 0)
        return true;
    fprintf(stderr, "xensock: error: no point is all that --point and --only ask for\n");
    return false;
}

bool studying_suits(const struct studying *studying)
{
    const struct studying_options *options = studying->options;
    bool virtual = studying->study->first.mode == SCENARIO_VIRTUAL;
    bool scripted = studying->study->first.steps;
    const char *option = NULL, *one;

    if (scripted && (options->capture.file || options->traced.stages || options->traced.trace)) {
        fprintf(stderr, "xensock: error: --capture, --stages and a trace for Perfetto do not go "
                        "with 'steps'\n");
        return false;
    }

    if (virtual)
        option = options->launch.runtime ? "--runtime" : NULL;
    else
        option = options->launch.trace ? "--trace" : options->jobs > 1 ? "--jobs" : NULL;
    if (option)
        fprintf(stderr, "xensock: error: %s does not go with mode '%s'\n", option,
                virtual ? "virtual" : "emulated");
    one = options->launch.trace || options->traced.trace ? "--trace"
          : options->capture.file                        ? "--capture"
                                                         : NULL;
    if (!option && one && studying->run_count > 1)
        fprintf(stderr,
                "xensock: error: %s is of one run, and these are %" PRIu32
                ": choose one with --point and --repeat\n",
                one, studying->run_count);
    return !option && (!one || studying->run_count <= 1);
}

bool studying_is_choice(const struct studying_options *options)
{
    return options->point >= 0 || options->repeat >= 0 || options->only_count > 0;
}
