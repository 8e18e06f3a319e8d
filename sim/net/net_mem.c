/*
 * Scripted sockets: operations wait in order of submission until the test says with what they
 * complete. Knows no protocol, no partial progress and no time; connects nothing to anything.
 *
 * Invariants: an operation is either pending or done, and net_next frees it. A token names an open
 * socket from the successful completion of its CONNECT, BIND or ACCEPT to its CLOSE; the record
 * with what was written stays, closed, until the token is opened again. Misuse of the contract of
 * net.h by a core is a bug of ours and asserts here. Source: net.h.
 */
#include "sim/net/net_mem.h"

#include "ringlib/err.h"

#include <stdlib.h>
#include <uthash.h>
#include <utlist.h>

struct mem_op {
    struct mem_op *prev, *next; /* in net_mem.pending or net_mem.done */
    struct net_mem_op seen;
    struct shared_iov iov[2];
    uint32_t count;
    int32_t ret;
};

struct mem_socket {
    uint64_t token;
    bool open, shut, reset;
    unsigned char *written;
    size_t bytes;
    UT_hash_handle hh;
};

struct net_mem {
    struct net base; /* first: struct net * is struct net_mem * */
    struct mem_op *pending;
    struct mem_op *done;
    struct mem_socket *sockets;
};

static struct net_mem *mem_of(struct net *net)
{
    return (struct net_mem *)(void *)net;
}

static struct mem_socket *find_socket(struct net_mem *mem, uint64_t token)
{
    struct mem_socket *socket;

    HASH_FIND(hh, mem->sockets, &token, sizeof(token), socket);
    return socket;
}

static bool is_open(struct net_mem *mem, uint64_t token)
{
    const struct mem_socket *socket = find_socket(mem, token);

    return socket != NULL && socket->open;
}

static struct mem_op *find_pending(struct net_mem *mem, enum ev_kind kind, uint64_t token)
{
    struct mem_op *op;

    DL_FOREACH (mem->pending, op) {
        if (op->seen.kind == kind && op->seen.token == token)
            return op;
    }
    return NULL;
}

/* A new operation at the end of `pending`; only the members every kind has are set. */
static struct mem_op *submit(struct net_mem *mem, enum ev_kind kind, uint64_t token)
{
    struct mem_op *op = calloc(1, sizeof(*op));

    assert(op != NULL);
    op->seen.kind = kind;
    op->seen.token = token;
    DL_APPEND(mem->pending, op);
    return op;
}

static void finish(struct net_mem *mem, struct mem_op *op, int32_t ret)
{
    op->ret = ret;
    DL_DELETE(mem->pending, op);
    DL_APPEND(mem->done, op);
}

static void open_socket(struct net_mem *mem, uint64_t token)
{
    struct mem_socket *socket = find_socket(mem, token);

    if (socket == NULL) {
        socket = calloc(1, sizeof(*socket));
        assert(socket != NULL);
        socket->token = token;
        HASH_ADD(hh, mem->sockets, token, sizeof(socket->token), socket);
    }
    assert(!socket->open);
    socket->open = true;
    socket->shut = socket->reset = false;
    socket->bytes = 0;
    mem->base.counters.sockets_now++;
}

static void fill_spans(const struct mem_op *op, const unsigned char *data, size_t bytes)
{
    for (uint32_t i = 0; i < op->count && bytes > 0; i++) {
        size_t part = bytes < op->iov[i].length ? bytes : op->iov[i].length;

        memcpy(op->iov[i].base, data, part);
        data += part;
        bytes -= part;
    }
}

static void keep_written(struct mem_socket *socket, const struct mem_op *op, size_t bytes)
{
    socket->written = realloc(socket->written, socket->bytes + bytes);
    assert(socket->written != NULL);
    for (uint32_t i = 0; i < op->count && bytes > 0; i++) {
        size_t part = bytes < op->iov[i].length ? bytes : op->iov[i].length;

        memcpy(socket->written + socket->bytes, op->iov[i].base, part);
        socket->bytes += part;
        bytes -= part;
    }
}

static void complete_read(struct net_mem *mem, struct mem_op *op, int32_t ret, const void *data)
{
    if (ret > 0) {
        assert((uint64_t)ret <= op->seen.bytes && data != NULL);
        fill_spans(op, data, (size_t)ret);
        mem->base.counters.reads++;
        mem->base.counters.read_bytes += (uint64_t)ret;
    }
    finish(mem, op, ret);
}

static void complete_write(struct net_mem *mem, struct mem_op *op, int32_t ret)
{
    assert(ret != 0); /* net.h: a write completes with bytes or an error */
    if (ret > 0) {
        assert((uint64_t)ret <= op->seen.bytes);
        keep_written(find_socket(mem, op->seen.token), op, (size_t)ret);
        mem->base.counters.writes++;
        mem->base.counters.written_bytes += (uint64_t)ret;
    }
    finish(mem, op, ret);
}

static void complete_call(struct net_mem *mem, struct mem_op *op, int32_t ret)
{
    enum ev_kind kind = op->seen.kind;

    assert(ret <= 0);
    if (ret == 0 && (kind == EV_NET_CONNECT || kind == EV_NET_BIND || kind == EV_NET_ACCEPT))
        open_socket(mem, op->seen.token);
    mem->base.counters.connects += ret == 0 && kind == EV_NET_CONNECT;
    mem->base.counters.accepts += ret == 0 && kind == EV_NET_ACCEPT;
    finish(mem, op, ret);
}

static void complete(struct net_mem *mem, struct mem_op *op, int32_t ret, const void *data)
{
    if (op->seen.kind == EV_NET_READ)
        complete_read(mem, op, ret, data);
    else if (op->seen.kind == EV_NET_WRITE)
        complete_write(mem, op, ret);
    else
        complete_call(mem, op, ret);
}

static void submit_open(struct net *net, enum ev_kind kind, uint64_t token,
                        const struct call_addr *addr)
{
    struct net_mem *mem = mem_of(net);

    assert(!is_open(mem, token) && find_pending(mem, kind, token) == NULL);
    submit(mem, kind, token)->seen.addr = *addr;
}

static void mem_connect(struct net *net, uint64_t token, const struct call_addr *addr)
{
    submit_open(net, EV_NET_CONNECT, token, addr);
}

static void mem_bind(struct net *net, uint64_t token, const struct call_addr *addr)
{
    submit_open(net, EV_NET_BIND, token, addr);
}

static void mem_listen(struct net *net, uint64_t token, uint32_t backlog)
{
    assert(is_open(mem_of(net), token));
    submit(mem_of(net), EV_NET_LISTEN, token)->seen.backlog = backlog;
}

static void mem_accept(struct net *net, uint64_t token, uint64_t listener)
{
    struct net_mem *mem = mem_of(net);

    assert(is_open(mem, listener) && !is_open(mem, token));
    assert(find_pending(mem, EV_NET_ACCEPT, token) == NULL);
    submit(mem, EV_NET_ACCEPT, token)->seen.listener = listener;
}

static void mem_poll(struct net *net, uint64_t token, uint64_t listener)
{
    assert(is_open(mem_of(net), listener));
    submit(mem_of(net), EV_NET_POLL, token)->seen.listener = listener;
}

static void submit_transfer(struct net_mem *mem, enum ev_kind kind, uint64_t token,
                            const struct shared_iov *iov, uint32_t count)
{
    assert(is_open(mem, token) && find_pending(mem, kind, token) == NULL);

    struct mem_op *op = submit(mem, kind, token);

    op->count = count;
    for (uint32_t i = 0; i < count; i++) {
        op->iov[i] = iov[i];
        op->seen.bytes += iov[i].length;
    }
}

static void mem_read(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count)
{
    submit_transfer(mem_of(net), EV_NET_READ, token, iov, count);
}

static void mem_write(struct net *net, uint64_t token, const struct shared_iov *iov, uint32_t count)
{
    submit_transfer(mem_of(net), EV_NET_WRITE, token, iov, count);
}

static void mem_shutdown(struct net *net, uint64_t token)
{
    struct mem_socket *socket = find_socket(mem_of(net), token);

    assert(socket != NULL && socket->open && !socket->shut);
    socket->shut = true;
}

static void mem_close(struct net *net, uint64_t token)
{
    struct net_mem *mem = mem_of(net);
    struct mem_op *op, *next;

    DL_FOREACH_SAFE (mem->pending, op, next) {
        if (op->seen.token == token)
            finish(mem, op, -ERR_CANCELED);
        else
            assert(op->seen.listener != token ||
                   (op->seen.kind != EV_NET_ACCEPT && op->seen.kind != EV_NET_POLL));
    }
    if (is_open(mem, token)) {
        find_socket(mem, token)->open = false;
        mem->base.counters.sockets_now--;
        mem->base.counters.closes++;
    }
    finish(mem, submit(mem, EV_NET_CLOSE, token), 0);
}

static void mem_reset(struct net *net, uint64_t token)
{
    if (is_open(mem_of(net), token))
        find_socket(mem_of(net), token)->reset = true;
    mem_close(net, token);
}

static bool mem_next(struct net *net, struct ev *ev)
{
    struct net_mem *mem = mem_of(net);
    struct mem_op *op = mem->done;

    if (op == NULL)
        return false;
    *ev = (struct ev){.kind = op->seen.kind, .ret = op->ret, .token = op->seen.token};
    DL_DELETE(mem->done, op);
    free(op);
    return true;
}

static void free_ops(struct mem_op *list)
{
    struct mem_op *op, *next;

    DL_FOREACH_SAFE (list, op, next) {
        free(op);
    }
}

static void mem_destroy(struct net *net)
{
    struct net_mem *mem = mem_of(net);
    struct mem_socket *socket, *next;

    free_ops(mem->pending);
    free_ops(mem->done);
    HASH_ITER (hh, mem->sockets, socket, next) {
        HASH_DEL(mem->sockets, socket);
        free(socket->written);
        free(socket);
    }
    free(mem);
}

static const struct net_ops mem_ops = {
    .connect = mem_connect,
    .bind = mem_bind,
    .listen = mem_listen,
    .accept = mem_accept,
    .poll = mem_poll,
    .read = mem_read,
    .write = mem_write,
    .shutdown = mem_shutdown,
    .close = mem_close,
    .reset = mem_reset,
    .next = mem_next,
    .destroy = mem_destroy,
};

struct net *net_mem_create(void)
{
    struct net_mem *mem = calloc(1, sizeof(*mem));

    assert(mem != NULL);
    mem->base.ops = &mem_ops;
    return &mem->base;
}

bool net_mem_pending(struct net *net, uint32_t i, struct net_mem_op *op)
{
    struct mem_op *at = mem_of(net)->pending;

    while (at != NULL && i-- > 0)
        at = at->next;
    if (at == NULL)
        return false;
    *op = at->seen;
    return true;
}

bool net_mem_complete(struct net *net, enum ev_kind kind, uint64_t token, int32_t ret,
                      const void *data)
{
    struct mem_op *op = find_pending(mem_of(net), kind, token);

    if (op == NULL)
        return false;
    complete(mem_of(net), op, ret, data);
    return true;
}

static bool waits_for_peer(enum ev_kind kind)
{
    return kind == EV_NET_READ || kind == EV_NET_ACCEPT || kind == EV_NET_POLL;
}

uint32_t net_mem_settle(struct net *net)
{
    struct net_mem *mem = mem_of(net);
    struct mem_op *op, *next;
    uint32_t settled = 0;

    DL_FOREACH_SAFE (mem->pending, op, next) {
        if (waits_for_peer(op->seen.kind))
            continue;
        complete(mem, op, (int32_t)op->seen.bytes, NULL);
        settled++;
    }
    return settled;
}

const unsigned char *net_mem_written(struct net *net, uint64_t token, uint64_t *bytes)
{
    const struct mem_socket *socket = find_socket(mem_of(net), token);

    *bytes = socket == NULL ? 0 : socket->bytes;
    return socket == NULL ? NULL : socket->written;
}

enum net_mem_end net_mem_end(struct net *net, uint64_t token)
{
    const struct mem_socket *socket = find_socket(mem_of(net), token);

    if (socket == NULL || (socket->open && !socket->shut))
        return NET_MEM_OPEN;
    return socket->reset ? NET_MEM_RESET : socket->open ? NET_MEM_SHUT : NET_MEM_CLOSED;
}

uint32_t net_mem_sockets(const struct net *net)
{
    return (uint32_t)net->counters.sockets_now;
}
