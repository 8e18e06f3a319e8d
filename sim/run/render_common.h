/*
 * What the renderings of a result share: the names of its points, quantities as people read them,
 * the command that does a run again, the verdict.
 *
 * A result is as xensock-result(5) says. It may be of one run or of a study, of a run that failed
 * or of a scenario that was refused, and what it does not have is left out: nothing here fails on a
 * shape, nor does it look at files. Text goes through a sink, which knows how its format escapes.
 */
#ifndef XENSOCK_SIM_RUN_RENDER_COMMON_H
#define XENSOCK_SIM_RUN_RENDER_COMMON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RENDER_SCHEMA "xensock/result/1"

/* Where text goes: `put` writes a piece of it, valid UTF-8, escaped. */
struct render_sink {
    FILE *file;
    void (*put)(FILE *file, const char *text);
};

enum render_verdict { RENDER_PASSED, RENDER_FAILED, RENDER_INCOMPLETE };

/* What is wrong with `result` that no rendering could be made of it, in words; NULL if nothing. */
const char *render_refuse(const json_t *result);

/* A text or a number of an object; "" or 0 without it. */
const char *render_text(const json_t *object, const char *key);
uint64_t render_number(const json_t *object, const char *key);

/* The name of the scenario, "scenario" if it is not told. */
const char *render_name(const json_t *result);

/* The point with that id, NULL if there is none. */
const json_t *render_point(const json_t *result, uint64_t id);

/* A quantity in its unit, rounded to three digits where that is for reading: "412 us". */
void render_quantity(const struct render_sink *sink, const char *unit, uint64_t value);

/* A point's value of an axis, exactly, as scenarios write it: "5000/s". */
void render_axis(const struct render_sink *sink, const json_t *axis, const json_t *point);

/* "[order=6,rate=5000/s]", nothing without axes. */
void render_axes(const struct render_sink *sink, const json_t *result, const json_t *point);

/* The same for the point that a case or an error is of, by its "point": "[point=2]" for one that
 * the result does not have, being a shard's; nothing without one. */
void render_where(const struct render_sink *sink, const json_t *result, const json_t *of);

/* The command line that does it again, for a shell; `point` and `repeat` may be NULL: all of them.
 */
void render_command(const struct render_sink *sink, const json_t *result, const json_t *point,
                    const json_t *repeat);

/* Whether an expectation awaits that error: then it is no failure. */
bool render_awaited(const json_t *error);

/* Whether an error belongs to the run of that point: by its number, or since there is no other
 * point. NULL: to none. */
bool render_belongs(const json_t *result, const json_t *error, const json_t *point);

/* Failed: an error, or an expectation that is not met. Incomplete: else, if not all has run. */
enum render_verdict render_verdict(const json_t *result);

#endif
