/*
 * The frontend core with a small application, against a backend and a toolstack made of bytes. What
 * it owes is judged from outside, by support/judge_front.h; here is only what the bytes mean.
 *
 * The first byte is how it begins: a connected device (bit 0 clear) or one whose backend has said
 * nothing yet, the order of its data rings (bit 1), two open sockets and a listener (bit 2 clear),
 * completions delivered at once or only when the bytes say so (bit 3), whether the application
 * releases what it has before or after the device is stopped (bit 4), and in which dialect of the
 * registry (bits 5 to 7). Each further byte is a deed
 * (enum deed), which takes what it needs from the bytes behind it. When they are used up the
 * application releases its sockets, EV_STOP comes and the backend stays silent; with time alone
 * everything must come to an end: each call completed once, GONE, nothing left.
 */
#include "tests/support/judge_front.h"

enum { STEPS_MAX = 20000, IDS = 16, BUFFER = 4096 };

enum deed {
    DEED_CONNECT, /* calls of the application */
    DEED_BIND,
    DEED_LISTEN,
    DEED_ACCEPT,
    DEED_POLL,
    DEED_SEND,
    DEED_RECV,
    DEED_RELEASE,
    DEED_UNSENT,
    DEED_ANSWER,     /* a response to an outstanding request */
    DEED_ANSWER_BAD, /* with a field changed, or an earlier one again */
    DEED_SLOT_WORD,  /* any word of any slot */
    DEED_RING_WORD,  /* rsp_prod, req_event or a word of the frontend's */
    DEED_RING_PORT,  /* the device's event channel fires */
    DEED_DATA_PORT,  /* a socket's does */
    DEED_PRODUCE,    /* honest bytes into `in` */
    DEED_CONSUME,    /* some of `out` is taken */
    DEED_DATA_WORD,  /* any of the six words of a data ring */
    DEED_DELIVER,    /* one completion, of those that are there */
    DEED_MEDDLE,     /* memory will change before a read to come */
    DEED_STORE,      /* a node of the backend's, or backend-id */
    DEED_FAIL,       /* an operation to come will fail */
    DEED_DEVICE,     /* EV_STOP, EV_START, time, a stale EV_PORT */
    DEEDS
};

static struct world {
    struct seams seams;
    struct judge_front judge;
    struct fe *fe;
    struct step_out out;
    const struct dialect *dialect;
    uint64_t now_ns;
    uint64_t ids[IDS];            /* that the application was given */
    uint64_t latest[JUDGE_SOCKS]; /* of each slot */
    uint32_t id_count, prod, steps;
    struct call_reply last;
    bool lazy, more, in_core;
} world;

static unsigned char buffer[BUFFER];

void shared_hook(enum shared_access access, const struct shared_area *area, uint32_t offset,
                 uint32_t bytes)
{
    FUZZ_CHECK(world.in_core, "shared memory touched outside a step");
    judge_front_settle(&world.judge);
    if (access == SHARED_READ)
        seams_reading(&world.seams, seams_at(&world.seams, area) + offset, bytes);
    judge_front_access(&world.judge, access, area, (struct shared_span){offset, bytes});
}

/* ---- steps and calls ------------------------------------------------------------------------- */

static struct step_out *enter(const struct ev *ev)
{
    FUZZ_CHECK(++world.steps < STEPS_MAX, "it never ends");
    world.out.now_ns = world.now_ns;
    world.out.count = 0;
    world.out.more = false;
    judge_front_begin(&world.judge, ev);
    world.in_core = true;
    return &world.out;
}

static void leave(void)
{
    world.in_core = false;
    judge_front_end(&world.judge, &world.out);
    seams_run(&world.seams, &world.out);
}

static void step(const struct ev *ev)
{
    fe_step(world.fe, ev, enter(ev));
    world.more = world.out.more || (world.more && ev->kind != EV_MORE);
    leave();
}

static void step_own(enum ev_kind kind)
{
    step(&(struct ev){.kind = kind, .token = step_token(0, 0, STEP_SLOT_DEVICE)});
}

/* Let what is under way go on until nothing is. */
static void run(void)
{
    struct ev ev;

    for (;;) {
        if (world.more)
            step_own(EV_MORE);
        else if (seams_next(&world.seams, 0, &ev))
            step(&ev);
        else
            return;
    }
}

static void go_on(void)
{
    if (!world.lazy)
        run();
}

/* ---- the application ------------------------------------------------------------------------- */

static void called(enum call_kind kind, uint64_t sock, int64_t ret)
{
    judge_front_called(&world.judge, kind, sock, ret);
    world.more |= world.out.more;
    leave();
    if (ret >= 0 && (kind == CALL_CONNECT || kind == CALL_BIND || kind == CALL_ACCEPT)) {
        world.ids[world.id_count++ % IDS] = (uint64_t)ret;
        world.latest[step_slot((uint64_t)ret) % JUDGE_SOCKS] = (uint64_t)ret;
    }
    go_on();
}

/* An id it was given, alive or not; seldom one that it never was. */
static uint64_t choose_id(struct fuzz_input *input)
{
    uint8_t choice = fuzz_u8(input);

    if (choice >= 248)
        return (uint64_t)fuzz_u32(input) << 20 | choice;
    return choice < 128 ? world.latest[choice % JUDGE_SOCKS] : world.ids[choice % IDS];
}

static struct call_addr choose_address(struct fuzz_input *input)
{
    uint8_t choice = input ? fuzz_u8(input) : 0;
    struct call_addr addr;

    if (choice < 128)
        call_addr4(&addr, (const uint8_t[]){127, 0, 0, 1}, 80);
    else
        call_addr6(&addr, (const uint8_t[16]){[15] = choice}, 80);
    if (choice >= 224)
        addr.len = choice % 32;
    return addr;
}

static void opens(struct fuzz_input *input, enum call_kind kind)
{
    struct call_addr addr = choose_address(input);
    struct step_out *out = enter(NULL);
    int64_t ret =
        kind == CALL_CONNECT ? fe_connect(world.fe, &addr, out) : fe_bind(world.fe, &addr, out);

    called(kind, 0, ret);
}

static void calls(enum call_kind kind, uint64_t sock)
{
    struct step_out *out = enter(NULL);
    int64_t ret = -1;

    if (kind == CALL_LISTEN)
        ret = fe_listen(world.fe, sock, out);
    else if (kind == CALL_ACCEPT)
        ret = fe_accept(world.fe, sock, out);
    else if (kind == CALL_POLL)
        ret = fe_poll(world.fe, sock, out);
    else if (kind == CALL_RELEASE)
        ret = fe_release(world.fe, sock, out);
    called(kind, sock, ret);
}

static void sends(struct fuzz_input *input)
{
    struct fe_send io = {choose_id(input), buffer, fuzz_u8(input) * 16u};
    uint8_t fill = (uint8_t)world.steps;

    for (uint32_t i = 0; i < io.bytes; i++)
        buffer[i] = (uint8_t)(fill + i * 7);
    world.judge.sending = buffer;
    int64_t ret = fe_send(world.fe, &io, enter(NULL));
    judge_front_settle(&world.judge);
    judge_front_sent(&world.judge, &io, ret);
    leave();
    go_on();
}

static void receives(struct fuzz_input *input)
{
    struct fe_recv io = {choose_id(input), buffer, fuzz_u8(input) * 16u};
    int64_t ret = fe_recv(world.fe, &io, enter(NULL));

    judge_front_settle(&world.judge);
    judge_front_received(&world.judge, &io, ret);
    leave();
    go_on();
}

static void unsent(struct fuzz_input *input)
{
    uint64_t id = choose_id(input);

    enter(NULL);
    int64_t ret = fe_unsent(world.fe, id);
    FUZZ_CHECK(ret >= -ERR_MAX && ret <= BUFFER * 2, "%lld unsent", (long long)ret);
    world.in_core = false; /* it only looks, and reports nothing */
}

/* ---- the backend's memory -------------------------------------------------------------------- */

static uint32_t ring_at(void)
{
    return world.seams.channels[SEAMS_SLOTS].page * SHARED_PAGE_BYTES;
}

static void fire(struct seams_channel *channel)
{
    if (channel->ported)
        channel->fired = true;
    go_on();
}

static uint32_t slot_at(uint32_t slot)
{
    return CMDRING_SLOTS + slot % world.judge.slots * world.judge.slot_bytes;
}

static void put_response(const struct call_reply *reply)
{
    uint32_t at = ring_at() + slot_at(world.prod);

    world.last = *reply;
    dialect_pack_reply(world.dialect, reply, world.seams.memory + at);
    seams_store(&world.seams, ring_at() + CMDRING_RSP_PROD, ++world.prod);
    fire(&world.seams.channels[SEAMS_SLOTS]);
}

/* The i-th outstanding request as it should be answered; false if there is none. */
static bool find_request(uint32_t i, struct call_reply *reply)
{
    uint32_t count = 0;

    for (uint32_t j = 0; j < world.judge.slots; j++)
        count += world.judge.asked[j].used;
    if (count == 0)
        return false;
    for (uint32_t j = 0, left = i % count; j < world.judge.slots; j++) {
        const struct judge_request *request = &world.judge.asked[j];
        if (!request->used || left-- > 0)
            continue;
        *reply = (struct call_reply){request->call.id, request->call.code, request->call.sockid, 0};
        return true;
    }
    return false;
}

static int32_t choose_ret(struct fuzz_input *input)
{
    static const int32_t errors[] = {-ERR_CONNREFUSED, -ERR_ADDRINUSE, -ERR_INVAL, -ERR_AGAIN,
                                     -ERR_NOTCONN,     -ERR_CANCELED,  -ERR_MAX,   -1};
    uint8_t choice = fuzz_u8(input);

    return choice < 176 ? 0 : errors[choice % 8];
}

static void answer(struct fuzz_input *input)
{
    struct call_reply reply;

    if (!find_request(fuzz_u8(input), &reply))
        return;
    reply.ret = choose_ret(input);
    put_response(&reply);
}

static void answer_bad(struct fuzz_input *input)
{
    uint8_t what = fuzz_u8(input);
    struct call_reply reply = world.last;
    uint32_t value = seams_number(input);

    if (!world.seams.channels[SEAMS_SLOTS].mapped)
        return;
    if (what % 8 > 0 && !find_request(what / 8, &reply))
        return;
    if (what % 8 == 1)
        reply.id += value;
    else if (what % 8 == 2)
        reply.code += value;
    else if (what % 8 == 3)
        reply.sockid += value;
    else if (what % 8 == 4)
        reply.sockid += (uint64_t)value << 24;
    else if (what % 8 > 4)
        reply.ret = (int32_t)value;
    put_response(&reply);
}

static void slot_word(struct fuzz_input *input)
{
    uint32_t slot = fuzz_u8(input), word = fuzz_u8(input) % (world.judge.slot_bytes / 4);

    seams_store(&world.seams, ring_at() + slot_at(slot) + word * 4, seams_number(input));
}

static void ring_word(struct fuzz_input *input)
{
    uint32_t offset = fuzz_below(input, 4) * 4, value = seams_number(input);

    if (offset == CMDRING_RSP_PROD)
        value = world.prod += value;
    else
        value += seams_load(&world.seams, ring_at() + offset);
    seams_store(&world.seams, ring_at() + offset, value);
}

/* ---- data rings ------------------------------------------------------------------------------ */

static struct seams_channel *data_channel(uint32_t choice)
{
    return &world.seams.channels[choice % JUDGE_SOCKS];
}

static uint32_t data_at(uint32_t choice, uint32_t offset)
{
    return data_channel(choice)->page * SHARED_PAGE_BYTES + offset;
}

/* A byte of an array, which lies behind the index page where there is one. */
static uint32_t array_at(uint32_t choice, uint32_t offset)
{
    return data_at(choice, world.dialect->index.pages * SHARED_PAGE_BYTES + offset);
}

static void produce(struct fuzz_input *input)
{
    const struct bytering_layout *in = &world.judge.layout.in;
    uint32_t choice = fuzz_u8(input), bytes = fuzz_u8(input) * 16u;
    uint32_t prod = seams_load(&world.seams, data_at(choice, in->prod));
    uint32_t room = in->size - (prod - seams_load(&world.seams, data_at(choice, in->cons)));

    if (room > in->size)
        room = 0;
    for (uint32_t i = 0; i < bytes && i < room; i++, prod++)
        world.seams.memory[array_at(choice, in->array + prod % in->size)] = (uint8_t)(prod * 3);
    seams_store(&world.seams, data_at(choice, in->prod), prod);
    fire(data_channel(choice));
}

static void consume(struct fuzz_input *input)
{
    const struct bytering_layout *out = &world.judge.layout.out;
    uint32_t choice = fuzz_u8(input), bytes = fuzz_u8(input) % 8 * (out->size / 8);
    uint32_t cons = seams_load(&world.seams, data_at(choice, out->cons));
    uint32_t queued = seams_load(&world.seams, data_at(choice, out->prod)) - cons;

    seams_store(&world.seams, data_at(choice, out->cons),
                cons + (bytes > 0 && bytes < queued ? bytes : queued));
    fire(data_channel(choice));
}

/* An index moves; an error is one of those that mean something, or none. */
static void data_word(struct fuzz_input *input)
{
    static const int32_t errors[8] = {-ERR_NOTCONN, -ERR_CONNRESET, -ERR_AGAIN, 1,
                                      -ERR_MAX,     -ERR_MAX - 1,   0,          INT32_MIN};
    const struct dialect_index *index = &world.dialect->index;
    uint32_t choice = fuzz_u8(input), word = choice / 8 % (index->pages > 0 ? 8 : 6);
    uint32_t at = data_at(choice, seams_word(&world.judge.layout, word));
    uint32_t value = seams_number(input);

    if (word >= 6) /* an index page says what it said when it was named */
        at = data_at(choice, word == 6 ? index->order_at : index->refs_at);
    else if (word >= 4 && !(choice & 0x80))
        value = (uint32_t)errors[value % 8];
    else if (!(choice & 0x80))
        value += seams_load(&world.seams, at);
    seams_store(&world.seams, at, value);
    fire(data_channel(choice));
}

/* ---- store, failures, time ------------------------------------------------------------------- */

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
    static const char *const values[] = {"",  "0", "1", "2",  "3",  "4",          "5",  "6",
                                         "7", "8", "9", "+4", "4 ", "4294967296", "-1", "x"};
    const struct dialect_node *constants = world.dialect->back_nodes;
    uint8_t what = fuzz_u8(input), choice = fuzz_u8(input);

    if (what % 8 == 0)
        seams_write(&world.seams, STEP_OWN, DIALECT_KEY_BACKEND_ID, values[choice % 16]);
    else if (what % 8 - 2u < dialect_node_count(constants))
        seams_write(&world.seams, STEP_OTHER, constants[what % 8 - 2].key, values[choice % 16]);
    else
        seams_write(&world.seams, STEP_OTHER,
                    what % 8 == 1 ? DIALECT_KEY_MAX_ORDER : DIALECT_KEY_STATE, values[choice % 16]);
    go_on();
}

static void fail(struct fuzz_input *input)
{
    static const enum ev_kind kinds[] = {EV_SHARE, EV_PORT_ALLOC, EV_STORE_READ, EV_STORE_PUBLISH,
                                         EV_STORE_WATCH};

    seams_fail_one(&world.seams, kinds, fuzz_u8(input));
}

static void tick(uint64_t ns)
{
    world.now_ns += ns;
    if (fe_deadline_ns(world.fe) <= world.now_ns)
        step_own(EV_TIME);
}

static void device(struct fuzz_input *input)
{
    uint8_t what = fuzz_u8(input);

    if (what % 4 == 0) {
        step_own(EV_STOP);
    } else if (what % 4 == 1 && fe_idle(world.fe)) {
        world.prod = 0;
        step_own(EV_START);
    } else if (what % 4 == 2) {
        tick((uint64_t)what << 30);
    } else {
        uint64_t token = data_channel(what / 4)->token;
        uint32_t generation = (step_generation(token) - 1 - what / 64) & STEP_GENERATION_MASK;
        step(&(struct ev){.kind = EV_PORT,
                          .token = step_token(0, generation, what / 4 % JUDGE_SOCKS)});
    }
    go_on();
}

/* ---- deeds ----------------------------------------------------------------------------------- */

static void (*const deeds[DEEDS])(struct fuzz_input *) = {
    [DEED_SEND] = sends,
    [DEED_RECV] = receives,
    [DEED_UNSENT] = unsent,
    [DEED_ANSWER] = answer,
    [DEED_PRODUCE] = produce,
    [DEED_CONSUME] = consume,
    [DEED_ANSWER_BAD] = answer_bad,
    [DEED_SLOT_WORD] = slot_word,
    [DEED_RING_WORD] = ring_word,
    [DEED_DATA_WORD] = data_word,
    [DEED_DELIVER] = deliver,
    [DEED_STORE] = store,
    [DEED_FAIL] = fail,
    [DEED_DEVICE] = device,
};

static void act(struct fuzz_input *input)
{
    uint8_t what = fuzz_u8(input) % DEEDS;

    switch (what) {
    case DEED_CONNECT: opens(input, CALL_CONNECT); break;
    case DEED_BIND: opens(input, CALL_BIND); break;
    case DEED_LISTEN: calls(CALL_LISTEN, choose_id(input)); break;
    case DEED_ACCEPT: calls(CALL_ACCEPT, choose_id(input)); break;
    case DEED_POLL: calls(CALL_POLL, choose_id(input)); break;
    case DEED_RELEASE: calls(CALL_RELEASE, choose_id(input)); break;
    case DEED_RING_PORT: fire(&world.seams.channels[SEAMS_SLOTS]); break;
    case DEED_DATA_PORT: fire(data_channel(fuzz_u8(input))); break;
    case DEED_MEDDLE: seams_meddle(&world.seams, input); break;
    default: deeds[what](input);
    }
}

/* ---- from beginning to end ------------------------------------------------------------------- */

/* The first request, and the one behind it where it was a SOCKET. */
static void answer_now(void)
{
    struct call_reply reply;
    bool any = find_request(0, &reply);

    FUZZ_CHECK(any, "no request");
    put_response(&reply);
    while (find_request(0, &reply))
        put_response(&reply);
}

static void begin(uint8_t how)
{
    struct fe_config config = {.dialect = seams_dialect(how >> 5),
                               .order = how & 2 ? 2 : 1,
                               .max_sockets = JUDGE_SOCKS,
                               .linger_ns = 1000000000};
    struct world *w = &world;
    void *mem = malloc(fe_size(&config));

    FUZZ_CHECK(mem, "memory");
    seams_reset(&w->seams, config.dialect);
    memset(&w->now_ns, 0, sizeof(*w) - offsetof(struct world, now_ns));
    w->dialect = config.dialect;
    w->fe = fe_init(mem, &config);
    judge_front_init(&w->judge, &w->seams, w->fe, config.order);
    seams_write(&w->seams, STEP_OWN, DIALECT_KEY_BACKEND_ID, "0");
    step_own(EV_START);
    run();
    if (!(how & 1)) {
        seams_write(&w->seams, STEP_OTHER, DIALECT_KEY_MAX_ORDER, "6");
        seams_constants(&w->seams, w->dialect->back_nodes);
        seams_write(&w->seams, STEP_OTHER, DIALECT_KEY_STATE, "2");
        run();
        seams_write(&w->seams, STEP_OTHER, DIALECT_KEY_STATE, "4");
        run();
        FUZZ_CHECK(w->judge.up, "not connected");
    }
    if (!(how & 5)) {
        struct fuzz_input none = {NULL, 0};
        opens(&none, CALL_CONNECT);
        answer_now();
        opens(&none, CALL_CONNECT);
        answer_now();
        opens(&none, CALL_BIND);
        answer_now();
        calls(CALL_LISTEN, w->latest[2]);
        answer_now();
    }
    w->lazy = how & 8;
}

static void release_all(void)
{
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++)
        calls(CALL_RELEASE, world.latest[i]);
}

/* The backend does nothing any more; with time alone everything ends. */
static void end(bool stopped_first)
{
    world.lazy = false;
    world.seams.meddle_count = 0;
    memset(world.seams.fails, 0, sizeof(world.seams.fails));
    run();
    if (!stopped_first)
        release_all();
    step_own(EV_STOP);
    run();
    for (uint32_t i = 0; i < 8 && fe_deadline_ns(world.fe) != STEP_NEVER; i++) {
        if (fe_deadline_ns(world.fe) > world.now_ns)
            world.now_ns = fe_deadline_ns(world.fe);
        tick(0);
        run();
    }
    release_all();
    FUZZ_CHECK(fe_idle(world.fe) && fe_deadline_ns(world.fe) == STEP_NEVER, "state %d",
               (int)fe_state(world.fe));
    judge_front_check_over(&world.judge);
    seams_check_empty(&world.seams);
    FUZZ_CHECK(fe_counters(world.fe)->sockets_now == 0, "%u sockets are left",
               fe_counters(world.fe)->sockets_now);
    FUZZ_CHECK(fe_counters(world.fe)->faults == world.judge.faults, "counters");
    fe_fini(world.fe);
    free(world.fe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {data, size};
    uint8_t how = fuzz_u8(&input);

    begin(how);
    while (input.size > 0)
        act(&input);
    end(how & 16);
    return 0;
}
