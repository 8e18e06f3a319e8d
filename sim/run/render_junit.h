/* A result as JUnit XML, for the systems that run tests and show what became of them. */
#ifndef XENSOCK_SIM_RUN_RENDER_JUNIT_H
#define XENSOCK_SIM_RUN_RENDER_JUNIT_H

#include <jansson.h>
#include <stdio.h>

/* Write a test suite with a case for each expectation at each point, `tail[order=6]`, and one for
 * the runs of each point, `run[order=6]`, in which their errors are. An expectation that could not
 * be judged is skipped where the case of its runs says why, else an error. Whether all could be
 * written, `out` knows. `result` is one that render_refuse takes. */
void render_junit(FILE *out, const json_t *result);

#endif
