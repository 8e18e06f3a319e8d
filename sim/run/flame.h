/*
 * Stacks and what was spent in each: read from a profiler, shown as a table by function and as a
 * flame graph, a picture (SVG) in which a function stands on its caller, as wide as its share.
 *
 * The picture has no scripts: every frame tells its whole name and amount by itself (<title>). The
 * same stacks give the same bytes, in whatever order they were read. Knows no profiler's process,
 * no file names; whoever runs one hands over its text.
 * Invariants: a node's total is its own amount and the totals of its children; siblings stand in
 * the order of their names.
 */
#ifndef XENSOCK_SIM_RUN_FLAME_H
#define XENSOCK_SIM_RUN_FLAME_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { FLAME_DEPTH_MAX = 200 }; /* frames of a stack that are kept, the innermost ones */

struct flame;

/* An empty one, for flame_destroy; NULL without memory. */
struct flame *flame_create(void);
void flame_destroy(struct flame *flame);

/* Add `amount` of one stack: `count` names, the outermost first; copied. */
void flame_add(struct flame *flame, const char *const *names, uint32_t count, uint64_t amount);

/* Read "main;step;copy 3" a line, as google-pprof --collapsed writes, addresses behind a name left
 * out; or what `perf script -F ip,sym` prints, one sample a stack, kernel functions marked "[k]".
 * How many lines were neither; these are left out. */
uint64_t flame_read_collapsed(struct flame *flame, FILE *in);
uint64_t flame_read_perf(struct flame *flame, FILE *in);

/* The amount of all stacks. */
uint64_t flame_total(const struct flame *flame);

/* "Total: 91 samples", and behind it a line a function, most spent first: itself, its share, the
 * share so far, with all it called, the share of that, its name. */
void flame_print_table(const struct flame *flame, FILE *out, const char *unit);

/* The picture, with a title of any text. `unit` is what the amounts are: "samples", "bytes". */
void flame_print_svg(const struct flame *flame, FILE *out, const char *title, const char *unit);

#endif
