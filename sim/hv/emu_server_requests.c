/*
 * What a domain's message asks of the tables: checked, carried out, answered. See emu_server.h.
 *
 * A domain that speaks properly and asks for what it cannot have gets an answer with an error; one
 * whose message has the wrong length, descriptors, counts or memory is dropped.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_channel.h"
#include "sim/hv/emu_memory.h"
#include "sim/hv/emu_server_private.h"

#include "ringlib/err.h"

#include <stdlib.h>

/* A channel, and which port each end is. An end that is closed keeps its last name, which is never
 * looked for: only a port that exists can be bound. */
struct channel {
    struct emu_channel_end ends[2];
    struct {
        uint16_t domid;
        uint32_t port;
    } names[2];
};

void emu_server_release_run(void *self, void *backing)
{
    (void)self;
    emu_file_drop(backing);
}

void emu_server_release_channel(void *self, void *backing)
{
    struct channel *channel = backing;

    (void)self;
    for (int i = 0; i < 2; i++) {
        emu_file_drop(channel->ends[i].receive);
        emu_file_drop(channel->ends[i].send);
    }
    free(channel);
}

/* Start the answer to the message in server->in: its head, in server->out. */
static struct emu_head *answer(struct emu_server *server, int64_t ret)
{
    server->out.head = (struct emu_head){
        .kind = server->in->body.head.kind,
        .ret = (int32_t)ret,
        .id = server->in->body.head.id,
    };
    return &server->out.head;
}

/* An answer that has nothing but a result. */
static void answer_ret(struct emu_server *server, struct emu_seat *seat, int64_t ret)
{
    emu_seat_send(seat, answer(server, ret), sizeof(struct emu_head), NULL, 0);
}

static void drop_bad_value(struct emu_server *server, struct emu_seat *seat)
{
    emu_seat_drop(seat, "%s with a value out of range", emu_wire_name(server->in->body.head.kind));
}

static void share(struct emu_server *server, struct emu_seat *seat)
{
    const struct emu_grant *in = &server->in->body.grant;
    struct emu_shared *out = &server->out.shared;
    struct emu_file *file;
    int64_t ret;

    if (in->domid > UINT16_MAX || in->pages == 0 || in->pages > HV_REFS_MAX) {
        drop_bad_value(server, seat);
        return;
    }
    if (emu_memory_check(server->in->fds[0], in->pages) < 0) {
        emu_seat_drop(seat, "SHARE of memory that is not sealed or not of the size it says");
        return;
    }
    file = emu_file_new(server->in->fds[0]);
    server->in->fd_count = 0;
    ret = hypervisor_share(server->tables, seat->domid, (uint16_t)in->domid, in->pages, file,
                           out->refs);
    if (ret < 0) {
        emu_file_drop(file);
        answer_ret(server, seat, ret);
        return;
    }
    answer(server, 0);
    out->handle = (uint32_t)ret;
    out->count = in->pages;
    emu_seat_send(seat, out,
                  (uint32_t)(offsetof(struct emu_shared, refs) + in->pages * sizeof(out->refs[0])),
                  NULL, 0);
}

/* Give each distinct run among the pieces an index. How many there are; more than EMU_FDS_MAX do
 * not fit in a message. */
static uint32_t number_runs(const struct hypervisor_piece *from, uint32_t count,
                            struct emu_piece *pieces, struct emu_file **files)
{
    uint32_t file_count = 0;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t run = 0;

        while (run < file_count && files[run] != from[i].backing)
            run++;
        if (run == file_count && file_count++ < EMU_FDS_MAX)
            files[run] = from[i].backing;
        if (file_count > EMU_FDS_MAX)
            break;
        pieces[i] = (struct emu_piece){.run = (uint16_t)run,
                                       .first_page = (uint16_t)from[i].first_page,
                                       .pages = (uint16_t)from[i].pages,
                                       .run_pages = (uint16_t)from[i].run_pages};
    }
    return file_count;
}

static void map(struct emu_server *server, struct emu_seat *seat)
{
    const struct emu_map *in = &server->in->body.map;
    struct emu_mapped *out = &server->out.mapped;
    struct emu_file *files[EMU_FDS_MAX];
    uint32_t count, file_count;
    int64_t ret;

    if (in->domid > UINT16_MAX) {
        drop_bad_value(server, seat);
        return;
    }
    ret = hypervisor_map(server->tables, seat->domid, (uint16_t)in->domid, in->refs, in->count,
                         server->pieces, &count);
    if (ret < 0) {
        answer_ret(server, seat, ret);
        return;
    }
    file_count = number_runs(server->pieces, count, out->pieces, files);
    if (file_count > EMU_FDS_MAX) {
        (void)hypervisor_unmap(server->tables, seat->domid, (uint32_t)ret);
        answer_ret(server, seat, -ERR_NOSPC);
        return;
    }
    answer(server, 0);
    out->handle = (uint32_t)ret;
    out->count = count;
    emu_seat_send(seat, out,
                  (uint32_t)(offsetof(struct emu_mapped, pieces) + count * sizeof(out->pieces[0])),
                  files, file_count);
}

static void answer_port(struct emu_server *server, struct emu_seat *seat, struct channel *channel,
                        int end)
{
    struct emu_file *files[2] = {channel->ends[end].receive, channel->ends[end].send};

    answer(server, 0);
    server->out.port.domid = channel->names[!end].domid;
    server->out.port.port = channel->names[end].port;
    emu_seat_send(seat, &server->out.port, sizeof(server->out.port), files, 2);
}

static void port_alloc(struct emu_server *server, struct emu_seat *seat)
{
    const struct emu_port *in = &server->in->body.port;
    struct channel *channel;
    int64_t ret;

    if (in->domid > UINT16_MAX) {
        drop_bad_value(server, seat);
        return;
    }
    channel = emu_new(sizeof(*channel));
    ret = emu_channel_create(channel->ends);
    if (ret < 0) {
        free(channel);
        answer_ret(server, seat, ret);
        return;
    }
    ret = hypervisor_port_alloc(server->tables, seat->domid, (uint16_t)in->domid, channel);
    if (ret < 0) {
        emu_server_release_channel(NULL, channel);
        answer_ret(server, seat, ret);
        return;
    }
    channel->names[0].domid = seat->domid;
    channel->names[0].port = (uint32_t)ret;
    channel->names[1].domid = (uint16_t)in->domid;
    answer_port(server, seat, channel, 0);
}

static void port_bind(struct emu_server *server, struct emu_seat *seat)
{
    const struct emu_port *in = &server->in->body.port;
    struct channel *channel;
    void *backing;
    int64_t ret;
    int end;

    if (in->domid > UINT16_MAX) {
        drop_bad_value(server, seat);
        return;
    }
    ret =
        hypervisor_port_bind(server->tables, seat->domid, (uint16_t)in->domid, in->port, &backing);
    if (ret < 0) {
        answer_ret(server, seat, ret);
        return;
    }
    channel = backing;
    end = channel->names[0].domid == in->domid && channel->names[0].port == in->port ? 1 : 0;
    channel->names[end].domid = seat->domid;
    channel->names[end].port = (uint32_t)ret;
    answer_port(server, seat, channel, end);
}

/* UNSHARE, UNMAP, PORT_CLOSE: no answer, so a handle that is not the domain's is a lie. */
static void give_back(struct emu_server *server, struct emu_seat *seat,
                      int (*undo)(struct hypervisor *, uint16_t, uint32_t))
{
    if (undo(server->tables, seat->domid, server->in->body.handle.handle) < 0)
        emu_seat_drop(seat, "%s of a handle it does not have",
                      emu_wire_name(server->in->body.head.kind));
}

static struct store_client *client_of(const struct emu_server *server, const struct emu_seat *seat)
{
    return hypervisor_client(server->tables, seat->domid);
}

static void store_read_node(struct emu_server *server, struct emu_seat *seat)
{
    struct emu_value *out = &server->out.value;
    const void *value;
    uint32_t bytes;
    int ret = store_read(client_of(server, seat), 0, server->in->body.path.path, &value, &bytes);

    if (ret == 0 && bytes >= sizeof(out->value))
        ret = -ERR_2BIG;
    if (ret < 0) {
        answer_ret(server, seat, ret);
        return;
    }
    answer(server, 0);
    memset(out->value, 0, sizeof(out->value));
    memcpy(out->value, value, bytes);
    emu_seat_send(seat, out, sizeof(*out), NULL, 0);
}

static void store_list_node(struct emu_server *server, struct emu_seat *seat)
{
    struct emu_names *out = &server->out.names;
    struct store_names names;
    int ret = store_list(client_of(server, seat), 0, server->in->body.path.path, &names);

    if (ret == 0 && names.bytes > sizeof(out->names))
        ret = -ERR_NOSPC;
    if (ret < 0) {
        answer_ret(server, seat, ret);
        return;
    }
    answer(server, names.count);
    memcpy(out->names, names.text, names.bytes);
    out->bytes = names.bytes;
    out->zero = 0;
    emu_seat_send(seat, out, (uint32_t)offsetof(struct emu_names, names) + names.bytes, NULL, 0);
}

static void store_publish(struct emu_server *server, struct emu_seat *seat)
{
    const struct emu_publish *in = &server->in->body.publish;

    for (uint32_t i = 0; i < in->count; i++) {
        const struct hv_node *node = &in->nodes[i];

        if (!memchr(node->path, 0, sizeof(node->path)) ||
            !memchr(node->value, 0, sizeof(node->value))) {
            drop_bad_value(server, seat);
            return;
        }
    }
    answer_ret(server, seat, hypervisor_publish(server->tables, seat->domid, in->nodes, in->count));
}

static void store_request(struct emu_server *server, struct emu_seat *seat, enum emu_kind kind)
{
    const struct emu_path *in = &server->in->body.path;

    if (!memchr(in->path, 0, sizeof(in->path)))
        drop_bad_value(server, seat);
    else if (kind == EMU_STORE_READ)
        store_read_node(server, seat);
    else if (kind == EMU_STORE_LIST)
        store_list_node(server, seat);
    else
        answer_ret(server, seat,
                   store_watch(client_of(server, seat), in->path, &in->cookie, sizeof(in->cookie)));
}

/* What a request of a kind looks like: bytes, plus `each` per element, 1 to `most`, of the count
 * at the first member after the head; and descriptors. */
struct shape {
    bool allowed;
    uint32_t bytes;
    uint32_t each;
    uint32_t most;
    uint32_t fds;
};

static const struct shape shapes[EMU_KIND_COUNT] = {
    [EMU_SHARE] = {true, sizeof(struct emu_grant), 0, 0, 1},
    [EMU_UNSHARE] = {true, sizeof(struct emu_handle), 0, 0, 0},
    [EMU_MAP] = {true, offsetof(struct emu_map, refs), sizeof(uint32_t), HV_REFS_MAX, 0},
    [EMU_UNMAP] = {true, sizeof(struct emu_handle), 0, 0, 0},
    [EMU_PORT_ALLOC] = {true, sizeof(struct emu_port), 0, 0, 0},
    [EMU_PORT_BIND] = {true, sizeof(struct emu_port), 0, 0, 0},
    [EMU_PORT_CLOSE] = {true, sizeof(struct emu_handle), 0, 0, 0},
    [EMU_STORE_READ] = {true, sizeof(struct emu_path), 0, 0, 0},
    [EMU_STORE_LIST] = {true, sizeof(struct emu_path), 0, 0, 0},
    [EMU_STORE_PUBLISH] = {true, offsetof(struct emu_publish, nodes), sizeof(struct hv_node),
                           HV_PUBLISH_MAX, 0},
    [EMU_STORE_WATCH] = {true, sizeof(struct emu_path), 0, 0, 0},
    [EMU_STORE_UNWATCH] = {true, sizeof(struct emu_cookie), 0, 0, 0},
};

static bool has_shape(const struct emu_message *message)
{
    const union emu_body *body = &message->body;
    const struct shape *shape;
    uint32_t count;

    if (message->length < sizeof(body->head) || body->head.kind >= EMU_KIND_COUNT)
        return false;
    shape = &shapes[body->head.kind];
    if (!shape->allowed || message->length < shape->bytes)
        return false;
    if (shape->each == 0)
        return message->length == shape->bytes;
    count = body->head.kind == EMU_MAP ? body->map.count : body->publish.count;
    return count > 0 && count <= shape->most &&
           message->length == shape->bytes + count * shape->each;
}

static void carry_out(struct emu_server *server, struct emu_seat *seat, enum emu_kind kind)
{
    switch (kind) {
    case EMU_SHARE: share(server, seat); break;
    case EMU_UNSHARE: give_back(server, seat, hypervisor_unshare); break;
    case EMU_MAP: map(server, seat); break;
    case EMU_UNMAP: give_back(server, seat, hypervisor_unmap); break;
    case EMU_PORT_ALLOC: port_alloc(server, seat); break;
    case EMU_PORT_BIND: port_bind(server, seat); break;
    case EMU_PORT_CLOSE: give_back(server, seat, hypervisor_port_close); break;
    case EMU_STORE_READ:
    case EMU_STORE_LIST:
    case EMU_STORE_WATCH: store_request(server, seat, kind); break;
    case EMU_STORE_PUBLISH: store_publish(server, seat); break;
    case EMU_STORE_UNWATCH:
        (void)store_unwatch_token(client_of(server, seat), &server->in->body.cookie.cookie,
                                  sizeof(server->in->body.cookie.cookie));
        answer_ret(server, seat, 0);
        break;
    case EMU_HELLO:
    case EMU_STORE_EVENT:
    case EMU_KIND_COUNT: assert(!"no request"); break; /* has_shape keeps them out */
    }
}

void emu_server_request(struct emu_server *server, struct emu_seat *seat)
{
    const struct emu_message *in = server->in;

    if (!has_shape(in)) {
        emu_seat_drop(seat, "a message of %u bytes that is no request", in->length);
        return;
    }
    if (in->fds_lost) {
        /* Our own table is full: no lie of the domain's, if it may send any at all. */
        if (shapes[in->body.head.kind].fds > 0)
            answer_ret(server, seat, -ERR_NFILE);
        else
            emu_seat_drop(seat, "%s with descriptors", emu_wire_name(in->body.head.kind));
        return;
    }
    if (in->fd_count != shapes[in->body.head.kind].fds) {
        emu_seat_drop(seat, "%s with %u descriptors", emu_wire_name(in->body.head.kind),
                      in->fd_count);
        return;
    }
    carry_out(server, seat, (enum emu_kind)in->body.head.kind);
}
