/* Both seams for a fuzzer. See seams.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1 /* MAP_FIXED */
#endif
#include "tests/support/seams.h"

#include "sim/hv/emu_memory.h"

#include <sys/mman.h>

/* One memory file, mapped twice in a row, for as long as this process lives. */
static unsigned char *memory(void)
{
    static unsigned char *twice;
    const size_t half = SEAMS_BYTES / 2;

    if (twice)
        return twice;
    int fd = emu_memory_file(half);
    void *base = mmap(NULL, SEAMS_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_CHECK(fd >= 0 && base != MAP_FAILED, "memory");
    for (uint32_t i = 0; i < 2; i++) {
        void *at = (unsigned char *)base + i * half;
        void *mapped = mmap(at, half, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0);
        FUZZ_CHECK(mapped == at, "memory");
    }
    return twice = base;
}

void seams_reset(struct seams *seams, const struct dialect *dialect)
{
    memset(seams, 0, sizeof(*seams));
    seams->dialect = dialect;
    seams->memory = memory();
    memset(seams->memory, 0, SEAMS_PAGES * SHARED_PAGE_BYTES);
    seams->next_port = 1;
}

const struct dialect *seams_dialect(uint32_t which)
{
    uint32_t count = 0;

    while (dialect_at(count))
        count++;
    return dialect_at(which % count);
}

uint32_t seams_word(const struct dialect_ring *ring, uint32_t i)
{
    const uint32_t words[] = {ring->in.cons,  ring->in.prod,  ring->out.cons,
                              ring->out.prod, ring->in.error, ring->out.error};

    return words[i % 6];
}

void seams_name_pages(struct seams *seams, uint32_t index_page, uint32_t order, uint32_t page)
{
    const struct dialect_index *index = &seams->dialect->index;
    uint32_t at = index_page * SHARED_PAGE_BYTES;

    seams_store(seams, at + index->order_at, order);
    for (uint32_t i = 0; i < 1u << order; i++)
        seams_store(seams, at + index->refs_at + 4 * i, SEAMS_REF + page + i);
}

uint32_t seams_load(const struct seams *seams, uint32_t at)
{
    uint32_t value;

    memcpy(&value, seams->memory + at, sizeof(value));
    return value;
}

void seams_store(struct seams *seams, uint32_t at, uint32_t value)
{
    memcpy(seams->memory + at, &value, sizeof(value));
}

uint32_t seams_number(struct fuzz_input *input)
{
    uint8_t first = fuzz_u8(input);

    return first < 240 ? (uint32_t)(int8_t)(uint8_t)(first - 120) : fuzz_u32(input);
}

struct seams_channel *seams_channel(struct seams *seams, uint64_t token)
{
    uint32_t slot = step_slot(token);

    FUZZ_CHECK(slot == STEP_SLOT_DEVICE || slot < SEAMS_SLOTS, "slot %u", slot);
    return &seams->channels[slot == STEP_SLOT_DEVICE ? SEAMS_SLOTS : slot];
}

/* The channel of an action that names what the token already has, or nothing. */
static struct seams_channel *owned(struct seams *seams, uint64_t token)
{
    struct seams_channel *channel = seams_channel(seams, token);

    if (!channel->mapped && !channel->ported && !channel->open)
        channel->token = token;
    FUZZ_CHECK(channel->token == token, "a slot of two generations");
    return channel;
}

uint32_t seams_at(const struct seams *seams, const struct shared_area *area)
{
    const unsigned char *base = (const unsigned char *)area->base;
    size_t at = (size_t)(base - seams->memory);

    FUZZ_CHECK(base >= seams->memory && at + (size_t)area->pages * SHARED_PAGE_BYTES <= SEAMS_BYTES,
               "an area that was never given");
    return (uint32_t)at;
}

uint32_t seams_in_flight(const struct seams *seams, enum ev_kind kind, uint64_t token)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < seams->op_count; i++)
        count += seams->ops[i].ev.kind == kind && seams->ops[i].ev.token == token;
    return count;
}

/* ---- hypervisor ------------------------------------------------------------------------------ */

static void give_area(struct seams *seams, struct seams_op *op, uint32_t page, uint32_t pages)
{
    struct seams_channel *channel = owned(seams, op->act.token);

    uint32_t most = 1 + (op->act.kind == ACT_MAP && channel != &seams->channels[SEAMS_SLOTS]
                             ? seams->dialect->index.pages
                             : 0);

    FUZZ_CHECK(channel->mapped < most, "more areas of one token than a ring has");
    channel->index_page = channel->mapped++ > 0 ? channel->page : 0;
    channel->page = page;
    channel->pages = pages;
    op->ev.share.area = (struct shared_area){
        (struct shared_memory *)(void *)(seams->memory + (size_t)page * SHARED_PAGE_BYTES), pages};
}

static bool page_used(const struct seams *seams, uint32_t page)
{
    for (uint32_t i = 0; i <= SEAMS_SLOTS; i++) {
        const struct seams_channel *channel = &seams->channels[i];
        if (channel->mapped && page >= channel->page && page < channel->page + channel->pages)
            return true;
    }
    return false;
}

static int32_t share(struct seams *seams, struct seams_op *op)
{
    uint32_t pages = op->act.share.pages, run = 0;

    for (uint32_t page = 0; page < SEAMS_PAGES; page++) {
        run = page_used(seams, page) ? 0 : run + 1;
        if (run < pages)
            continue;
        uint32_t first = page + 1 - pages;
        memset(seams->memory + (size_t)first * SHARED_PAGE_BYTES, 0,
               (size_t)pages * SHARED_PAGE_BYTES);
        give_area(seams, op, first, pages);
        return 0;
    }
    return -ERR_NOSPC;
}

static int32_t map(struct seams *seams, struct seams_op *op)
{
    const struct act_map *map = &op->act.map;

    for (uint32_t i = 0; i < map->count; i++) {
        uint32_t page = map->refs[i] - SEAMS_REF;
        if (page >= 2 * SEAMS_APART || page % SEAMS_APART >= SEAMS_PAGES ||
            map->refs[i] != map->refs[0] + i)
            return -ERR_INVAL;
    }
    give_area(seams, op, map->refs[0] - SEAMS_REF, map->count);
    return 0;
}

static int32_t port_open(struct seams *seams, struct seams_op *op)
{
    struct seams_channel *channel = owned(seams, op->act.token);
    bool bind = op->act.kind == ACT_PORT_BIND;
    uint32_t remote = bind ? op->act.port.port : 0;

    if (bind && (remote == 0 || remote > SEAMS_PORTS))
        return -ERR_INVAL;
    for (uint32_t i = 0; bind && i <= SEAMS_SLOTS; i++)
        if (seams->channels[i].ported && seams->channels[i].remote == remote)
            return -ERR_INVAL;
    FUZZ_CHECK(!channel->ported, "two ports of one token");
    channel->ported = true;
    channel->remote = remote;
    channel->port = op->ev.port = seams->next_port++;
    channel->fired = bind; /* born pending */
    return 0;
}

static void unmap(struct seams *seams, const struct act *act)
{
    struct seams_channel *channel = owned(seams, act->token);

    FUZZ_CHECK(channel->mapped > 0, "nothing to unmap");
    for (uint32_t i = 0; i < seams->op_count; i++) {
        const struct seams_op *op = &seams->ops[i];
        bool moves = op->ev.kind == EV_NET_READ || op->ev.kind == EV_NET_WRITE;
        FUZZ_CHECK(op->ready || !moves || op->ev.token != act->token, "unmapped in a transfer");
    }
    if (--channel->mapped == 0)
        return;
    channel->page = channel->index_page; /* the last one goes first */
    channel->pages = 1;
}

static void port_close(struct seams *seams, const struct act *act)
{
    struct seams_channel *channel = owned(seams, act->token);

    FUZZ_CHECK(channel->ported && channel->port == act->port.port, "port %u", act->port.port);
    channel->ported = channel->fired = false;
}

/* ---- store ----------------------------------------------------------------------------------- */

static void fire(struct seams *seams, enum step_side side, enum dialect_key key)
{
    for (uint32_t i = 0; i < 4; i++)
        if (seams->watches[i].on && seams->watches[i].node.side == side &&
            seams->watches[i].node.key == key)
            seams->watches[i].fired = true;
}

void seams_write(struct seams *seams, enum step_side side, enum dialect_key key, const char *value)
{
    FUZZ_CHECK(strlen(value) < STEP_VALUE_BYTES, "%s", value);
    memcpy(seams->store[side][key], value, strlen(value) + 1);
    fire(seams, side, key);
}

void seams_constants(struct seams *seams, const struct dialect_node nodes[DIALECT_NODES_MAX])
{
    for (uint32_t i = 0; i < dialect_node_count(nodes); i++)
        seams_write(seams, STEP_OTHER, nodes[i].key, nodes[i].value);
}

static int32_t store_read(struct seams *seams, struct seams_op *op)
{
    const struct act_store *node = &op->act.store;
    const char *value = seams->store[node->side][node->key];

    memcpy(op->ev.store.value, value, STEP_VALUE_BYTES);
    return value[0] ? 0 : -ERR_NOENT;
}

static int32_t watch(struct seams *seams, const struct act *act)
{
    for (uint32_t i = 0; i < 4; i++) {
        if (seams->watches[i].on)
            continue;
        seams->watches[i] = (struct seams_watch){true, true, act->token, act->store};
        return 0;
    }
    FUZZ_CHECK(false, "more watches than any core needs");
    return -ERR_NOSPC;
}

static int32_t store_op(struct seams *seams, struct seams_op *op)
{
    const struct act_publish *publish = &op->act.publish;

    if (op->act.kind == ACT_STORE_READ)
        return store_read(seams, op);
    if (op->act.kind == ACT_STORE_WATCH)
        return watch(seams, &op->act);
    for (uint32_t i = 0; op->act.kind == ACT_STORE_PUBLISH && i < publish->count; i++)
        seams_write(seams, STEP_OWN, publish->nodes[i].key, publish->nodes[i].value);
    for (uint32_t i = 0; op->act.kind == ACT_STORE_UNWATCH && i < 4; i++)
        seams->watches[i].on = seams->watches[i].fired = false;
    return 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

static void net_close(struct seams *seams, const struct act *act)
{
    for (uint32_t i = 0; i < seams->op_count; i++) {
        struct seams_op *op = &seams->ops[i];
        bool waits = op->ev.kind == EV_NET_ACCEPT || op->ev.kind == EV_NET_POLL;
        if (op->ready)
            continue;
        if (op->ev.token == act->token) {
            op->ready = true;
            op->ev.ret = -ERR_CANCELED;
        }
        FUZZ_CHECK(op->ready || !waits || op->act.net.listener != act->token,
                   "a listener closed under an accept");
    }
    seams_channel(seams, act->token)->open = false;
}

static void net_submit(struct seams *seams, const struct act *act)
{
    struct seams_channel *channel = owned(seams, act->token);
    bool moves = act->kind == ACT_NET_READ || act->kind == ACT_NET_WRITE;
    bool opens = act->kind == ACT_NET_CONNECT || act->kind == ACT_NET_BIND;

    FUZZ_CHECK(seams_in_flight(seams, (enum ev_kind)act->kind, act->token) == 0, "two at once");
    FUZZ_CHECK(!opens || (!channel->open && call_addr_check(&act->net.addr) == 0), "no address");
    FUZZ_CHECK((!moves && act->kind != ACT_NET_LISTEN) || channel->open, "no socket");
    FUZZ_CHECK(!moves || channel->mapped, "a transfer without memory");
    FUZZ_CHECK((act->kind != ACT_NET_ACCEPT && act->kind != ACT_NET_POLL) ||
                   seams_channel(seams, act->net.listener)->open,
               "no listener");
}

static void read_into(struct seams *seams, const struct seams_op *op, uint8_t fill)
{
    const struct seams_channel *channel = seams_channel(seams, op->ev.token);
    uint32_t left = (uint32_t)op->ev.ret;

    for (uint32_t i = 0; i < op->act.io.count; i++) {
        const struct shared_span *span = &op->act.io.spans[i];
        FUZZ_CHECK(span->offset + span->length <= channel->pages * SHARED_PAGE_BYTES, "span");
        for (uint32_t j = 0; j < span->length && left > 0; j++, left--)
            seams->memory[channel->page * SHARED_PAGE_BYTES + span->offset + j] = fill++;
    }
    FUZZ_CHECK(left == 0, "more than was asked for");
}

void seams_resolve(struct seams *seams, uint32_t index, int32_t ret, uint8_t fill)
{
    struct seams_op *op = &seams->ops[index];
    enum ev_kind kind = op->ev.kind;

    op->ready = true;
    op->ev.ret = ret;
    if (ret == 0 && (kind == EV_NET_CONNECT || kind == EV_NET_BIND || kind == EV_NET_ACCEPT))
        seams_channel(seams, op->ev.token)->open = true;
    if (ret > 0 && kind == EV_NET_READ)
        read_into(seams, op, fill);
}

bool seams_waiting(const struct seams *seams, uint32_t i, uint32_t *op)
{
    for (*op = 0; *op < seams->op_count; ++*op)
        if (!seams->ops[*op].ready && i-- == 0)
            return true;
    return false;
}

/* ---- both ------------------------------------------------------------------------------------ */

void seams_fail(struct seams *seams, enum ev_kind kind, uint32_t n, int32_t ret)
{
    seams->fails[kind] = (struct seams_fail){true, n, ret};
}

static bool fails(struct seams *seams, struct seams_op *op)
{
    struct seams_fail *fail = &seams->fails[op->ev.kind];

    if (!fail->armed || fail->after-- > 0)
        return false;
    fail->armed = false;
    op->ev.ret = fail->ret;
    return true;
}

static int32_t submit_hv(struct seams *seams, struct seams_op *op)
{
    switch (op->act.kind) {
    case ACT_SHARE: return share(seams, op);
    case ACT_MAP: return map(seams, op);
    case ACT_PORT_ALLOC:
    case ACT_PORT_BIND: return port_open(seams, op);
    case ACT_UNSHARE:
    case ACT_UNMAP: unmap(seams, &op->act); return 0;
    case ACT_PORT_CLOSE: port_close(seams, &op->act); return 0;
    default: return store_op(seams, op);
    }
}

static void submit(struct seams *seams, const struct act *act)
{
    FUZZ_CHECK(seams->op_count < SEAMS_OPS, "operations without end");
    struct seams_op *op = &seams->ops[seams->op_count];

    *op = (struct seams_op){.act = *act, .ready = act->kind < ACT_NET_CONNECT};
    op->ev.kind = (enum ev_kind)act->kind; /* both begin with STEP_OPS */
    op->ev.token = act->token;
    if (act->kind >= ACT_STORE_READ && act->kind <= ACT_STORE_WATCH) {
        op->ev.store.side = act->store.side;
        op->ev.store.key = act->store.key;
    }
    if (act->kind == ACT_NET_CLOSE)
        op->ready = true;
    if (act->kind == ACT_NET_CLOSE)
        net_close(seams, act);
    else if (act->kind >= ACT_NET_CONNECT)
        net_submit(seams, act);
    else if (!fails(seams, op))
        op->ev.ret = submit_hv(seams, op);
    seams->op_count++;
}

void seams_run(struct seams *seams, const struct step_out *out)
{
    for (uint32_t i = 0; i < out->count; i++) {
        const struct act *act = &out->acts[i];
        if (act->kind < ACT_NOTIFY) {
            submit(seams, act);
        } else if (act->kind == ACT_NOTIFY) {
            const struct seams_channel *channel = seams_channel(seams, act->token);
            FUZZ_CHECK(channel->token == act->token && channel->ported &&
                           channel->port == act->port.port,
                       "notified through port %u", act->port.port);
        }
    }
}

/* A close is delivered after everything else of its token. */
static bool due(const struct seams *seams, uint32_t index)
{
    const struct seams_op *op = &seams->ops[index];

    for (uint32_t i = 0; op->ev.kind == EV_NET_CLOSE && i < seams->op_count; i++)
        if (i != index && seams->ops[i].ev.token == op->ev.token)
            return false;
    return op->ready;
}

static bool take_op(struct seams *seams, uint32_t which, struct ev *ev)
{
    uint32_t count = 0, index = 0;

    for (uint32_t i = 0; i < seams->op_count; i++)
        count += due(seams, i);
    if (count == 0)
        return false;
    for (which %= count; !due(seams, index) || which-- > 0; index++)
        ;
    *ev = seams->ops[index].ev;
    for (uint32_t i = index + 1; i < seams->op_count; i++)
        seams->ops[i - 1] = seams->ops[i];
    seams->op_count--;
    if (ev->kind == EV_SHARE && ev->ret == 0) {
        const struct seams_channel *channel = seams_channel(seams, ev->token);
        for (uint32_t i = 0; i < channel->pages; i++)
            seams->refs[i] = SEAMS_REF + channel->page + i;
        ev->share.refs = seams->refs;
    }
    return true;
}

/* libFuzzer takes these for edges that were passed. */
static uint8_t happened[DIALECTS_MAX][2 * SEAMS_HAPPENINGS]
    __attribute__((section("__libfuzzer_extra_counters")));

void seams_happened(const struct seams *seams, uint32_t what, bool well)
{
    happened[dialect_place(seams->dialect)][2 * what + (well ? 1 : 0)]++;
}

bool seams_next(struct seams *seams, uint32_t which, struct ev *ev)
{
    if (take_op(seams, which, ev)) {
        seams_happened(seams, (uint32_t)ev->kind, ev->ret >= 0);
        return true;
    }
    for (uint32_t i = 0; i <= SEAMS_SLOTS; i++) {
        struct seams_channel *channel = &seams->channels[i];
        if (!channel->fired)
            continue;
        channel->fired = false;
        *ev = (struct ev){.kind = EV_PORT, .token = channel->token, .port = channel->port};
        return true;
    }
    for (uint32_t i = 0; i < 4; i++) {
        struct seams_watch *watch = &seams->watches[i];
        if (!watch->fired)
            continue;
        watch->fired = false;
        *ev = (struct ev){.kind = EV_STORE, .token = watch->token};
        ev->store.side = watch->node.side;
        ev->store.key = watch->node.key;
        return true;
    }
    return false;
}

/* ---- what the other domain changes meanwhile ------------------------------------------------- */

/* A word that means something: of a data ring (of order 1, or 2, which may begin a page), of the
 * first slots, or of an index page. */
static uint32_t known_word(const struct dialect *dialect, uint32_t i)
{
    static const uint32_t slots[] = {64, 68, 72, 80, 96};
    struct dialect_ring ring;

    if (i >= 6 && i < 11)
        return slots[i - 6];
    if (i >= 11 && dialect->index.pages > 0)
        return i == 11 ? dialect->index.order_at : dialect->index.refs_at + (i - 12) * 4;
    dialect_ring(dialect, dialect->order_min + (i < 6 ? 1 : 0), &ring);
    return seams_word(&ring, i < 6 ? i : i - 11) % SHARED_PAGE_BYTES;
}

/* Half of the places are such words. */
static uint32_t place(const struct dialect *dialect, struct fuzz_input *input)
{
    uint32_t page = fuzz_u8(input) % SEAMS_PAGES;
    uint32_t choice = fuzz_u8(input);
    uint32_t offset =
        choice < 128 ? known_word(dialect, choice % 16) : (choice % 16 * 256 + fuzz_u8(input));

    return page * SHARED_PAGE_BYTES + (offset & ~3u);
}

void seams_fail_one(struct seams *seams, const enum ev_kind kinds[5], uint8_t what)
{
    static const int32_t errors[] = {-ERR_INVAL, -ERR_NOMEM, -ERR_NOENT, -ERR_NOSPC};

    seams_fail(seams, kinds[what % 5], what / 5 % 4, errors[what / 20 % 4]);
}

void seams_meddle(struct seams *seams, struct fuzz_input *input)
{
    uint8_t mode = fuzz_u8(input);
    struct seams_meddle meddle = {.after = fuzz_u8(input) % 32,
                                  .reads = mode % 3,
                                  .where = mode / 3 % 3,
                                  .add = mode / 9 % 2};

    meddle.at = meddle.where == MEDDLE_AT ? place(seams->dialect, input) : fuzz_u8(input) * 4u;
    meddle.value = seams_number(input);
    if (seams->meddle_count == SEAMS_MEDDLES)
        return;
    seams->meddles[(seams->meddle_first + seams->meddle_count++) % SEAMS_MEDDLES] = meddle;
}

static uint32_t within(uint32_t at, uint32_t bytes)
{
    return bytes > 0 ? at % bytes : 0;
}

static void apply(struct seams *seams, const struct seams_meddle *meddle, uint32_t at,
                  uint32_t bytes)
{
    uint32_t to = meddle->where == MEDDLE_AT ? meddle->at
                  : meddle->where == MEDDLE_HERE
                      ? at + within(meddle->at, bytes)
                      : seams->last_read + within(meddle->at, seams->last_bytes);

    to &= ~3u;
    seams_store(seams, to, meddle->value + (meddle->add ? seams_load(seams, to) : 0));
}

void seams_reading(struct seams *seams, uint32_t at, uint32_t bytes)
{
    struct seams_meddle *meddle = &seams->meddles[seams->meddle_first];

    while (seams->meddle_count > 0 && bytes >= 4) {
        if (meddle->reads != MEDDLE_ANY && (meddle->reads == MEDDLE_BULK) != (bytes > 4))
            break;
        if (meddle->after > 0) {
            meddle->after--;
            break;
        }
        if (seams->last_bytes > 0 || meddle->where != MEDDLE_LAST)
            apply(seams, meddle, at, bytes);
        seams->meddle_first = (seams->meddle_first + 1) % SEAMS_MEDDLES;
        seams->meddle_count--;
        meddle = &seams->meddles[seams->meddle_first];
    }
    seams->last_read = at;
    seams->last_bytes = bytes < 4 ? 4 : bytes;
}

void seams_check_empty(const struct seams *seams)
{
    FUZZ_CHECK(seams->op_count == 0, "%u in flight, first %s", seams->op_count,
               step_ev_name(seams->ops[0].ev.kind));
    for (uint32_t i = 0; i <= SEAMS_SLOTS; i++) {
        const struct seams_channel *channel = &seams->channels[i];
        FUZZ_CHECK(channel->mapped == 0 && !channel->ported && !channel->open,
                   "slot %u: areas %u, port %d, socket %d", i, channel->mapped, channel->ported,
                   channel->open);
    }
    for (uint32_t i = 0; i < 4; i++)
        FUZZ_CHECK(!seams->watches[i].on, "a watch is left");
}
