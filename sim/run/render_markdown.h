/* A result as a summary in Markdown, for the page of a CI job or a note to a change. */
#ifndef XENSOCK_SIM_RUN_RENDER_MARKDOWN_H
#define XENSOCK_SIM_RUN_RENDER_MARKDOWN_H

#include <jansson.h>
#include <stdio.h>

/* Write verdict, expectations, a table of the points with medians and intervals, errors, and how to
 * do it again, in GitHub's Markdown. Of long tables only a beginning is written, and what is left
 * out is said: a page takes a MiB at most. */
void render_markdown(FILE *out, const json_t *result);

#endif
