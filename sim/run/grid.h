/*
 * Tables of text for a terminal: an array of rows, a row an array of strings, of which the first is
 * a name, to the left, and the rest to the right. A caller's grid is a json_t array.
 */
#ifndef XENSOCK_SIM_RUN_GRID_H
#define XENSOCK_SIM_RUN_GRID_H

#include <jansson.h>
#include <stdio.h>

enum { GRID_COLUMNS_MAX = 64 };

/* Append a row, which begins with a name; and a cell to a row. */
json_t *grid_row(json_t *grid, const char *name);
void grid_text(json_t *row, const char *text);

/* Print a grid that has more than its titles, and an empty line; takes it. */
void grid_print(FILE *out, json_t *grid);

#endif
