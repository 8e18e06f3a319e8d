/*
 * The backend core against a frontend, a toolstack and sockets made of bytes. What it owes is
 * judged from outside, by support/judge_back.h; here is only what the bytes mean.
 *
 * The first byte is how it begins: a connected device (bit 0 clear) or one where the front has said
 * nothing yet, the order of its data rings (bit 1), two open sockets and a listener (bit 2 clear),
 * completions delivered at once or only when the bytes say so (bit 3), sockets that succeed by
 * themselves (bit 4), and in which dialect of the registry (bits 5 to 7). Each further byte is a
 * deed (enum deed), which takes what it needs from the bytes behind it. When they are used up,
 * everything must come to an end: each request answered, and after the front closed and EV_STOP
 * nothing left.
 *
 * Memory: page 0 is the command ring; data ring r lies at page 1 + 4r and takes 2 pages or 4; where
 * the dialect has index pages, its one is page 17 + r. A request and an index page name them by
 * what the bytes say, each by either of its two refs, so rings may overlap, and the command ring
 * with them.
 */
#include "tests/support/choices.h"
#include "tests/support/judge_back.h"

enum { RINGS = 4, STEPS_MAX = 20000, FRONT_STATES = 9 };

enum deed {
    DEED_REQUEST,     /* a request, put, published and notified */
    DEED_REQUEST_BAD, /* the same with a field changed */
    DEED_SLOT_WORD,   /* any word of any slot */
    DEED_RING_WORD,   /* req_prod, rsp_event or a word of the backend's */
    DEED_RING_PORT,   /* the device's event channel fires */
    DEED_DATA_PORT,   /* a socket's does */
    DEED_PRODUCE,     /* honest bytes into `out` */
    DEED_CONSUME,     /* `in` is emptied */
    DEED_DATA_WORD,   /* any of the six words of a data ring */
    DEED_SOCKETS,     /* an operation of the sockets gets its result */
    DEED_DELIVER,     /* one completion, of those that are there */
    DEED_MEDDLE,      /* memory will change before a read to come */
    DEED_STORE,       /* a node of the front's */
    DEED_FAIL,        /* an operation to come will fail */
    DEED_DEVICE,      /* EV_STOP, EV_START, EV_TIME, a stale EV_PORT */
    DEED_RECONNECT,   /* a fresh command ring, offered anew */
    DEEDS
};

static struct world {
    struct seams seams;
    struct judge_back judge;
    struct be *be;
    struct step_out out;
    struct policy policy;
    const struct dialect *dialect;
    uint64_t now_ns;
    uint32_t order, prod, steps;
    bool lazy, settling, more, started, in_step;
} world;

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    FUZZ_CHECK(world.in_step, "shared memory touched outside a step");
    judge_back_settle(&world.judge);
    if (access == SHARED_READ)
        seams_reading(&world.seams, seams_at(&world.seams, area) + offset, bytes);
    judge_back_access(&world.judge, access, area, (struct shared_span){offset, bytes});
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void step(const struct ev *ev)
{
    FUZZ_CHECK(++world.steps < STEPS_MAX, "it never ends");
    world.out.now_ns = world.now_ns;
    world.out.count = 0;
    world.out.more = false;
    judge_back_begin(&world.judge, ev);
    world.in_step = true;
    be_step(world.be, ev, &world.out);
    world.in_step = false;
    judge_back_end(&world.judge, &world.out);
    FUZZ_CHECK(judge_back_sockets(&world.judge) <= be_counters(world.be)->sockets_now,
               "a socket is forgotten");
    world.more = world.out.more || (world.more && ev->kind != EV_MORE);
    seams_run(&world.seams, &world.out);
}

static void step_own(enum ev_kind kind)
{
    step(&(struct ev){.kind = kind, .token = step_token(0, 0, STEP_SLOT_DEVICE)});
}

static int32_t success(const struct seams_op *op)
{
    uint32_t bytes = 0;

    for (uint32_t i = 0; op->ev.kind == EV_NET_WRITE && i < op->act.io.count; i++)
        bytes += op->act.io.spans[i].length;
    return (int32_t)bytes;
}

/* Let what is under way go on until nothing is. */
static void run(void)
{
    struct ev ev;
    uint32_t op;

    for (;;) {
        if (world.more)
            step_own(EV_MORE);
        else if (seams_next(&world.seams, 0, &ev))
            step(&ev);
        else if (world.settling && seams_waiting(&world.seams, 0, &op))
            seams_resolve(&world.seams, op, success(&world.seams.ops[op]), 0);
        else
            return;
    }
}

static void go_on(void)
{
    if (!world.lazy)
        run();
}

/* ---- the front's memory ---------------------------------------------------------------------- */

static uint32_t ring_page(uint32_t ring)
{
    return 1 + 4 * (ring % RINGS);
}

static uint32_t index_page(uint32_t ring)
{
    return 1 + 4 * RINGS + ring % RINGS;
}

/* Of a ring as the front means it: one for all, or each second one another. */
static uint32_t order_of(uint32_t ring)
{
    return world.dialect->index.pages > 0 && ring % 2 ? 3 - world.order : world.order;
}

static uint32_t slot_at(uint32_t slot)
{
    return CMDRING_SLOTS + slot % world.judge.slots * world.judge.slot_bytes;
}

static void put_request(const void *slot)
{
    memcpy(world.seams.memory + slot_at(world.prod), slot, world.judge.slot_bytes);
    seams_store(&world.seams, CMDRING_REQ_PROD, ++world.prod);
}

static void fire(uint64_t token, struct seams_channel *channel)
{
    if (channel->ported && channel->token == token)
        channel->fired = true;
    go_on();
}

static void fire_ring(void)
{
    fire(step_token(0, 0, STEP_SLOT_DEVICE), &world.seams.channels[SEAMS_SLOTS]);
}

static struct seams_channel *data_channel(uint32_t choice)
{
    return &world.seams.channels[choice % JUDGE_SOCKS];
}

/* The ring that a socket's slot has; if it has none, as one was meant to be. */
static struct dialect_ring ring_of(uint32_t choice)
{
    const struct judge_data *data = judge_back_ring(&world.judge, choice % JUDGE_SOCKS);
    struct dialect_ring ring;

    dialect_ring(world.dialect, data ? data->order : order_of(choice), &ring);
    return ring;
}

/* A word that belongs to a data ring, where the socket's slot has it mapped, or where it was meant
 * to lie. */
static uint32_t data_at(uint32_t choice, uint32_t offset)
{
    const struct seams_channel *channel = data_channel(choice);
    bool index = world.dialect->index.pages > 0;
    uint32_t page = index ? index_page(choice) : ring_page(choice);

    if (channel->mapped > 0)
        page = channel->mapped > 1 ? channel->index_page : channel->page;
    return page * SHARED_PAGE_BYTES + offset;
}

static struct call ask(enum call_kind kind, uint64_t sockid, uint32_t ring)
{
    struct call call = {.kind = kind, .id = world.prod, .sockid = sockid, .evtchn = 2 + ring};

    call_addr4(&call.addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    call.family = CALL_AF_INET;
    call.type = CALL_SOCK_STREAM;
    for (uint32_t i = 0; i < CALL_REFS_MAX; i++)
        call.refs[i] = SEAMS_REF + ring_page(ring) + i;
    if (world.dialect->index.pages > 0)
        call.refs[0] = SEAMS_REF + index_page(ring);
    return call;
}

static void pack(const struct call *call, unsigned char *slot)
{
    dialect_pack_call(world.dialect, call, slot);
}

/* ---- deeds ----------------------------------------------------------------------------------- */

/* One byte chooses kind (low bits) and ring, one the sockets, of few, one the address. Where a ring
 * has an index page, that is as it should be. */
static enum call_kind choose_request(struct fuzz_input *input, unsigned char *slot, uint32_t *ring)
{
    const enum call_kind kinds[8] = {
        CALL_CONNECT, CALL_RELEASE,
        CALL_BIND,    CALL_LISTEN,
        CALL_ACCEPT,  CALL_POLL,
        CALL_CONNECT, dialect_has(world.dialect, CALL_SOCKET) ? CALL_SOCKET : CALL_RELEASE};
    uint8_t what = fuzz_u8(input), ids = fuzz_u8(input);
    struct call call = ask(kinds[what % 8], ids % 8, what / 8 % RINGS);

    *ring = what / 8 % RINGS;
    if (world.dialect->index.pages > 0)
        seams_name_pages(&world.seams, index_page(*ring), order_of(*ring), ring_page(*ring));

    choices_address(fuzz_u8(input), &call.addr);
    call.new_sockid = ids / 8 % 8;
    call.id = what & 0x40 ? ids / 16u : world.prod;
    call.evtchn = what & 0x80 ? 2u + ids / 8u : 2 + (uint32_t)call.sockid;
    if (call.kind == CALL_ACCEPT)
        call.evtchn = 2 + (uint32_t)call.new_sockid;
    pack(&call, slot);
    return call.kind;
}

/* What an index page says: an order, or one of its refs. */
static void change_pages(struct fuzz_input *input, uint32_t ring)
{
    static const uint32_t orders[8] = {0, 1, 2, 3, 9, 10, 31, 0x80000000};
    const struct dialect_index *index = &world.dialect->index;
    uint32_t at = index_page(ring) * SHARED_PAGE_BYTES, what = fuzz_u8(input);
    uint32_t first = seams_load(&world.seams, at + index->refs_at);
    const uint32_t refs[] = {SEAMS_REF, SEAMS_REF + index_page(ring), first, first + SEAMS_APART,
                             seams_number(input)};

    if (what < 96)
        seams_store(&world.seams, at + index->order_at, orders[what % 8]);
    else
        seams_store(&world.seams, at + index->refs_at + what % (1u << order_of(ring)) * 4,
                    refs[what / 4 % 5]);
}

/* One field of the rows that say what a request is made of: half of the time of its own. */
static void change_field(struct fuzz_input *input, unsigned char *slot, enum call_kind own)
{
    const struct dialect *dialect = world.dialect;
    uint8_t of = fuzz_u8(input);
    const struct dialect_call *kind = &dialect->calls[of < 128 ? of % CALL_KINDS : own];
    uint32_t choice = fuzz_u8(input);
    const struct dialect_row *row = kind->row_count > 0 && choice % 2
                                        ? &kind->rows[choice / 2 % kind->row_count]
                                        : &dialect->request[choice / 2 % dialect->request_rows];
    uint32_t element = row->count > 1 ? fuzz_below(input, row->count) : 0;
    uint64_t value = (uint64_t)(int64_t)(int32_t)seams_number(input);

    memcpy(slot + row->wire_at + element * row->wire_bytes, &value, row->wire_bytes);
}

/* A front that does not lie about its ring does not overfill it; one byte in eight says it does. */
static void request(struct fuzz_input *input, bool bad)
{
    unsigned char slot[DIALECT_SLOT_MAX];
    uint32_t ring;
    enum call_kind kind = choose_request(input, slot, &ring);
    bool pages = kind == CALL_CONNECT || kind == CALL_ACCEPT;

    if (bad && pages && world.dialect->index.pages > 0 && fuzz_u8(input) % 2)
        change_pages(input, ring);
    else if (bad)
        change_field(input, slot, kind);
    if (world.prod - world.judge.pushed >= world.judge.slots && fuzz_u8(input) < 224)
        return;
    put_request(slot);
    fire_ring();
}

static void slot_word(struct fuzz_input *input)
{
    uint32_t slot = fuzz_u8(input), word = fuzz_u8(input) % (world.judge.slot_bytes / 4);

    seams_store(&world.seams, slot_at(slot) + word * 4, seams_number(input));
}

static void ring_word(struct fuzz_input *input)
{
    uint32_t offset = fuzz_below(input, 4) * 4, value = seams_number(input);

    if (offset == CMDRING_REQ_PROD)
        value = world.prod += value;
    else
        value += seams_load(&world.seams, offset);
    seams_store(&world.seams, offset, value);
}

static void produce(struct fuzz_input *input)
{
    uint32_t choice = fuzz_u8(input), bytes = fuzz_u8(input) * 16u;
    struct dialect_ring layout = ring_of(choice);
    uint32_t at = data_at(choice, layout.out.prod);
    uint32_t queued =
        seams_load(&world.seams, at) - seams_load(&world.seams, data_at(choice, layout.out.cons));

    if (queued > layout.out.size)
        queued = layout.out.size;
    if (bytes > layout.out.size - queued)
        bytes = layout.out.size - queued;
    seams_store(&world.seams, at, seams_load(&world.seams, at) + bytes);
    fire(data_channel(choice)->token, data_channel(choice));
}

static void consume(struct fuzz_input *input)
{
    uint32_t choice = fuzz_u8(input);
    struct dialect_ring layout = ring_of(choice);

    seams_store(&world.seams, data_at(choice, layout.in.cons),
                seams_load(&world.seams, data_at(choice, layout.in.prod)));
    fire(data_channel(choice)->token, data_channel(choice));
}

/* One of a ring's six words; or, of an index page, the order or one of its first refs. */
static void data_word(struct fuzz_input *input)
{
    const struct dialect_index *index = &world.dialect->index;
    uint32_t choice = fuzz_u8(input), word = choice / 8 % (index->pages > 0 ? 12 : 6);
    struct dialect_ring layout = ring_of(choice);
    uint32_t at = data_at(choice, seams_word(&layout, word));

    if (word == 6)
        at = data_at(choice, index->order_at);
    else if (word > 6)
        at = data_at(choice, index->refs_at + (word - 7) * 4);
    uint32_t value = seams_number(input);

    seams_store(&world.seams, at, value + (choice & 0x80 ? 0 : seams_load(&world.seams, at)));
    fire(data_channel(choice)->token, data_channel(choice));
}

/* A result that net.h allows: a transfer's is as long as the bytes say, or an error. */
static int32_t result(struct fuzz_input *input, const struct seams_op *op)
{
    static const int32_t errors[] = {-ERR_CONNREFUSED, -ERR_CONNRESET,  -ERR_PIPE,
                                     -ERR_ADDRINUSE,   -ERR_TIMEDOUT,   -ERR_MFILE,
                                     -ERR_INVAL,       -ERR_CONNABORTED};
    bool moves = op->ev.kind == EV_NET_READ || op->ev.kind == EV_NET_WRITE;
    uint32_t asked = 0, choice = fuzz_u8(input);

    for (uint32_t i = 0; moves && i < op->act.io.count; i++)
        asked += op->act.io.spans[i].length;
    if (choice >= 224)
        return errors[choice % 8];
    if (asked == 0 || (choice == 223 && op->ev.kind == EV_NET_READ))
        return 0;
    return (int32_t)(choice < 128 ? 1 + choice % asked : asked - choice % asked);
}

static void sockets(struct fuzz_input *input)
{
    uint32_t count = 0, op, which = fuzz_u8(input);

    while (seams_waiting(&world.seams, count, &op))
        count++;
    if (count == 0)
        return;
    seams_waiting(&world.seams, which % count, &op);
    seams_resolve(&world.seams, op, result(input, &world.seams.ops[op]), (uint8_t)which);
    go_on();
}

static void deliver(struct fuzz_input *input)
{
    struct ev ev;

    if (world.more)
        step_own(EV_MORE);
    else if (seams_next(&world.seams, fuzz_u8(input), &ev))
        step(&ev);
}

static void store(struct fuzz_input *input)
{
    const struct dialect_node *constants = world.dialect->front_nodes;
    const enum dialect_key keys[] = {
        DIALECT_KEY_STATE, DIALECT_KEY_STATE, DIALECT_KEY_RING_REF, DIALECT_KEY_PORT,
        dialect_node_count(constants) > 0 ? constants[0].key : DIALECT_KEY_ORDER};
    enum dialect_key key = keys[fuzz_below(input, 5)];
    char value[STEP_VALUE_BYTES];

    choices_value(input, value);
    seams_write(&world.seams, STEP_OTHER, key, value);
    go_on();
}

static void fail(struct fuzz_input *input)
{
    static const enum ev_kind kinds[] = {EV_MAP, EV_PORT_BIND, EV_STORE_READ, EV_STORE_PUBLISH,
                                         EV_STORE_WATCH};

    seams_fail_one(&world.seams, kinds, fuzz_u8(input));
}

static void device(struct fuzz_input *input)
{
    uint8_t what = fuzz_u8(input);
    uint64_t deadline = be_deadline_ns(world.be);

    if (what % 4 == 0) {
        step_own(EV_STOP);
    } else if (what % 4 == 1 && be_idle(world.be)) {
        step_own(EV_START);
    } else if (what % 4 == 2) {
        world.now_ns += (uint64_t)what << 24;
        if (deadline <= world.now_ns)
            step_own(EV_TIME);
    } else {
        const struct seams_channel *channel = data_channel(what / 4);
        uint32_t generation =
            (step_generation(channel->token) - 1 - what / 64) & STEP_GENERATION_MASK;
        step(&(struct ev){.kind = EV_PORT,
                          .token = step_token(0, generation, what / 4 % JUDGE_SOCKS)});
    }
    go_on();
}

static void offer(void)
{
    char value[STEP_VALUE_BYTES];

    world.prod = 0;
    memset(world.seams.memory, 0, SHARED_PAGE_BYTES);
    seams_store(&world.seams, CMDRING_REQ_EVENT, 1);
    seams_store(&world.seams, CMDRING_RSP_EVENT, 1);
    xenbus_print(value, SEAMS_REF);
    seams_write(&world.seams, STEP_OTHER, DIALECT_KEY_RING_REF, value);
    seams_write(&world.seams, STEP_OTHER, DIALECT_KEY_PORT, "1");
    xenbus_print(value, world.order);
    seams_write(&world.seams, STEP_OTHER, DIALECT_KEY_ORDER, value);
    seams_constants(&world.seams, world.dialect->front_nodes);
    seams_write(&world.seams, STEP_OTHER, DIALECT_KEY_STATE, "3");
}

/* A front that goes and comes again; nothing else may use page 0 of the new device's ring. */
static void reconnect(struct fuzz_input *input)
{
    bool through_closed = fuzz_u8(input) % 2;

    if (world.seams.channels[SEAMS_SLOTS].mapped) {
        seams_write(&world.seams, STEP_OTHER, DIALECT_KEY_STATE, through_closed ? "6" : "1");
        go_on();
    }
    if (world.seams.channels[SEAMS_SLOTS].mapped)
        return;
    offer();
    go_on();
}

static void (*const deeds[DEEDS])(struct fuzz_input *) = {
    [DEED_SLOT_WORD] = slot_word, [DEED_RING_WORD] = ring_word, [DEED_PRODUCE] = produce,
    [DEED_CONSUME] = consume,     [DEED_DATA_WORD] = data_word, [DEED_SOCKETS] = sockets,
    [DEED_DELIVER] = deliver,     [DEED_STORE] = store,         [DEED_FAIL] = fail,
    [DEED_DEVICE] = device,       [DEED_RECONNECT] = reconnect,
};

static void act(struct fuzz_input *input)
{
    uint8_t what = fuzz_u8(input) % DEEDS;

    if (what == DEED_REQUEST || what == DEED_REQUEST_BAD)
        request(input, what == DEED_REQUEST_BAD);
    else if (what == DEED_RING_PORT)
        fire_ring();
    else if (what == DEED_DATA_PORT) {
        struct seams_channel *channel = data_channel(fuzz_u8(input));
        fire(channel->token, channel);
    } else if (what == DEED_MEDDLE)
        seams_meddle(&world.seams, input);
    else
        deeds[what](input);
}

/* ---- from beginning to end ------------------------------------------------------------------- */

static void ask_now(enum call_kind kind, uint64_t sockid, uint32_t ring)
{
    unsigned char slot[DIALECT_SLOT_MAX];
    struct call call = ask(kind, sockid, ring);

    pack(&call, slot);
    put_request(slot);
    world.seams.channels[SEAMS_SLOTS].fired = true;
    run();
}

static void begin(uint8_t how)
{
    struct be_config config = {.dialect = seams_dialect(how >> 5),
                               .policy = &world.policy,
                               .front = 1,
                               .order_max = JUDGE_ORDER_MAX,
                               .max_sockets = JUDGE_SOCKS};
    void *mem = malloc(be_size(&config));

    FUZZ_CHECK(mem, "memory");
    world.dialect = config.dialect;
    world.now_ns = 0;
    world.steps = world.prod = 0;
    world.more = world.lazy = false;
    world.order = how & 2 ? 2 : 1;
    policy_init(&world.policy);
    seams_reset(&world.seams, world.dialect);
    for (uint32_t ring = 0; world.dialect->index.pages > 0 && ring < RINGS; ring++)
        seams_name_pages(&world.seams, index_page(ring), order_of(ring), ring_page(ring));
    judge_back_init(&world.judge, &world.seams);
    world.be = be_init(mem, &config);
    world.settling = true;
    step_own(EV_START);
    run();
    if (!(how & 1)) {
        offer();
        run();
        FUZZ_CHECK(world.judge.published == XENBUS_CONNECTED, "not connected");
    }
    if (!(how & 5)) {
        if (dialect_has(world.dialect, CALL_SOCKET))
            ask_now(CALL_SOCKET, 0, 0);
        ask_now(CALL_CONNECT, 0, 0);
        ask_now(CALL_CONNECT, 1, 1);
        ask_now(CALL_BIND, 2, 0);
        ask_now(CALL_LISTEN, 2, 0);
    }
    world.lazy = how & 8;
    world.settling = how & 16;
}

/* Nobody does anything any more, and all goes well: each request has its answer, then all ends. */
static void end(void)
{
    bool connected;

    world.lazy = false;
    world.settling = true;
    world.seams.meddle_count = 0;
    memset(world.seams.fails, 0, sizeof(world.seams.fails));
    fire_ring();
    run();
    connected = world.judge.published == XENBUS_CONNECTED && !world.judge.broken;
    FUZZ_CHECK(!connected || judge_back_unanswered(&world.judge) == 0, "%u requests hang",
               judge_back_unanswered(&world.judge));
    FUZZ_CHECK(!world.judge.faulted || world.judge.published != XENBUS_CONNECTED,
               "connected to a broken front");
    seams_write(&world.seams, STEP_OTHER, DIALECT_KEY_STATE, "6");
    run();
    FUZZ_CHECK(world.judge.published != XENBUS_CONNECTED, "the front left, and nothing happens");
    step_own(EV_STOP);
    run();
    FUZZ_CHECK(be_idle(world.be), "state %d", (int)be_state(world.be));
    seams_check_empty(&world.seams);
    const struct be_counters *counters = be_counters(world.be);
    FUZZ_CHECK(counters->requests == world.judge.total_reads && counters->sockets_now == 0 &&
                   counters->faults == world.judge.faults,
               "counters");
    be_fini(world.be);
    free(world.be);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};

    begin(fuzz_u8(&input));
    while (input.size > 0)
        act(&input);
    end();
    return 0;
}
