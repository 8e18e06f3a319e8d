/*
 * A study: what a scenario file says about being run more than once, and about what is to come out.
 *
 * Its `sweep` has axes, each a path of the scenario and the values put there. Axes that go along
 * with another (`zip`) move in step with it, all others are multiplied: each combination is a
 * point, numbered from 0, the first axis changing slowest. Each point is run `repeat.count` times.
 * A run is one repeat of one point, and a scenario like any other: study_scenario gives it, and
 * study_sets the overrides that make the file be it. A file without `sweep` and `repeat` is a study
 * of one run.
 *
 * Repeat 0 has the scenario's own seed, and repeat i one derived from that and i, the same at every
 * point: so points are compared under the same draws, and none changes when another is added.
 * Nothing is run here. The tree of the file stays open until study_fini.
 * Source: ecosystem.md 6.2.
 */
#ifndef XENSOCK_SIM_RUN_STUDY_H
#define XENSOCK_SIM_RUN_STUDY_H

#include "sim/run/expect.h"
#include "sim/run/scenario_tree.h"
#include "sim/run/units.h"

enum {
    STUDY_AXES_MAX = 8,
    STUDY_VALUES_MAX = 256, /* of an axis */
    STUDY_POINTS_MAX = 10000,
    STUDY_REPEATS_MAX = 1000,
    STUDY_EXPECTS_MAX = 64,
    STUDY_VALUE_BYTES = 128,                                   /* of an axis, as it is written */
    STUDY_SET_BYTES = SCENARIO_PATH_BYTES + STUDY_VALUE_BYTES, /* a path, '=' and a value */
};

/* In which unit the values of an axis are numbers. */
#define STUDY_UNITS(X)                                                                             \
    X(COUNT, NULL)                                                                                 \
    X(BYTES, "bytes")                                                                              \
    X(NS, "ns")                                                                                    \
    X(PER_S, "per_s")                                                                              \
    X(BYTES_PER_S, "bytes_per_s")                                                                  \
    X(PPM, "ppm")                                                                                  \
    X(TEXT, NULL) /* they are none */
#define X(constant, word) STUDY_##constant,
enum study_unit { STUDY_UNITS(X) };
#undef X

struct study_axis {
    char name[SCENARIO_NAME_BYTES];
    char path[SCENARIO_PATH_BYTES];
    char zip[SCENARIO_NAME_BYTES]; /* the axis it goes along with, or empty */
    uint32_t along;                /* that, of study.axes; its own index if it goes alone */
    enum study_unit unit;
    int path_node, values_node; /* in the tree */
    uint32_t count;             /* of values, at least 1 */
    int nodes[STUDY_VALUES_MAX];
    uint64_t numbers[STUDY_VALUES_MAX]; /* unless STUDY_TEXT */
};

/* What is expected: an expression that holds, or an error that is met. */
struct study_expect {
    char name[SCENARIO_NAME_BYTES]; /* unique */
    char that[SCENARIO_TEXT_BYTES]; /* or empty: then */
    char error[16];                 /* this code ends each run, which is no failure */
    char when[SCENARIO_TEXT_BYTES]; /* only at points where this holds; may be empty */
    struct diag_place place;        /* of `that`, or of `error` */
    struct expect holds, where;     /* the two expressions; without nodes if there is none */
};

struct study {
    struct scenario_yaml yaml;
    struct scenario first; /* point 0, repeat 0 */
    bool sound;            /* it is one, so names may be looked up in it */
    struct study_axis axes[STUDY_AXES_MAX];
    uint32_t axis_count;
    uint32_t point_count;  /* 1 to STUDY_POINTS_MAX */
    uint32_t repeat_count; /* 1 to STUDY_REPEATS_MAX */
    struct study_expect expects[STUDY_EXPECTS_MAX];
    uint32_t expect_count;
};

/* Read and check the file with all its points. Returns 0, and it is to be freed with study_fini; or
 * -1 with every fault found in `diags`, sorted, and nothing to free. `diags` as for scenario_load,
 * and it must live as long as the study. */
int study_load(struct study *study, const char *path, const char *const *sets, uint32_t set_count,
               struct diag_list *diags);
void study_fini(struct study *study);

/* The same of a text, which is the first source of `diags` already. */
int study_load_text(struct study *study, const char *text, const char *const *sets,
                    uint32_t set_count, struct diag_list *diags);

/* Which value of an axis a point has. */
uint32_t study_value(const struct study *study, uint32_t point, uint32_t axis);

/* The point that differs from another in the values that are selected, by axis, or UINT32_MAX where
 * it does not; axes in step go along. */
uint32_t study_point_at(const struct study *study, uint32_t point,
                        const uint32_t selected[STUDY_AXES_MAX]);

/* That value as it is written in the file. */
const char *study_text(const struct study *study, uint32_t axis, uint32_t value);

/* Whether a text is written as the code of a result's error: "E0501". */
bool study_is_code(const char *text);

/* The axis of that name; axis_count if there is none. */
uint32_t study_axis_find(const struct study *study, const char *name);

/* The word of a unit, NULL if it has none. */
const char *study_unit_word(enum study_unit unit);

/* Put the values of a point into the tree. */
void study_put(struct study *study, uint32_t point);

/* The scenario of a run. */
void study_scenario(struct study *study, uint32_t point, uint32_t repeat, struct scenario *out);

/* The override by which the file has a point's value of an axis: "path=value". Those of all axes,
 * and "seed=" with the seed of the run's scenario, make the file be that run. */
void study_set(const struct study *study, uint32_t point, uint32_t axis,
               char text[STUDY_SET_BYTES]);

/* The seed of a repeat of a scenario with this seed. */
uint64_t study_seed(uint64_t seed, uint32_t repeat);

/* As scenario_json of its first run, and `sweep`, `repeat` and `expect` where the file has them.
 * Owned by the caller; NULL without memory. */
json_t *study_json(const struct study *study);

/* An axis' value as a point of a result has it: an integer, or a text. */
json_t *study_value_json(const struct study *study, uint32_t axis, uint32_t value);

/* All of a point: {"id", "axes"}, and "order=6, rate=5000/s" as the file writes them. The object is
 * the caller's. */
json_t *study_point_json(const struct study *study, uint32_t point);
void study_point_words(const struct study *study, uint32_t point, char *text, size_t bytes);

/* Such a value of a result in words, exactly, in that unit. */
struct units_text study_value_words(const json_t *value, const char *unit);

#endif
