/* A child under control. See child.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/child.h"

#include <unistd.h>

int child_spawn(uv_loop_t *loop, uv_process_t *process, char **args, uv_exit_cb exited, int *fd)
{
    char program[4096];
    size_t bytes = sizeof(program);
    uv_os_sock_t ends[2];
    int ret = uv_exepath(program, &bytes);

    ret = ret < 0 ? ret : uv_socketpair(SOCK_STREAM, 0, ends, 0, 0);
    if (ret < 0)
        return ret;
    uv_stdio_container_t stdio[4] = {{.flags = UV_IGNORE},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2},
                                     {.flags = UV_INHERIT_FD, .data.fd = 2},
                                     {.flags = UV_INHERIT_FD, .data.fd = ends[1]}};
    uv_process_options_t options = {
        .exit_cb = exited, .file = program, .args = args, .stdio_count = 4, .stdio = stdio};
    ret = uv_spawn(loop, process, &options);
    close(ends[1]);
    *fd = ends[0];
    if (ret < 0) {
        close(ends[0]);
        uv_close((uv_handle_t *)process, NULL);
    }
    return ret;
}
