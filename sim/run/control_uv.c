/* JSON lines over a stream, on a libuv loop. See control_uv.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/control_uv.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { LINE_BYTES_MAX = 4 << 20 }; /* a report with its histograms is far below */

struct control_uv {
    uv_pipe_t pipe; /* first: callbacks get its address */
    void (*said)(void *self, json_t *object);
    void *self;
    char *line; /* what came of the line so far */
    size_t line_bytes, line_room;
    bool closing;
};

struct saying {
    uv_write_t request; /* first: its callback gets this address */
    char *text;
};

static void on_closed(uv_handle_t *handle)
{
    struct control_uv *control = (struct control_uv *)(void *)handle;

    free(control->line);
    free(control);
}

static void lost(struct control_uv *control)
{
    uv_read_stop((uv_stream_t *)&control->pipe);
    if (!control->closing)
        control->said(control->self, NULL);
}

static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct control_uv *control = (struct control_uv *)(void *)handle;

    (void)suggested;
    if (control->line_room - control->line_bytes < 4096) {
        size_t room = control->line_room ? control->line_room * 2 : 16384;
        char *grown = room <= LINE_BYTES_MAX ? realloc(control->line, room) : NULL;
        if (!grown) {
            *buf = uv_buf_init(NULL, 0); /* read as UV_ENOBUFS: the talk is over */
            return;
        }
        control->line = grown;
        control->line_room = room;
    }
    *buf = uv_buf_init(control->line + control->line_bytes,
                       (unsigned)(control->line_room - control->line_bytes));
}

/* Hand over each complete line; false when one was no JSON object. */
static bool take_lines(struct control_uv *control)
{
    char *newline;

    while (!control->closing && (newline = memchr(control->line, '\n', control->line_bytes))) {
        size_t bytes = (size_t)(newline - control->line);
        json_t *object = json_loadb(control->line, bytes, JSON_REJECT_DUPLICATES, NULL);
        control->line_bytes -= bytes + 1;
        memmove(control->line, newline + 1, control->line_bytes);
        if (!json_is_object(object)) {
            json_decref(object);
            return false;
        }
        control->said(control->self, object);
        json_decref(object);
    }
    return true;
}

static void on_read(uv_stream_t *stream, ssize_t bytes, const uv_buf_t *buf)
{
    struct control_uv *control = (struct control_uv *)(void *)stream;

    (void)buf;
    if (bytes > 0)
        control->line_bytes += (size_t)bytes;
    if (bytes < 0 || !take_lines(control))
        lost(control);
}

struct control_uv *control_uv_open(struct uv_loop_s *loop, int fd,
                                   void (*said)(void *self, json_t *object), void *self)
{
    struct control_uv *control = calloc(1, sizeof(*control));

    if (!control)
        return NULL;
    control->said = said;
    control->self = self;
    if (uv_pipe_init(loop, &control->pipe, 0) < 0) {
        free(control);
        return NULL;
    }
    if (uv_pipe_open(&control->pipe, fd) < 0 ||
        uv_read_start((uv_stream_t *)&control->pipe, on_room, on_read) < 0) {
        control_uv_close(control);
        return NULL;
    }
    return control;
}

void control_uv_drain(struct control_uv *control)
{
    uv_os_fd_t fd;
    uv_buf_t buf;
    ssize_t bytes;

    if (!control || control->closing || uv_fileno((uv_handle_t *)&control->pipe, &fd) < 0)
        return;
    do {
        on_room((uv_handle_t *)&control->pipe, 0, &buf);
        bytes = buf.len > 0 ? read(fd, buf.base, buf.len) : 0; /* non-blocking: libuv's */
        if (bytes > 0) {
            control->line_bytes += (size_t)bytes;
            take_lines(control);
        }
    } while (bytes > 0 && !control->closing);
}

static void on_said(uv_write_t *request, int status)
{
    struct saying *saying = (struct saying *)(void *)request;

    (void)status; /* a lost peer shows as the end of its stream */
    free(saying->text);
    free(saying);
}

void control_uv_say(struct control_uv *control, json_t *object)
{
    char *text = control && object ? json_dumps(object, JSON_COMPACT) : NULL;
    struct saying *saying = text ? malloc(sizeof(*saying)) : NULL;

    json_decref(object);
    if (!saying) {
        free(text);
        return;
    }
    saying->text = text;
    uv_buf_t parts[2] = {uv_buf_init(text, (unsigned)strlen(text)), uv_buf_init("\n", 1)};
    if (uv_write(&saying->request, (uv_stream_t *)&control->pipe, parts, 2, on_said) < 0)
        on_said(&saying->request, 0);
}

void control_uv_close(struct control_uv *control)
{
    if (!control || control->closing)
        return;
    control->closing = true;
    uv_close((uv_handle_t *)&control->pipe, on_closed);
}
