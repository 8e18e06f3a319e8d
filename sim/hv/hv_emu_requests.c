/*
 * Operations of a domain process: what is asked of the hypervisor, what its answers mean. See
 * hv_emu.h, emu_wire.h.
 *
 * The hypervisor answers in order, so what is pending is a queue and its head is what an answer is
 * for. What a run of ours or a mapping needs here (a slot, memory) is taken when the op is
 * submitted or answered and given back by whoever finds that the op failed.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_channel.h"
#include "sim/hv/hv_emu_private.h"

#include "ringlib/err.h"

#include <stdlib.h>
#include <unistd.h>

enum { DRAINS = 16 }; /* of 4 KiB: what a pipe holds where channels are pipes */

/* --- areas --- */

static uint32_t area_take(struct hv_emu *emu)
{
    uint32_t slot = emu->area_free;

    if (slot == UINT32_MAX) {
        uint32_t old_count = emu->area_count;

        emu->areas = hv_emu_grow(emu->areas, &emu->area_count, old_count + 1, sizeof(*emu->areas));
        for (uint32_t i = old_count; i < emu->area_count; i++)
            emu->areas[i].next_free = i + 1 < emu->area_count ? i + 1 : UINT32_MAX;
        slot = old_count;
    }
    emu->area_free = emu->areas[slot].next_free;
    emu->areas[slot].used = true;
    return slot;
}

static void area_give(struct hv_emu *emu, uint32_t slot)
{
    struct emu_area *area = &emu->areas[slot];

    assert(slot < emu->area_count && area->used);
    emu_memory_unmap(&area->memory);
    *area = (struct emu_area){.next_free = emu->area_free};
    emu->area_free = slot;
}

/* --- watches --- */

static uint32_t watch_take(struct hv_emu *emu, uint64_t token, const struct hv_tag *tag)
{
    uint32_t slot = 0;

    while (slot < emu->watch_count && emu->watches[slot].used)
        slot++;
    emu->watches = hv_emu_grow(emu->watches, &emu->watch_count, slot + 1, sizeof(*emu->watches));
    emu->watches[slot] = (struct emu_watch){.used = true, .token = token, .tag = *tag};
    return slot;
}

/* --- ops --- */

static struct emu_op *op_new(enum emu_kind kind, enum ev_kind ev_kind, uint64_t token)
{
    struct emu_op *op = emu_new(sizeof(*op));

    op->kind = kind;
    op->ev.kind = ev_kind;
    op->ev.token = token;
    return op;
}

static void op_tag(struct emu_op *op, const struct hv_tag *tag)
{
    op->ev.store.side = tag->side;
    op->ev.store.key = tag->key;
    op->ev.store.domid = tag->domid;
}

static void op_done(struct hv_emu *emu, struct emu_op *op, int32_t ret)
{
    op->ev.ret = ret;
    if (op->quiet)
        free(op);
    else
        hv_emu_push(&emu->done, op);
}

void hv_emu_fail(struct hv_emu *emu, struct emu_op *op, int32_t ret)
{
    if (op->kind == EMU_SHARE)
        area_give(emu, op->slot);
    if (op->kind == EMU_STORE_WATCH || op->kind == EMU_STORE_UNWATCH)
        emu->watches[op->slot].used = false;
    /* Undo never fails: a hypervisor that is gone has no watches. */
    op_done(emu, op, op->kind == EMU_STORE_UNWATCH ? 0 : ret);
}

/* Undo is always let through: there is no more of it than there is to undo. */
static bool may_ask(const struct hv_emu *emu, enum emu_kind kind)
{
    return kind == EMU_STORE_UNWATCH || !emu_queue_full(&emu->queue);
}

/* Ask for an op: `head` opens the message of `length` bytes. */
static void ask(struct hv_emu *emu, struct emu_op *op, struct emu_head *head, size_t length,
                struct emu_file *file)
{
    if (hv_emu_lost(&emu->hv)) {
        hv_emu_fail(emu, op, -ERR_NODEV);
        return;
    }
    if (!may_ask(emu, op->kind)) {
        hv_emu_fail(emu, op, -ERR_NOBUFS);
        return;
    }
    op->id = ++emu->last_id;
    *head = (struct emu_head){.kind = op->kind, .id = op->id};
    hv_emu_push(&emu->pending, op);
    hv_emu_send(emu, head, (uint32_t)length, file);
}

static void tell(struct hv_emu *emu, enum emu_kind kind, uint32_t handle)
{
    struct emu_handle message = {.head.kind = kind, .handle = handle};

    hv_emu_send(emu, &message, sizeof(message), NULL);
}

/* --- submission --- */

static void submit_share(struct hv *hv, uint64_t token, uint16_t domid, uint32_t pages)
{
    struct hv_emu *emu = hv_emu_of(hv);
    struct emu_op *op = op_new(EMU_SHARE, EV_SHARE, token);
    struct emu_grant message = {.domid = domid, .pages = pages};
    struct emu_memory memory;
    struct emu_file *file;
    int fd = emu_memory_create(pages, &memory);

    if (fd < 0) {
        op_done(emu, op, fd);
        return;
    }
    op->slot = area_take(emu);
    op->pages = pages;
    emu->areas[op->slot].memory = memory;
    file = emu_file_new(fd);
    ask(emu, op, &message.head, sizeof(message), file);
    emu_file_drop(file);
}

/* The caller may have it from now on. */
static void area_hand_out(struct emu_area *area, uint32_t handle, bool mapped)
{
    area->handle = handle;
    area->live = true;
    area->mapped = mapped;
}

/* Unshare and unmap are over here once the memory is; the hypervisor keeps the books. A handle that
 * is no run's, or no mapping's, is refused as on Xen. */
static void area_end(struct emu_op *op, struct hv_emu *emu, uint32_t slot, bool mapped)
{
    const struct emu_area *area = slot < emu->area_count ? &emu->areas[slot] : NULL;

    if (!area || !area->live || area->mapped != mapped) {
        op_done(emu, op, -ERR_INVAL);
        return;
    }
    uint32_t handle = area->handle;
    int32_t pages = (int32_t)area->memory.area.pages;
    if (mapped)
        hv_count_mapped(&emu->hv, -pages);
    else
        hv_count_grants(&emu->hv, -pages);
    area_give(emu, slot);
    tell(emu, op->kind, handle);
    op_done(emu, op, 0);
}

static void submit_unshare(struct hv *hv, uint64_t token, uint32_t handle)
{
    area_end(op_new(EMU_UNSHARE, EV_UNSHARE, token), hv_emu_of(hv), handle, false);
}

static void submit_map(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                       uint32_t count)
{
    struct emu_op *op = op_new(EMU_MAP, EV_MAP, token);
    struct emu_map message = {.domid = domid, .count = count};

    op->pages = count;
    memcpy(message.refs, refs, count * sizeof(*refs));
    ask(hv_emu_of(hv), op, &message.head, offsetof(struct emu_map, refs) + count * sizeof(*refs),
        NULL);
}

static void submit_unmap(struct hv *hv, uint64_t token, uint32_t handle)
{
    area_end(op_new(EMU_UNMAP, EV_UNMAP, token), hv_emu_of(hv), handle, true);
}

static void submit_port_alloc(struct hv *hv, uint64_t token, uint16_t domid)
{
    struct emu_port message = {.domid = domid};

    ask(hv_emu_of(hv), op_new(EMU_PORT_ALLOC, EV_PORT_ALLOC, token), &message.head, sizeof(message),
        NULL);
}

static void submit_port_bind(struct hv *hv, uint64_t token, uint16_t domid, uint32_t remote_port)
{
    struct emu_port message = {.domid = domid, .port = remote_port};

    ask(hv_emu_of(hv), op_new(EMU_PORT_BIND, EV_PORT_BIND, token), &message.head, sizeof(message),
        NULL);
}

static void submit_port_close(struct hv *hv, uint64_t token, uint32_t port)
{
    struct emu_op *op = op_new(EMU_PORT_CLOSE, EV_PORT_CLOSE, token);
    struct hv_emu *emu = hv_emu_of(hv);

    if (!hv_emu_port_is(emu, port)) {
        op_done(emu, op, -ERR_INVAL);
        return;
    }
    hv_emu_port_close(emu, port);
    tell(emu, EMU_PORT_CLOSE, port);
    op_done(emu, op, 0);
}

static void ask_path(struct hv_emu *emu, struct emu_op *op, const struct hv_tag *tag,
                     const char *path)
{
    struct emu_path message = {.cookie = op->slot};

    op_tag(op, tag);
    memcpy(message.path, path, strlen(path)); /* shorter than the member, and the rest is zero */
    ask(emu, op, &message.head, sizeof(message), NULL);
}

static void submit_store_read(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                              const char *path)
{
    ask_path(hv_emu_of(hv), op_new(EMU_STORE_READ, EV_STORE_READ, token), tag, path);
}

static void submit_store_list(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                              const char *path)
{
    ask_path(hv_emu_of(hv), op_new(EMU_STORE_LIST, EV_STORE_LIST, token), tag, path);
}

static void submit_store_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                                 uint32_t count)
{
    struct emu_publish message = {.count = count};

    memcpy(message.nodes, nodes, count * sizeof(*nodes));
    ask(hv_emu_of(hv), op_new(EMU_STORE_PUBLISH, EV_STORE_PUBLISH, token), &message.head,
        offsetof(struct emu_publish, nodes) + count * sizeof(*nodes), NULL);
}

static void submit_store_watch(struct hv *hv, uint64_t token, const struct hv_tag *tag,
                               const char *path)
{
    struct hv_emu *emu = hv_emu_of(hv);
    struct emu_op *op = op_new(EMU_STORE_WATCH, EV_STORE_WATCH, token);

    op->slot = watch_take(emu, token, tag);
    ask_path(emu, op, tag, path);
}

/* One message for each watch of the token; the last one's answer is the completion. */
static void submit_store_unwatch(struct hv *hv, uint64_t token)
{
    struct hv_emu *emu = hv_emu_of(hv);
    struct emu_op *op = NULL;

    for (uint32_t slot = 0; slot < emu->watch_count; slot++) {
        struct emu_watch *watch = &emu->watches[slot];
        struct emu_cookie message = {.cookie = slot};

        if (!watch->used || watch->ending || watch->token != token)
            continue;
        watch->ending = true;
        op = op_new(EMU_STORE_UNWATCH, EV_STORE_UNWATCH, token);
        op->slot = slot;
        op->quiet = true;
        ask(emu, op, &message.head, sizeof(message), NULL);
    }
    if (op && !hv_emu_lost(hv))
        op->quiet = false;
    else
        op_done(emu, op_new(EMU_STORE_UNWATCH, EV_STORE_UNWATCH, token), 0);
}

const struct hv_ops hv_emu_ops = {
    .share = submit_share,
    .unshare = submit_unshare,
    .map = submit_map,
    .unmap = submit_unmap,
    .port_alloc = submit_port_alloc,
    .port_bind = submit_port_bind,
    .port_close = submit_port_close,
    .notify = hv_emu_notify,
    .unmask = hv_emu_unmask,
    .wait = hv_emu_wait,
    .store_read = submit_store_read,
    .store_list = submit_store_list,
    .store_publish = submit_store_publish,
    .store_watch = submit_store_watch,
    .store_unwatch = submit_store_unwatch,
    .next = hv_emu_next,
    .close = hv_emu_close,
};

/* --- answers --- */

static bool answer_share(struct hv_emu *emu, struct emu_op *op)
{
    const struct emu_shared *in = &emu->in.body.shared;
    size_t refs_bytes = op->pages * sizeof(in->refs[0]);
    struct emu_area *area = &emu->areas[op->slot];

    if (emu->in.length != offsetof(struct emu_shared, refs) + refs_bytes || in->count != op->pages)
        return false;
    area_hand_out(area, in->handle, false);
    op->extra = emu_new(refs_bytes);
    memcpy(op->extra, in->refs, refs_bytes);
    op->ev.share.area = area->memory.area;
    op->ev.share.refs = op->extra;
    op->ev.share.handle = op->slot;
    hv_count_grants(&emu->hv, (int32_t)op->pages);
    return true;
}

/* Whether the pieces lie in their runs, use each of the message's descriptors, and have the pages
 * we asked for. */
static bool pieces_proper(const struct emu_message *in, uint32_t pages)
{
    const struct emu_mapped *mapped = &in->body.mapped;
    uint32_t total = 0, runs = 0;

    for (uint32_t i = 0; i < mapped->count; i++) {
        const struct emu_piece *piece = &mapped->pieces[i];

        if (piece->run > runs || piece->pages == 0 ||
            piece->first_page + piece->pages > piece->run_pages)
            return false;
        if (piece->run == runs)
            runs++;
        total += piece->pages;
    }
    return total == pages && (in->fds_lost || runs == in->fd_count);
}

/* The memory is the sharer's, and it is the mapper who would fault. */
static int map_checked(struct hv_emu *emu, uint32_t pages, struct emu_memory *memory)
{
    const struct emu_mapped *in = &emu->in.body.mapped;

    if (emu->in.fds_lost)
        return -ERR_MFILE;
    for (uint32_t i = 0; i < in->count; i++) {
        if (emu_memory_check(emu->in.fds[in->pieces[i].run], in->pieces[i].run_pages) < 0)
            return -ERR_INVAL;
    }
    return emu_memory_map(emu->in.fds, in->pieces, in->count, pages, memory);
}

static bool answer_map(struct hv_emu *emu, struct emu_op *op)
{
    const struct emu_mapped *in = &emu->in.body.mapped;
    struct emu_memory memory;

    if (emu->in.length < offsetof(struct emu_mapped, pieces) || in->count > HV_REFS_MAX ||
        emu->in.length != offsetof(struct emu_mapped, pieces) + in->count * sizeof(in->pieces[0]) ||
        !pieces_proper(&emu->in, op->pages))
        return false;
    op->ev.ret = map_checked(emu, op->pages, &memory);
    if (op->ev.ret < 0) {
        tell(emu, EMU_UNMAP, in->handle);
        return true;
    }
    op->slot = area_take(emu);
    emu->areas[op->slot].memory = memory;
    area_hand_out(&emu->areas[op->slot], in->handle, true);
    op->ev.share.area = memory.area;
    op->ev.share.handle = op->slot;
    hv_count_mapped(&emu->hv, (int32_t)op->pages);
    return true;
}

/* A binder's port is born pending, as on Xen; its first event follows this completion. */
static bool answer_port(struct hv_emu *emu, struct emu_op *op)
{
    uint32_t port = emu->in.body.port.port;

    if (emu->in.length != sizeof(struct emu_port) || port == 0 || port > UINT16_MAX ||
        hv_emu_port_is(emu, port))
        return false;
    if (emu->in.fds_lost) {
        op->ev.ret = -ERR_MFILE;
        tell(emu, EMU_PORT_CLOSE, port);
        return true;
    }
    if (emu->in.fd_count != 2)
        return false;
    emu->in.fd_count = 0;
    op->ev.ret = hv_emu_port_open(emu, port, op->ev.token, emu->in.fds);
    if (op->ev.ret < 0) {
        tell(emu, EMU_PORT_CLOSE, port);
        return true;
    }
    op->ev.port = port;
    if (op->kind == EMU_PORT_BIND) {
        /* Notifies to the unbound end are dropped; one since the bind is in the pending one. */
        for (int i = 0; i < DRAINS && emu_channel_drain(emu->ends[port].receive) > 0; i++)
            ;
        hv_emu_port_pend(emu, port);
    }
    return true;
}

static bool answer_read(struct hv_emu *emu, struct emu_op *op)
{
    const struct emu_value *in = &emu->in.body.value;

    if (emu->in.length != sizeof(*in) || !memchr(in->value, 0, sizeof(in->value)))
        return false;
    memcpy(op->ev.store.value, in->value, sizeof(in->value));
    return true;
}

static bool answer_list(struct hv_emu *emu, struct emu_op *op)
{
    const struct emu_names *in = &emu->in.body.names;

    if (emu->in.length < offsetof(struct emu_names, names) || in->bytes > EMU_NAMES_BYTES ||
        emu->in.length != offsetof(struct emu_names, names) + in->bytes)
        return false;
    op->extra = emu_new((size_t)in->bytes + 1);
    memcpy(op->extra, in->names, in->bytes);
    op->ev.store.names = op->extra;
    op->ev.ret = in->head.ret;
    return true;
}

/* Fill in op->ev from an answer that succeeded. */
static bool answer_kind(struct hv_emu *emu, struct emu_op *op)
{
    switch (op->kind) {
    case EMU_SHARE: return answer_share(emu, op);
    case EMU_MAP: return answer_map(emu, op);
    case EMU_PORT_ALLOC:
    case EMU_PORT_BIND: return answer_port(emu, op);
    case EMU_STORE_READ: return answer_read(emu, op);
    case EMU_STORE_LIST: return answer_list(emu, op);
    case EMU_STORE_UNWATCH: emu->watches[op->slot].used = false; return true;
    case EMU_STORE_PUBLISH:
    case EMU_STORE_WATCH: return emu->in.length == sizeof(struct emu_head);
    case EMU_HELLO:
    case EMU_UNSHARE:
    case EMU_UNMAP:
    case EMU_PORT_CLOSE:
    case EMU_STORE_EVENT:
    case EMU_KIND_COUNT: break;
    }
    return false; /* never pending */
}

static bool watch_fired(struct hv_emu *emu)
{
    uint64_t slot = emu->in.body.cookie.cookie;
    struct emu_op *op;

    if (emu->in.length != sizeof(struct emu_cookie) || slot >= emu->watch_count ||
        !emu->watches[slot].used)
        return false;
    op = op_new(EMU_STORE_EVENT, EV_STORE, emu->watches[slot].token);
    op_tag(op, &emu->watches[slot].tag);
    op_done(emu, op, 0);
    return true;
}

bool hv_emu_answer(struct hv_emu *emu)
{
    const struct emu_head *head = &emu->in.body.head;
    struct emu_op *op = emu->pending.head;

    if (emu->in.length < sizeof(*head))
        return false;
    if (head->kind == EMU_STORE_EVENT)
        return watch_fired(emu);
    if (!op || head->kind != op->kind || head->id != op->id)
        return false;
    (void)hv_emu_pop(&emu->pending);
    if (head->ret < 0) {
        hv_emu_fail(emu, op, head->ret);
        return true;
    }
    if (!answer_kind(emu, op)) {
        hv_emu_fail(emu, op, -ERR_NODEV);
        return false;
    }
    op_done(emu, op, op->ev.ret);
    return true;
}

void hv_emu_requests_fini(struct hv_emu *emu)
{
    for (uint32_t slot = 0; slot < emu->area_count; slot++) {
        if (emu->areas[slot].used)
            emu_memory_unmap(&emu->areas[slot].memory);
    }
    free(emu->areas);
    free(emu->watches);
}
