/*
 * The store's sockets. See store_server.h.
 *
 * What a session does not take yet, since its answers wait, waits here, bounded; then no more is
 * read until some of them were taken, as xenstored does it. Nobody is dropped where the reason
 * arises: clients are marked, and store_server_turn drops them.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/hv/store_server.h"

#include "ringlib/err.h"
#include "sim/hv/emu_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    WAITING_MAX = 64 * 1024, /* bytes of requests that are not taken yet */
    CHUNK = 16 * 1024,       /* read at once, of one client, so that the others have their turn */
};

struct client {
    struct client *prev, *next;
    int fd;
    struct store_wire *wire;
    bool wants_read, wants_write;
    bool leaving;
    uint32_t waiting_bytes;
    char waiting[WAITING_MAX];
};

struct listener {
    struct listener *next;
    int fd;
    uint16_t domid;
    uint32_t clients;
};

struct store_server {
    struct hv_loop *loop;
    struct store_wire_config config;
    struct listener *listeners;
    struct client *clients;
};

struct store_server *store_server_create(struct hv_loop *loop,
                                         const struct store_wire_config *config)
{
    struct store_server *server = calloc(1, sizeof(*server));

    assert(server);
    server->loop = loop;
    server->config = *config;
    return server;
}

int store_server_listen(struct store_server *server, int fd, uint16_t domid)
{
    struct listener *listener = calloc(1, sizeof(*listener));
    int ret = server->loop->fd_add(server->loop, fd);

    assert(listener);
    if (ret < 0) {
        free(listener);
        close(fd);
        return ret;
    }
    *listener = (struct listener){.next = server->listeners, .fd = fd, .domid = domid};
    server->listeners = listener;
    return 0;
}

static struct listener *listener_of(const struct store_server *server, uint16_t domid)
{
    struct listener *listener = server->listeners;

    while (listener->domid != domid)
        listener = listener->next;
    return listener;
}

static void client_accept(struct store_server *server, struct listener *listener)
{
    int fd = emu_wire_accept(listener->fd);

    if (fd < 0)
        return; /* it went away again, or we are out of descriptors */
    if (server->loop->fd_add(server->loop, fd) < 0) {
        close(fd);
        return;
    }
    struct store_wire_config config = server->config;
    struct client *client = calloc(1, sizeof(*client));
    assert(client);
    config.domid = listener->domid;
    client->fd = fd;
    client->wants_read = true;
    client->wire = store_wire_open(&config);
    if (++listener->clients == STORE_SERVER_CLIENTS_MAX)
        server->loop->fd_want(server->loop, listener->fd, false, false);
    DL_APPEND(server->clients, client);
}

static void client_drop(struct store_server *server, struct client *client)
{
    struct listener *listener = listener_of(server, store_wire_domid(client->wire));

    if (listener->clients-- == STORE_SERVER_CLIENTS_MAX)
        server->loop->fd_want(server->loop, listener->fd, true, false);
    server->loop->fd_del(server->loop, client->fd);
    close(client->fd);
    store_wire_close(client->wire);
    DL_DELETE(server->clients, client);
    free(client);
}

void store_server_destroy(struct store_server *server)
{
    struct client *client, *following;

    DL_FOREACH_SAFE (server->clients, client, following) {
        client_drop(server, client);
    }
    while (server->listeners) {
        struct listener *listener = server->listeners;

        server->listeners = listener->next;
        server->loop->fd_del(server->loop, listener->fd);
        close(listener->fd);
        free(listener);
    }
    free(server);
}

static void client_read(struct client *client)
{
    size_t room = sizeof(client->waiting) - client->waiting_bytes;

    if (room == 0)
        return;
    ssize_t got =
        recv(client->fd, client->waiting + client->waiting_bytes, room < CHUNK ? room : CHUNK, 0);
    if (got > 0)
        client->waiting_bytes += (uint32_t)got;
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        client->leaving = true;
}

bool store_server_ready(struct store_server *server, int fd)
{
    struct listener *listener = server->listeners;
    struct client *client;

    while (listener && listener->fd != fd)
        listener = listener->next;
    if (listener) {
        client_accept(server, listener);
        return true;
    }
    DL_SEARCH_SCALAR(server->clients, client, fd, fd);
    if (client)
        client_read(client);
    return client != NULL;
}

static void client_send(struct client *client)
{
    const void *bytes;
    uint32_t count;

    while (!client->leaving && (count = store_wire_output(client->wire, &bytes)) > 0) {
        int64_t sent = emu_wire_stream_send(client->fd, bytes, count);

        if (sent < 0) {
            client->leaving = sent != -ERR_AGAIN;
            break;
        }
        store_wire_sent(client->wire, (uint32_t)sent);
    }
}

/* Whether a request was taken. */
static bool client_feed(struct client *client)
{
    uint32_t taken = store_wire_feed(client->wire, client->waiting, client->waiting_bytes);

    client->waiting_bytes -= taken;
    memmove(client->waiting, client->waiting + taken, client->waiting_bytes);
    return taken > 0;
}

/* While requests fill all their room answers wait: the one or the other is always wanted. */
static void client_want(struct store_server *server, struct client *client)
{
    bool writes = store_wire_output(client->wire, &(const void *){NULL}) > 0;
    bool reads = client->waiting_bytes < sizeof(client->waiting);

    if (writes == client->wants_write && reads == client->wants_read)
        return;
    client->wants_write = writes;
    client->wants_read = reads;
    server->loop->fd_want(server->loop, client->fd, reads, writes);
}

bool store_server_turn(struct store_server *server)
{
    struct client *client, *following;
    bool changed = false;

    DL_FOREACH_SAFE (server->clients, client, following) {
        client_send(client);
        while (!client->leaving && client_feed(client)) { /* what waited for answers to go */
            changed = true;
            client_send(client);
        }
        if (client->leaving || store_wire_broken(client->wire)) {
            client_drop(server, client);
            continue;
        }
        client_want(server, client);
    }
    return changed;
}

void store_server_drop(struct store_server *server, uint16_t domid)
{
    struct client *client;

    DL_FOREACH (server->clients, client) {
        if (store_wire_domid(client->wire) == domid)
            client->leaving = true;
    }
}
