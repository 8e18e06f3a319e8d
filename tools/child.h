/*
 * This program again, as a child under control: how the launcher of a run and a forward start their
 * parts.
 */
#ifndef XENSOCK_TOOLS_CHILD_H
#define XENSOCK_TOOLS_CHILD_H

#include <uv.h>

/* Start this program with `args`, which end with "--control", "3" and NULL; both its outputs are
 * our standard error. `*fd` is our end of its control, for control_uv_open. 0 or a UV_* error,
 * which leaves nothing. */
int child_spawn(uv_loop_t *loop, uv_process_t *process, char **args, uv_exit_cb exited, int *fd);

#endif
