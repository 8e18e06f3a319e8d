/* What the parts of a comparison share. See compare.h. */
#ifndef XENSOCK_SIM_RUN_COMPARE_PRIVATE_H
#define XENSOCK_SIM_RUN_COMPARE_PRIVATE_H

#include "sim/run/compare.h"

/* The same point on both sides, either NULL if there it is not; `id` is of the side that has it. */
struct compare_pair {
    const json_t *a, *b;
    const json_t *id, *axes;
};

/* Calls `each` for the points of a, then for those that only b has: points with the same values on
 * their axes are the same. */
void compare_each_point(const json_t *a, const json_t *b,
                        void (*each)(void *self, const struct compare_pair *pair), void *self);

/* A row of `rows`: borrowed, to be filled further. */
json_t *compare_add_row(json_t *rows, const struct compare_pair *pair, const char *name);

/* Sets what is new in an object, and ends the program without memory. */
void compare_set(json_t *object, const char *key, json_t *value);

/* The point of a result with these axes; NULL if it has none. */
json_t *compare_point_like(const json_t *result, const json_t *axes);

/* Sets "verdict" and "change_ppm" of a row with "a" and "b", by the direction of its name. */
void compare_judge(json_t *row);

/* How much more `to` is than `from`, signed; INT64_MAX if `from` alone is 0. */
int64_t compare_change_ppm(uint64_t from, uint64_t to);

/* Whether the options ask for this metric. */
bool compare_wants(const struct compare_options *options, const char *name);

/* Fill "rows", "notes" and "settings" of a comparison. */
void compare_virtual(json_t *comparison, const json_t *a, const json_t *b,
                     const struct compare_options *options);
void compare_emulated(json_t *comparison, const json_t *a, const json_t *b,
                      const struct compare_options *options);

#endif
