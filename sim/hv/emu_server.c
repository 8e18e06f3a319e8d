/*
 * Connections of the hypervisor's serving side. See emu_server.h.
 *
 * Dropping a domain changes the tables, which fires watches, which may fill another domain's queue
 * and drop it too. So nothing is dropped where the reason arises: seats are marked, and settle()
 * at the end of each public call sends watch events and drops until nothing is left to do.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_server_private.h"

#include "ringlib/err.h"
#include "sim/hv/hypervisor_look.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Messages of one domain per call, so that a busy one does not keep the others waiting. */
enum { MESSAGES_PER_CALL = 32 };

void emu_seat_drop(struct emu_seat *seat, const char *format, ...)
{
    va_list arguments;

    if (seat->leaving)
        return;
    seat->leaving = true;
    va_start(arguments, format);
    vsnprintf(seat->reason, sizeof(seat->reason), format, arguments);
    va_end(arguments);
}

/* The domain closed its connection, or died. */
static void leave(struct emu_seat *seat)
{
    seat->leaving = true;
}

void emu_seat_send(struct emu_seat *seat, const void *bytes, uint32_t length,
                   struct emu_file *const *files, uint32_t file_count)
{
    if (seat->leaving)
        return;
    if (emu_queue_full(&seat->queue))
        emu_seat_drop(seat, "does not read what it is sent");
    else if (emu_queue_send(&seat->queue, bytes, length, files, file_count) < 0)
        leave(seat);
}

static struct emu_seat *find_seat(const struct emu_server *server, uint16_t domid)
{
    struct emu_seat *seat = server->seats;

    while (seat && seat->domid != domid)
        seat = seat->next;
    return seat;
}

static bool is_taken(const struct emu_seat *seat)
{
    return seat->queue.socket >= 0;
}

static void send_watch_events(struct emu_server *server)
{
    struct store_event event;

    while (store_next(hypervisor_store(server->tables), &event)) {
        if (event.owner) {
            store_wire_event(event.owner, &event); /* of a session of the store's sockets */
            continue;
        }
        struct emu_seat *seat = find_seat(server, store_domid(event.client));
        struct emu_cookie message = {.head.kind = EMU_STORE_EVENT};

        memcpy(&message.cookie, event.token, sizeof(message.cookie));
        if (seat && is_taken(seat))
            emu_seat_send(seat, &message, sizeof(message), NULL, 0);
    }
}

static void vacate(struct emu_server *server, struct emu_seat *seat)
{
    struct hv_loop *loop = server->config.loop;

    loop->fd_del(loop, seat->queue.socket);
    close(seat->queue.socket);
    emu_queue_clear(&seat->queue);
    emu_wire_dismiss(&seat->in);
    seat->queue.socket = -1;
    seat->wants_write = false;
    seat->leaving = false;
    hypervisor_domain_remove(server->tables, seat->domid);
    if (seat->domid != 0) /* its tools are not the backend's */
        store_server_drop(server->store, seat->domid);
    if (seat->reason[0] != '\0' && server->config.report)
        server->config.report(server->config.self, seat->domid, seat->reason);
    seat->reason[0] = '\0';
}

static void update_want_write(struct emu_server *server, struct emu_seat *seat)
{
    struct hv_loop *loop = server->config.loop;
    bool want = emu_queue_waits(&seat->queue);

    if (!is_taken(seat) || want == seat->wants_write)
        return;
    seat->wants_write = want;
    loop->fd_want(loop, seat->queue.socket, true, want);
}

static void settle(struct emu_server *server)
{
    bool again = true;

    while (again) {
        send_watch_events(server);
        again = store_server_turn(server->store);
        for (struct emu_seat *seat = server->seats; seat; seat = seat->next) {
            if (!seat->leaving)
                continue;
            vacate(server, seat);
            again = true;
        }
    }
    for (struct emu_seat *seat = server->seats; seat; seat = seat->next)
        update_want_write(server, seat);
}

static void serve(struct emu_server *server, struct emu_seat *seat)
{
    if (emu_queue_flush(&seat->queue) < 0)
        leave(seat);
    for (int i = 0; i < MESSAGES_PER_CALL && !seat->leaving; i++) {
        int ret = emu_wire_receive(seat->queue.socket, &seat->in);

        if (ret == -ERR_AGAIN)
            return;
        if (ret < 0) {
            leave(seat);
            return;
        }
        server->in = &seat->in;
        emu_server_request(server, seat);
        emu_wire_dismiss(&seat->in);
    }
}

/* Says hello with -ERR_BUSY to who comes second; it does not matter whether that arrives. */
static void refuse(int fd, uint16_t domid)
{
    struct emu_hello hello = {
        .head = {.kind = EMU_HELLO, .ret = -ERR_BUSY}, .version = EMU_VERSION, .domid = domid};

    (void)emu_wire_send(fd, &hello, sizeof(hello), NULL, 0);
    close(fd);
}

static void seat_domain(struct emu_server *server, struct emu_seat *seat, int fd)
{
    struct emu_hello hello = {.head.kind = EMU_HELLO, .version = EMU_VERSION, .domid = seat->domid};
    struct hv_loop *loop = server->config.loop;
    int ret;

    if (loop->fd_add(loop, fd) < 0) {
        close(fd);
        return;
    }
    seat->queue.socket = fd;
    ret = hypervisor_domain_add(server->tables, seat->domid);
    assert(ret == 0); /* only this seat introduces the domain */
    (void)ret;
    emu_seat_send(seat, &hello, sizeof(hello), NULL, 0);
}

static void take_connection(struct emu_server *server, struct emu_seat *seat)
{
    int fd = emu_wire_accept(seat->listener);

    if (fd < 0)
        return; /* it went away again, or we are out of descriptors: the domain times out */
    if (is_taken(seat)) {
        /* A domain that died and was started again at once: its death may be unread yet. */
        serve(server, seat);
        settle(server);
    }
    if (is_taken(seat))
        refuse(fd, seat->domid);
    else
        seat_domain(server, seat, fd);
}

void emu_server_ready(struct emu_server *server, int fd)
{
    for (struct emu_seat *seat = server->seats; seat; seat = seat->next) {
        if (fd == seat->listener)
            take_connection(server, seat);
        else if (is_taken(seat) && fd == seat->queue.socket)
            serve(server, seat);
        else
            continue;
        settle(server);
        return;
    }
    if (store_server_ready(server->store, fd))
        settle(server);
}

/* Listen for programs that use the store as `domid`. */
static int listen_store(struct emu_server *server, uint16_t domid, char *error, size_t error_bytes)
{
    int fd = emu_runtime_listen_store(server->runtime, domid, error, error_bytes);
    int ret = fd < 0 ? fd : store_server_listen(server->store, fd, domid);

    if (fd >= 0 && ret < 0) {
        snprintf(error, error_bytes, "domain %u: cannot watch its store's socket: %s", domid,
                 err_name(ret));
        emu_runtime_unlink_store(server->runtime, domid);
    }
    return ret;
}

/* XS_CONTROL: a look at the tables. */
static int control(void *self, const char *const *words, uint32_t count, char *answer,
                   uint32_t bytes)
{
    const struct emu_server *server = self;

    return hypervisor_look(server->tables, words, count, answer, bytes);
}

struct emu_server *emu_server_create(const struct emu_server_config *config, char *error,
                                     size_t error_bytes)
{
    struct emu_runtime *runtime = emu_runtime_take(config->runtime, error, error_bytes);
    struct emu_server *server;

    if (!runtime)
        return NULL;
    server = emu_new(sizeof(*server));
    server->config = *config;
    server->config.runtime = NULL; /* the caller's text; emu_runtime has its own */
    server->runtime = runtime;
    server->tables = hypervisor_create(&(struct hypervisor_config){
        .grants_max = config->grants_max,
        .ports_max = config->ports_max,
        .self = server,
        .release_run = emu_server_release_run,
        .release_channel = emu_server_release_channel,
    });
    server->store = store_server_create(
        config->loop, &(struct store_wire_config){.store = hypervisor_store(server->tables),
                                                  .self = server,
                                                  .control = control});
    if (listen_store(server, 0, error, error_bytes) == 0)
        return server;
    emu_server_destroy(server);
    return NULL;
}

static void seat_free(struct emu_server *server, struct emu_seat *seat)
{
    struct hv_loop *loop = server->config.loop;

    loop->fd_del(loop, seat->listener);
    close(seat->listener);
    emu_runtime_unlink(server->runtime, seat->domid);
    emu_runtime_unlink_store(server->runtime, seat->domid);
    free(seat);
}

void emu_server_destroy(struct emu_server *server)
{
    for (struct emu_seat *seat = server->seats; seat; seat = seat->next) {
        if (is_taken(seat))
            leave(seat);
    }
    settle(server);
    while (server->seats) {
        struct emu_seat *seat = server->seats;

        server->seats = seat->next;
        seat_free(server, seat);
    }
    store_server_destroy(server->store);
    emu_runtime_unlink_store(server->runtime, 0);
    hypervisor_destroy(server->tables);
    emu_runtime_release(server->runtime);
    free(server);
}

int emu_server_domain(struct emu_server *server, uint16_t domid, char *error, size_t error_bytes)
{
    struct hv_loop *loop = server->config.loop;
    struct emu_seat *seat;
    int fd, ret;

    if (find_seat(server, domid)) {
        snprintf(error, error_bytes, "domain %u is there already", domid);
        return -ERR_EXIST;
    }
    fd = emu_runtime_listen(server->runtime, domid, error, error_bytes);
    if (fd < 0)
        return fd;
    ret = loop->fd_add(loop, fd);
    if (ret < 0)
        snprintf(error, error_bytes, "domain %u: cannot watch its socket: %s", domid,
                 err_name(ret));
    else if (domid != 0 && (ret = listen_store(server, domid, error, error_bytes)) < 0)
        loop->fd_del(loop, fd);
    if (ret < 0) {
        close(fd);
        emu_runtime_unlink(server->runtime, domid);
        return ret;
    }
    seat = emu_new(sizeof(*seat));
    *seat = (struct emu_seat){.next = server->seats, .domid = domid, .listener = fd};
    seat->queue.socket = -1;
    server->seats = seat;
    hypervisor_domain_expect(server->tables, domid);
    return 0;
}

void emu_server_limit(struct emu_server *server, uint16_t domid,
                      const struct hypervisor_limits *limits)
{
    hypervisor_domain_limit(server->tables, domid, limits);
}

int emu_server_device(struct emu_server *server, const char *type, uint16_t front, uint16_t back,
                      uint16_t devid)
{
    int ret = hypervisor_device_add(server->tables, type, front, back, devid);

    settle(server);
    return ret;
}

bool emu_server_connected(const struct emu_server *server, uint16_t domid)
{
    const struct emu_seat *seat = find_seat(server, domid);

    return seat && is_taken(seat);
}

const struct hypervisor *emu_server_tables(const struct emu_server *server)
{
    return server->tables;
}
