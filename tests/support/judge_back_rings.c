/* Data rings of a backend watched from outside: which pages, which bytes. See judge_back.h. */
#include "tests/support/judge_back_private.h"

struct judge_data *judge_back_data(struct judge_back *judge, uint64_t token)
{
    uint32_t slot = step_slot(token);
    struct judge_data *data = slot < JUDGE_SOCKS ? &judge->data[slot] : NULL;

    return data && data->token == token && judge->seams->channels[slot].token == token ? data
                                                                                       : NULL;
}

const struct judge_data *judge_back_ring(const struct judge_back *judge, uint32_t slot)
{
    const struct seams_channel *channel = &judge->seams->channels[slot];
    const struct judge_data *data = &judge->data[slot];

    return channel->mapped == 1 + judge->dialect->index.pages && data->token == channel->token &&
                   data->stage == RING_NAMED
               ? data
               : NULL;
}

/* ---- pages ------------------------------------------------------------------------------------
 */

static bool order_fits(const struct judge_back *judge, uint32_t order)
{
    return order >= judge->dialect->order_min && order <= JUDGE_ORDER_MAX;
}

/* Each page once; neither that of the indexes nor the command ring. */
static bool refs_fit(const struct judge_back *judge, const uint32_t *refs, uint32_t count,
                     uint32_t index_ref)
{
    uint32_t ring_ref = SEAMS_REF + judge->seams->channels[SEAMS_SLOTS].page;

    for (uint32_t i = 0; i < count; i++) {
        if (refs[i] == ring_ref || refs[i] == index_ref)
            return false;
        for (uint32_t k = 0; k < i; k++)
            if (refs[i] == refs[k])
                return false;
    }
    return true;
}

/* Whether a request that was read, and not answered, names these. */
static bool is_asked(const struct judge_back *judge, const struct act_map *map)
{
    for (uint32_t i = 0; i < judge->slots; i++) {
        const struct call *call = &judge->asked[i].call;
        if (judge->asked[i].used && (call->kind == CALL_CONNECT || call->kind == CALL_ACCEPT) &&
            (judge->asked[i].twin ||
             memcmp(call->refs, map->refs, map->count * sizeof(map->refs[0])) == 0))
            return true;
    }
    return false;
}

/* The first map of a socket: what a request names, an index page or the ring. */
static void map_named(struct judge_back *judge, struct judge_data *data, const struct act *act)
{
    uint32_t index = judge->dialect->index.pages;

    *data = (struct judge_data){.token = act->token, .order = judge->order};
    FUZZ_CHECK(act->map.count == (index > 0 ? index : 1u << judge->order) &&
                   is_asked(judge, &act->map),
               "pages that nobody named");
    FUZZ_CHECK(refs_fit(judge, act->map.refs, act->map.count, UINT32_MAX), "a page twice");
    data->index_ref = act->map.refs[0];
}

/* The second: what its index page said. */
static void map_read(const struct judge_back *judge, const struct judge_data *data,
                     const struct act_map *map)
{
    FUZZ_CHECK(map->count == 1u << data->order &&
                   memcmp(map->refs, data->refs, map->count * sizeof(map->refs[0])) == 0,
               "other pages than were read");
    FUZZ_CHECK(refs_fit(judge, map->refs, map->count, data->index_ref), "a page twice");
}

void judge_back_mapping(struct judge_back *judge, const struct act *act)
{
    uint32_t slot = step_slot(act->token);

    FUZZ_CHECK(slot < JUDGE_SOCKS, "a ring of no socket");
    struct judge_data *data = &judge->data[slot];
    bool second = data->token == act->token && data->stage == REFS_READ;
    if (second)
        map_read(judge, data, &act->map);
    else
        map_named(judge, data, act);
    if (!second && judge->dialect->index.pages > 0)
        return;
    data->stage = RING_NAMED;
    dialect_ring(judge->dialect, data->order, &data->layout);
}

void judge_back_opening(const struct judge_back *judge, const struct act *act)
{
    uint32_t slot = step_slot(act->token);

    FUZZ_CHECK(slot < JUDGE_SOCKS && judge_back_ring(judge, slot) &&
                   judge->seams->channels[slot].token == act->token &&
                   judge->seams->channels[slot].ported,
               "a socket without its ring");
}

/* An index page before its ring is there: order, then as many refs, each read once. */
static void index_read(struct judge_back *judge, struct judge_data *data, uint32_t at,
                       struct shared_span span)
{
    const struct dialect_index *index = &judge->dialect->index;

    if (span.offset == index->order_at && span.length == 4) {
        FUZZ_CHECK(data->stage == PAGES_NAMED, "the order is read again");
        data->order = seams_load(judge->seams, at + span.offset);
        data->stage = ORDER_READ;
        return;
    }
    FUZZ_CHECK(span.offset == index->refs_at && data->stage == ORDER_READ &&
                   order_fits(judge, data->order) && span.length == 4u << data->order,
               "%u bytes at %u", span.length, span.offset);
    memcpy(data->refs, judge->seams->memory + at + span.offset, span.length);
    data->stage = REFS_READ;
}

/* What an index page says is followed, unless it is refused for a reason. */
static void check_stage(const struct judge_back *judge, const struct judge_data *data)
{
    FUZZ_CHECK(data->stage != ORDER_READ || !order_fits(judge, data->order), "order %u is one",
               data->order);
    FUZZ_CHECK(data->stage != REFS_READ ||
                   !refs_fit(judge, data->refs, 1u << data->order, data->index_ref),
               "its refs are good");
}

/* ---- bytes ------------------------------------------------------------------------------------
 */

void judge_back_stored(struct judge_data *data, uint32_t offset, uint32_t value)
{
    const struct dialect_ring *layout = &data->layout;
    bool error = (int32_t)value < 0 && (int32_t)value >= -ERR_MAX;

    data->changed = true;
    if (offset == layout->in.prod) {
        FUZZ_CHECK(!data->in_failed, "bytes after the error");
        FUZZ_CHECK(value == data->prod, "in_prod %u is not %u", value, data->prod);
        data->owed = 0;
    } else if (offset == layout->out.cons) {
        FUZZ_CHECK(value == data->cons, "out_cons %u is not %u", value, data->cons);
        data->taken = 0;
    } else if (offset == layout->in.error) {
        FUZZ_CHECK(error && data->owed == 0 && (!data->reading || data->must_break),
                   "error %d before the last byte", (int32_t)value);
        data->in_failed = true;
    } else {
        FUZZ_CHECK(offset == layout->out.error && error, "stored %u at %u", value, offset);
        data->out_failed = true;
    }
}

static void look_at_data(struct judge_data *data, uint32_t offset, uint32_t value)
{
    const struct dialect_ring *layout = &data->layout;
    bool in = offset == layout->in.cons;
    uint32_t size = in ? layout->in.size : layout->out.size;
    uint32_t used = in ? data->prod - value : value - data->cons;

    FUZZ_CHECK(in || offset == layout->out.prod, "read at %u", offset);
    FUZZ_CHECK(!data->broken && !data->must_break, "a broken ring is looked at");
    if (used > size) {
        data->must_break = true;
        data->claimed = value;
    } else if (in) {
        data->room = size - used;
    } else {
        data->queued = used;
    }
}

void judge_back_data_access(struct judge_back *judge, enum shared_access access,
                            const struct shared_area *area, struct shared_span span)
{
    const struct seams_channel *channel = seams_channel(judge->seams, judge->ev.token);
    struct judge_data *data = judge_back_data(judge, judge->ev.token);
    uint32_t at = seams_at(judge->seams, area);
    uint32_t page = channel->mapped > 1 ? channel->index_page : channel->page;

    FUZZ_CHECK(data && channel->mapped > 0 && at == page * SHARED_PAGE_BYTES,
               "a step of another socket");
    FUZZ_CHECK(area->pages == 1 || judge->dialect->index.pages == 0, "bytes are not its business");
    if (access == SHARED_READ && data->stage != RING_NAMED) {
        index_read(judge, data, at, span);
        return;
    }
    FUZZ_CHECK(data->stage == RING_NAMED && span.length == 4, "%u bytes at %u", span.length,
               span.offset);
    if (access == SHARED_READ) {
        look_at_data(data, span.offset, seams_load(judge->seams, at + span.offset));
        return;
    }
    judge->stored = STORED_DATA;
    judge->stored_at = at;
    judge->stored_offset = span.offset;
    judge->stored_in = data;
}

void judge_back_moved(struct judge_back *judge, const struct ev *ev)
{
    struct judge_data *data = judge_back_data(judge, ev->token);

    if (!data)
        return;
    data->reading &= ev->kind != EV_NET_READ;
    data->writing &= ev->kind != EV_NET_WRITE;
    if (data->broken || data->closing)
        return;
    if (ev->kind == EV_NET_READ && ev->ret > 0) {
        data->prod += (uint32_t)ev->ret;
        data->owed += (uint32_t)ev->ret;
    } else if (ev->kind == EV_NET_WRITE && ev->ret > 0) {
        data->cons += (uint32_t)ev->ret;
        data->taken += (uint32_t)ev->ret;
    } else if ((ev->kind == EV_NET_CONNECT || ev->kind == EV_NET_ACCEPT) && ev->ret == 0) {
        data->open = true;
    }
}

/* The spans of a transfer are `total` bytes of the array from `index` on. */
static void check_spans(const struct act_io *io, const struct bytering_layout *at, uint32_t index,
                        int64_t total)
{
    uint32_t start = index % at->size;
    uint32_t first = at->size - start < total ? at->size - start : (uint32_t)total;

    FUZZ_CHECK(total > 0 && total <= at->size, "%lld bytes", (long long)total);
    FUZZ_CHECK(io->count == (first < total ? 2u : 1u), "%u spans", io->count);
    FUZZ_CHECK(io->spans[0].offset == at->array + start && io->spans[0].length == first, "first");
    FUZZ_CHECK(io->count < 2 || (io->spans[1].offset == at->array &&
                                 io->spans[1].length == (uint32_t)total - first),
               "second");
}

void judge_back_transfer(struct judge_back *judge, const struct act *act)
{
    struct judge_data *data = judge_back_data(judge, act->token);

    FUZZ_CHECK(data && data->open && !data->closing && !data->broken, "a transfer of no socket");
    /* one way may be posted just before the other is found broken, which ends both */
    bool failed =
        !data->must_break && (act->kind == ACT_NET_READ ? data->in_failed : data->out_failed);
    FUZZ_CHECK(!failed, "a transfer after the error");
    if (act->kind == ACT_NET_READ) {
        FUZZ_CHECK(!data->reading, "two at once");
        data->reading = true;
        check_spans(&act->io, &data->layout.in, data->prod, data->room);
    } else {
        FUZZ_CHECK(!data->writing, "two at once");
        data->writing = true;
        check_spans(&act->io, &data->layout.out, data->cons, data->queued);
    }
}

/* Nothing is left that the core knows of and nobody will tell it again. */
static void check_rest(const struct judge_back *judge, const struct judge_data *data)
{
    enum ev_kind kind = judge->ev.kind;
    bool opened = kind == EV_NET_CONNECT || kind == EV_NET_ACCEPT;

    if (!data->open || data->closing || data->broken)
        return;
    FUZZ_CHECK(data->owed == 0 && data->taken == 0, "moved and not published");
    if ((opened || kind == EV_PORT || kind == EV_NET_WRITE) && !data->out_failed && !data->writing)
        FUZZ_CHECK(data->queued == 0, "%lld bytes wait for ever", (long long)data->queued);
    if ((opened || kind == EV_PORT || kind == EV_NET_READ) && !data->in_failed && !data->reading)
        FUZZ_CHECK(data->room == 0, "%lld bytes of room wait for ever", (long long)data->room);
}

void judge_back_data_end(const struct judge_back *judge, const struct judge_data *data)
{
    check_stage(judge, data);
    check_rest(judge, data);
}
