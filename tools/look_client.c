/*
 * The xenstore client. See look_client.h.
 *
 * The socket is non-blocking, and poll(2) waits in front of every call on it, until the deadline of
 * the request: so neither a server that reads nothing nor one that says nothing can hold us.
 * Source: Xen docs/misc/xenstore.txt; the numbers are sim/hv/store_wire.h's.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/look_client.h"

#include "ringlib/err.h"
#include "sim/hv/emu_runtime.h"
#include "sim/hv/emu_wire.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <utlist.h>

enum { RESTARTS_MAX = 100 }; /* of a list that changes while it is read */

struct look_client_event {
    struct look_client_event *prev, *next;
    uint32_t bytes;
    char payload[];
};

/* Note the first fault; false, so that it can be returned. */
static __attribute__((format(printf, 3, 4))) bool
fail(struct look_client *client, enum look_client_fault fault, const char *format, ...)
{
    va_list arguments;

    client->fault = fault;
    va_start(arguments, format);
    vsnprintf(client->message, sizeof(client->message), format, arguments);
    va_end(arguments);
    return false;
}

static bool gone(struct look_client *client)
{
    return fail(client, LOOK_CLIENT_GONE,
                "the hypervisor closed the connection: it ended, or serves too many");
}

static bool find_socket(struct look_client *client, const char *runtime, int32_t domid,
                        struct sockaddr_un *address)
{
    int ret = emu_runtime_check(runtime);

    if (ret == -ERR_NOENT)
        return fail(client, LOOK_CLIENT_UNUSABLE, "there is no runtime directory %s", runtime);
    if (ret < 0)
        return fail(client, LOOK_CLIENT_UNUSABLE,
                    "refusing runtime directory %s: it must be a directory that belongs to this "
                    "user and is closed to others (mode 0700)",
                    runtime);
    if (emu_runtime_address_store(runtime, domid >= 0 ? (uint16_t)domid : 0, address))
        return true;
    return fail(client, LOOK_CLIENT_UNUSABLE, "runtime directory %s: path too long for a socket",
                runtime);
}

bool look_client_no_domain(struct look_client *client, const char *runtime, int32_t domid)
{
    return fail(client, LOOK_CLIENT_ABSENT, "no hypervisor in %s has a domain %" PRId32, runtime,
                domid);
}

bool look_client_open(struct look_client *client, const char *runtime, int32_t domid,
                      uint32_t timeout_ms)
{
    struct sockaddr_un address;

    *client = (struct look_client){.fd = -1, .timeout_ms = timeout_ms};
    if (!find_socket(client, runtime, domid, &address))
        return false;
    client->fd = emu_wire_stream();
    if (client->fd >= 0 &&
        connect(client->fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
        return true;
    if (errno == EAGAIN) /* its backlog is full */
        return fail(client, LOOK_CLIENT_LATE, "the hypervisor in %s accepts nobody", runtime);
    if (domid >= 0 && errno == ENOENT)
        return look_client_no_domain(client, runtime, domid);
    return fail(client, LOOK_CLIENT_ABSENT, "no hypervisor serves in %s (%s: %s)", runtime,
                address.sun_path, strerror(errno));
}

void look_client_close(struct look_client *client)
{
    struct look_client_event *event, *following;

    DL_FOREACH_SAFE (client->events, event, following) {
        free(event);
    }
    if (client->fd >= 0)
        close(client->fd);
    *client = (struct look_client){.fd = -1};
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Wait until our socket can be read (or written), at most until the deadline. */
static bool wait_for(struct look_client *client, short events, int64_t deadline_ms)
{
    struct pollfd wanted = {.fd = client->fd, .events = events};
    int got = 0;

    for (int64_t left; got <= 0 && (left = deadline_ms - now_ms()) > 0;) {
        got = poll(&wanted, 1, (int)left);
        if (got < 0 && errno != EINTR)
            return gone(client);
    }
    return got > 0 ||
           fail(client, LOOK_CLIENT_LATE, "no answer within %" PRIu32 " ms", client->timeout_ms);
}

static bool send_all(struct look_client *client, const void *bytes, size_t count,
                     int64_t deadline_ms)
{
    const char *at = bytes;

    while (count > 0) {
        int64_t sent = emu_wire_stream_send(client->fd, at, (uint32_t)count);
        if (sent < 0 && sent != -ERR_AGAIN)
            return gone(client);
        if (sent < 0 && !wait_for(client, POLLOUT, deadline_ms))
            return false;
        at += sent > 0 ? sent : 0;
        count -= sent > 0 ? (size_t)sent : 0;
    }
    return true;
}

static bool receive_all(struct look_client *client, void *bytes, size_t count, int64_t deadline_ms)
{
    char *at = bytes;

    while (count > 0) {
        ssize_t got = recv(client->fd, at, count, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
            return gone(client);
        if (got < 0 && !wait_for(client, POLLIN, deadline_ms))
            return false;
        at += got > 0 ? got : 0;
        count -= got > 0 ? (size_t)got : 0;
    }
    return true;
}

/* One message into `head` and the answer. */
static bool receive(struct look_client *client, struct store_wire_header *head, int64_t deadline_ms)
{
    if (!receive_all(client, head, sizeof(*head), deadline_ms))
        return false;
    if (head->len > LOOK_CLIENT_PAYLOAD_MAX)
        return fail(client, LOOK_CLIENT_BROKEN,
                    "what answers is no xenstore: a message of %" PRIu32 " bytes", head->len);
    client->answer_bytes = head->len;
    client->answer[head->len] = '\0';
    return receive_all(client, client->answer, head->len, deadline_ms);
}

/* Who is told of an event looks at the node after that, so one more of the same says nothing new;
 * and what is kept is bounded by the nodes there are, however slowly it is taken. */
static void keep_event(struct look_client *client)
{
    struct look_client_event *event;

    DL_FOREACH (client->events, event) {
        if (event->bytes == client->answer_bytes &&
            memcmp(event->payload, client->answer, event->bytes) == 0)
            return;
    }
    event = malloc(sizeof(*event) + client->answer_bytes + 1);
    assert(event);
    event->bytes = client->answer_bytes;
    memcpy(event->payload, client->answer, client->answer_bytes + 1u);
    DL_APPEND(client->events, event);
}

static bool refused(struct look_client *client)
{
    snprintf(client->refusal, sizeof(client->refusal), "%.*s", (int)sizeof(client->refusal) - 1,
             client->answer);
    return fail(client, LOOK_CLIENT_REFUSED, "xenstore says %s", client->refusal);
}

/* The answer to the request just sent. */
static bool await(struct look_client *client, uint32_t type, int64_t deadline_ms)
{
    struct store_wire_header head = {.type = XS_WATCH_EVENT};

    while (head.type == XS_WATCH_EVENT) {
        if (!receive(client, &head, deadline_ms))
            return false;
        if (head.type == XS_WATCH_EVENT)
            keep_event(client);
    }
    if (head.req_id != client->request || (head.type != type && head.type != XS_ERROR))
        return fail(client, LOOK_CLIENT_BROKEN,
                    "what answers is no xenstore: a message of type %" PRIu32
                    " and request %" PRIu32 ", where an answer to type %" PRIu32
                    " and request %" PRIu32 " is due",
                    head.type, head.req_id, type, client->request);
    return head.type == type || refused(client);
}

static bool ask(struct look_client *client, uint32_t type, const void *payload, uint32_t bytes)
{
    int64_t deadline_ms = now_ms() + client->timeout_ms;
    struct store_wire_header head = {.type = type, .req_id = ++client->request, .len = bytes};

    client->fault = LOOK_CLIENT_FINE;
    if (bytes > LOOK_CLIENT_PAYLOAD_MAX) {
        snprintf(client->answer, sizeof(client->answer), "E2BIG"); /* as xenstore would */
        return refused(client);
    }
    return send_all(client, &head, sizeof(head), deadline_ms) &&
           send_all(client, payload, bytes, deadline_ms) && await(client, type, deadline_ms);
}

static bool ask_of_path(struct look_client *client, uint32_t type, const char *path)
{
    return ask(client, type, path, (uint32_t)strlen(path) + 1);
}

bool look_client_read(struct look_client *client, const char *path)
{
    return ask_of_path(client, XS_READ, path);
}

bool look_client_permissions(struct look_client *client, const char *path)
{
    return ask_of_path(client, XS_GET_PERMS, path);
}

bool look_client_control(struct look_client *client, const char *words, uint32_t bytes)
{
    return ask(client, XS_CONTROL, words, bytes);
}

/* Two texts, each with its NUL, as one payload. */
static bool ask_of_two(struct look_client *client, uint32_t type, const char *first,
                       const char *second)
{
    char payload[LOOK_CLIENT_PAYLOAD_MAX];
    int length = snprintf(payload, sizeof(payload), "%s%c%s", first, '\0', second);

    return ask(client, type, payload, (uint32_t)length + 1);
}

bool look_client_watch(struct look_client *client, const char *path, const char *token)
{
    return ask_of_two(client, XS_WATCH, path, token);
}

/* Append the names of one part of a list, which opens with the node's generation. Whether the list
 * is whole: its end is an empty name. */
static bool take_part(struct look_client *client, char **names, uint32_t *bytes)
{
    const char *part = client->answer + strlen(client->answer) + 1;
    const char *end = client->answer + client->answer_bytes;
    uint32_t count = part < end ? (uint32_t)(end - part) : 0;
    bool last = count == 0 || (part[count - 1] == '\0' && (count == 1 || part[count - 2] == '\0'));

    count -= last && count > 0 ? 1 : 0;
    *names = realloc(*names, *bytes + count + 1);
    assert(*names);
    memcpy(*names + *bytes, part, count);
    *bytes += count;
    return last;
}

/* A list longer than a message, in parts. One that changes meanwhile is begun again. */
static bool list_parts(struct look_client *client, const char *path, char **names, uint32_t *bytes)
{
    char offset[16], generation[32] = "";
    bool whole = false;

    for (uint32_t restarts = 0; !whole;) {
        snprintf(offset, sizeof(offset), "%" PRIu32, *bytes);
        if (!ask_of_two(client, XS_DIRECTORY_PART, path, offset))
            return false;
        bool same = *bytes == 0 || strcmp(generation, client->answer) == 0;
        snprintf(generation, sizeof(generation), "%.*s", (int)sizeof(generation) - 1,
                 client->answer);
        if (same)
            whole = take_part(client, names, bytes);
        else if (++restarts == RESTARTS_MAX)
            return fail(client, LOOK_CLIENT_LATE, "%s changes too fast to be listed", path);
        else
            *bytes = 0;
    }
    return true;
}

char *look_client_list(struct look_client *client, const char *path, uint32_t *bytes)
{
    char *names = malloc(LOOK_CLIENT_PAYLOAD_MAX + 1);

    assert(names);
    *bytes = 0;
    if (ask_of_path(client, XS_DIRECTORY, path)) {
        *bytes = client->answer_bytes;
        memcpy(names, client->answer, *bytes + 1u);
        return names;
    }
    if (client->fault == LOOK_CLIENT_REFUSED && strcmp(client->refusal, "E2BIG") == 0 &&
        list_parts(client, path, &names, bytes))
        return names;
    free(names);
    return NULL;
}

/* The next kept event becomes the answer. */
static void take_event(struct look_client *client)
{
    struct look_client_event *event = client->events;

    DL_DELETE(client->events, event);
    client->answer_bytes = event->bytes;
    memcpy(client->answer, event->payload, event->bytes + 1u);
    free(event);
}

bool look_client_next(struct look_client *client, int stop, bool *stopped)
{
    struct pollfd wanted[2] = {{.fd = client->fd, .events = POLLIN},
                               {.fd = stop, .events = POLLIN}};
    struct store_wire_header head;

    *stopped = false;
    while (!client->events) {
        int got = poll(wanted, 2, -1);
        if (got < 0 && errno != EINTR)
            return gone(client);
        *stopped = got > 0 && wanted[1].revents;
        if (*stopped)
            return true;
        if (got <= 0)
            continue;
        if (!receive(client, &head, now_ms() + client->timeout_ms))
            return false;
        if (head.type != XS_WATCH_EVENT)
            return fail(client, LOOK_CLIENT_BROKEN,
                        "what answers is no xenstore: an answer nobody asked for");
        keep_event(client);
    }
    take_event(client);
    return true;
}
