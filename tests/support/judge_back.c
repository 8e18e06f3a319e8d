/* The backend watched from outside. See judge_back.h. */
#include "tests/support/judge_back.h"

static const struct dialect *const dialect = &dialect_xensock1;

void judge_back_init(struct judge_back *judge, struct seams *seams)
{
    memset(judge, 0, sizeof(*judge));
    judge->seams = seams;
    judge->published = XENBUS_INITIALISING;
    dialect_ring(dialect, dialect->order_min, &judge->layout);
}

uint32_t judge_back_unanswered(const struct judge_back *judge)
{
    return judge->reads - judge->pushed;
}

static uint32_t ring_at(const struct judge_back *judge)
{
    const struct seams_channel *device = &judge->seams->channels[SEAMS_SLOTS];

    FUZZ_CHECK(device->mapped, "there is no command ring");
    return device->page * SHARED_PAGE_BYTES;
}

static struct judge_data *data_of(struct judge_back *judge, uint64_t token)
{
    uint32_t slot = step_slot(token);
    struct judge_data *data = slot < JUDGE_SOCKS ? &judge->data[slot] : NULL;

    return data && data->token == token && judge->seams->channels[slot].token == token ? data
                                                                                       : NULL;
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct judge_open *find_open(struct judge_back *judge, uint64_t sockid)
{
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++)
        if (judge->open[i].used && judge->open[i].sockid == sockid)
            return &judge->open[i];
    return NULL;
}

static void now_open(struct judge_back *judge, uint64_t sockid, bool passive)
{
    FUZZ_CHECK(!find_open(judge, sockid), "socket %llx exists already", (unsigned long long)sockid);
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        if (judge->open[i].used)
            continue;
        judge->open[i] = (struct judge_open){true, passive, sockid};
        return;
    }
    FUZZ_CHECK(false, "more sockets than the quota");
}

/* Loopback, by the letter of the wire: not the core's own look at it. */
static bool is_loopback(const struct call_addr *addr)
{
    static const uint8_t ip6[20] = {[15] = 1}; /* ::1, then no scope */
    const uint8_t *bytes = addr->bytes;

    if (bytes[1] != 0)
        return false;
    return bytes[0] == 2 ? addr->len == 16 && bytes[4] == 127
                         : bytes[0] == 10 && addr->len == 28 && memcmp(bytes + 8, ip6, 20) == 0;
}

/* A good answer is about something that was really done; the call as it was read. */
static void good_answer(struct judge_back *judge, const struct judge_asked *asked)
{
    const struct call *call = &asked->call;
    struct judge_open *subject = find_open(judge, call->sockid);

    switch (call->kind) {
    case CALL_CONNECT:
    case CALL_BIND:
        FUZZ_CHECK(asked->twin || is_loopback(&call->addr), "a guest left loopback");
        now_open(judge, call->sockid, call->kind == CALL_BIND);
        break;
    case CALL_ACCEPT:
        if (asked->twin)
            judge->unknown++;
        else
            now_open(judge, call->new_sockid, false);
        /* fall through */
    case CALL_LISTEN:
    case CALL_POLL: FUZZ_CHECK(subject && subject->passive, "%s", call_name(call->kind)); break;
    case CALL_RELEASE:
        if (subject)
            subject->used = false;
        return;
    case CALL_SOCKET:
    case CALL_KINDS: FUZZ_CHECK(false, "command %u was carried out", call->code);
    }
    if (call->kind == CALL_LISTEN)
        return; /* once more is good too */
    FUZZ_CHECK(judge->connected[call->kind] > 0, "%s, and nothing was done", call_name(call->kind));
    judge->connected[call->kind]--;
}

/* Which request has this echo. Of several nobody can tell, so they become twins of each other. */
static struct judge_asked *find_asked(struct judge_back *judge, const unsigned char *slot)
{
    struct judge_asked *found = NULL;

    for (uint32_t i = 0; i < JUDGE_SLOTS; i++) {
        struct judge_asked *asked = &judge->asked[i];
        if (!asked->used || memcmp(&asked->call.id, slot, 4) != 0 ||
            memcmp(&asked->call.code, slot + 4, 4) != 0 ||
            memcmp(&asked->call.sockid, slot + 8, 8) != 0)
            continue;
        if (found)
            found->twin = asked->twin = true;
        found = asked;
    }
    return found;
}

static void answered(struct judge_back *judge, const unsigned char *slot)
{
    struct judge_asked *asked = find_asked(judge, slot);
    int32_t ret;

    memcpy(&ret, slot + 16, 4);
    FUZZ_CHECK(asked, "an answer to nothing: id %u, command %u", slot[0], slot[4]);
    asked->used = false;
    FUZZ_CHECK(ret <= 0 && ret >= -ERR_MAX, "ret %d", ret);
    FUZZ_CHECK(asked->call.kind != CALL_KINDS || ret == -ERR_NOTSUP, "ret %d", ret);
    for (uint32_t i = 20; i < JUDGE_SLOT_BYTES; i++)
        FUZZ_CHECK(slot[i] == 0, "byte %u behind an answer", i);
    judge->total_answers++;
    if (ret == 0)
        good_answer(judge, asked);
}

/* What was answered is undone: no area, port or socket is left that no request or socket owns. */
static void check_promises(struct judge_back *judge)
{
    uint32_t owners = judge->unknown, active = owners, areas = 0, ports = 0, sockets = 0;

    for (uint32_t i = 0; i < JUDGE_SLOTS; i++) {
        enum call_kind kind = judge->asked[i].call.kind;
        bool data = kind == CALL_CONNECT || kind == CALL_ACCEPT;
        active += judge->asked[i].used && data;
        owners += judge->asked[i].used && (data || kind == CALL_BIND);
    }
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        const struct seams_channel *channel = &judge->seams->channels[i];
        active += judge->open[i].used && !judge->open[i].passive;
        owners += judge->open[i].used;
        areas += channel->mapped;
        ports += channel->ported;
        sockets += channel->open;
    }
    for (uint32_t i = 0; i < judge->seams->op_count; i++) {
        const struct ev *ev = &judge->seams->ops[i].ev; /* undone when it completes */
        areas += ev->kind == EV_UNMAP && step_slot(ev->token) < JUDGE_SOCKS;
        ports += ev->kind == EV_PORT_CLOSE && step_slot(ev->token) < JUDGE_SOCKS;
    }
    FUZZ_CHECK(areas <= active && ports <= active && sockets <= owners,
               "answered too early: %u areas, %u ports, %u sockets of %u and %u", areas, ports,
               sockets, active, owners);
}

static void pushed(struct judge_back *judge, uint32_t value)
{
    uint32_t count = value - judge->pushed;

    FUZZ_CHECK(!judge->broken, "an answer to a broken front");
    FUZZ_CHECK(count <= judge->reads - judge->pushed, "%u answers to %u requests", count,
               judge->reads - judge->pushed);
    judge->pushed_before = judge->pushed;
    for (; judge->pushed != value; judge->pushed++)
        answered(judge, judge->shadow[judge->pushed % JUDGE_SLOTS]);
    check_promises(judge);
    judge->event_due = true;
}

/* ---- accesses -------------------------------------------------------------------------------- */

static void data_stored(struct judge_data *data, const struct dialect_ring *layout, uint32_t offset,
                        uint32_t value)
{
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

void judge_back_settle(struct judge_back *judge)
{
    struct seams *seams = judge->seams;
    uint32_t slot, value;

    if (judge->stored == STORED_SLOT) {
        slot = (judge->stored_offset - CMDRING_SLOTS) / JUDGE_SLOT_BYTES;
        memcpy(judge->shadow[slot],
               seams->memory + judge->stored_at + CMDRING_SLOTS + slot * JUDGE_SLOT_BYTES,
               JUDGE_SLOT_BYTES);
    } else if (judge->stored == STORED_RING) {
        value = seams_load(seams, judge->stored_at + judge->stored_offset);
        if (judge->stored_offset == CMDRING_RSP_PROD) {
            pushed(judge, value);
        } else {
            FUZZ_CHECK(value == judge->reads + 1, "armed for %u after %u", value, judge->reads);
            judge->armed = value;
            judge->looked = false; /* and must look again */
            judge->must_look = true;
        }
    } else if (judge->stored == STORED_DATA) {
        data_stored(judge->stored_in, &judge->layout, judge->stored_offset,
                    seams_load(seams, judge->stored_at + judge->stored_offset));
    }
    judge->stored = STORED_NOTHING;
}

static void request_read(struct judge_back *judge, uint32_t at, struct shared_span span)
{
    uint32_t offset = CMDRING_SLOTS + judge->reads % JUDGE_SLOTS * JUDGE_SLOT_BYTES;
    struct judge_asked *asked = judge->asked;

    FUZZ_CHECK(judge->allowed > 0, "request %u was never published", judge->reads);
    FUZZ_CHECK(span.offset == offset && span.length == JUDGE_SLOT_BYTES,
               "slots are read once and whole, in their order: %u at %u", span.length, span.offset);
    while (asked->used)
        asked++; /* the window leaves one */
    asked->used = true;
    asked->twin = false;
    dialect_unpack_call(dialect, judge->seams->memory + at + offset, &asked->call);
    judge->allowed--;
    judge->reads++;
    judge->total_reads++;
    FUZZ_CHECK(++judge->step_reads <= JUDGE_SLOTS, "more than a ring's worth in a step");
}

static void prod_read(struct judge_back *judge, uint32_t value)
{
    uint32_t ahead = value - judge->reads;

    FUZZ_CHECK(!judge->broken, "a broken front is looked at");
    judge->retreated |= (int32_t)(value - judge->claimed) < 0;
    judge->claimed = value;
    judge->looked = true;
    judge->must_look = false;
    if (ahead > JUDGE_SLOTS - judge_back_unanswered(judge))
        judge->broken = true;
    else
        judge->allowed = ahead;
}

static void ring_access(struct judge_back *judge, enum shared_access access, uint32_t at,
                        struct shared_span span)
{
    bool word = span.length == 4;

    if (access == SHARED_READ && span.offset >= CMDRING_SLOTS) {
        request_read(judge, at, span);
    } else if (access == SHARED_READ && span.offset == CMDRING_REQ_PROD && word) {
        prod_read(judge, seams_load(judge->seams, at));
    } else if (access == SHARED_READ) {
        FUZZ_CHECK(span.offset == CMDRING_RSP_EVENT && word, "an own word was read back");
        uint32_t event = seams_load(judge->seams, at + CMDRING_RSP_EVENT);
        if (judge->event_due &&
            judge->pushed - event < (uint32_t)(judge->pushed - judge->pushed_before))
            judge->notify_due = true;
        judge->event_due = false;
    } else if (span.offset >= CMDRING_SLOTS) {
        uint32_t slot = (span.offset - CMDRING_SLOTS) / JUDGE_SLOT_BYTES;
        uint32_t end = CMDRING_SLOTS + (slot + 1) * JUDGE_SLOT_BYTES;
        bool ours = (slot - judge->pushed) % JUDGE_SLOTS < judge->reads - judge->pushed;
        FUZZ_CHECK(ours && span.offset + span.length <= end, "wrote over a request");
        judge->stored = STORED_SLOT;
    } else {
        FUZZ_CHECK(word && (span.offset == CMDRING_REQ_EVENT || span.offset == CMDRING_RSP_PROD),
                   "wrote the front's word at %u", span.offset);
        judge->stored = STORED_RING;
    }
    judge->stored_at = at;
    judge->stored_offset = span.offset;
}

static void look_at_data(struct judge_back *judge, struct judge_data *data, uint32_t offset,
                         uint32_t value)
{
    const struct dialect_ring *layout = &judge->layout;
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

static void data_access(struct judge_back *judge, enum shared_access access, uint32_t at,
                        struct shared_span span)
{
    const struct seams_channel *channel = seams_channel(judge->seams, judge->ev.token);
    struct judge_data *data = data_of(judge, judge->ev.token);

    FUZZ_CHECK(data && channel->mapped && at == channel->page * SHARED_PAGE_BYTES,
               "a step of another socket");
    FUZZ_CHECK(span.length == 4, "%u bytes at %u", span.length, span.offset);
    if (access == SHARED_READ) {
        look_at_data(judge, data, span.offset, seams_load(judge->seams, at + span.offset));
        return;
    }
    judge->stored = STORED_DATA;
    judge->stored_at = at;
    judge->stored_offset = span.offset;
    judge->stored_in = data;
}

void judge_back_access(struct judge_back *judge, enum shared_access access,
                       const struct shared_area *area, struct shared_span span)
{
    uint32_t at = seams_at(judge->seams, area);

    FUZZ_CHECK((uint64_t)span.offset + span.length <= (uint64_t)area->pages * SHARED_PAGE_BYTES,
               "outside its area: %u at %u", span.length, span.offset);
    if (area->pages == 1) {
        FUZZ_CHECK(at == ring_at(judge), "a command ring that is not mapped");
        ring_access(judge, access, at, span);
    } else {
        data_access(judge, access, at, span);
    }
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void event_of_data(struct judge_back *judge, const struct ev *ev)
{
    struct judge_data *data = data_of(judge, ev->token);

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

void judge_back_begin(struct judge_back *judge, const struct ev *ev)
{
    static const struct {
        enum ev_kind ev;
        enum call_kind call;
    } opens[] = {{EV_NET_CONNECT, CALL_CONNECT},
                 {EV_NET_BIND, CALL_BIND},
                 {EV_NET_ACCEPT, CALL_ACCEPT},
                 {EV_NET_POLL, CALL_POLL}};

    judge->ev = *ev;
    judge->step_reads = judge->allowed = 0;
    judge->looked = judge->notify_due = false;
    judge->was_broken = judge->broken;
    judge->window_faults = judge->ring_faults = 0;
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        struct judge_data *data = &judge->data[i];
        data->room = data->queued = -1;
        data->must_break = data->changed = false;
    }
    for (uint32_t i = 0; i < sizeof(opens) / sizeof(opens[0]); i++)
        judge->connected[opens[i].call] += ev->kind == opens[i].ev && ev->ret == 0;
    if (ev->kind == EV_MAP && step_slot(ev->token) == STEP_SLOT_DEVICE && ev->ret == 0) {
        judge->reads = judge->pushed = judge->claimed = 0; /* a new command ring */
        judge->armed = 1;                                  /* as the front initialises it */
        judge->broken = judge->was_broken = judge->event_due = judge->retreated = false;
        memset(judge->asked, 0, sizeof(judge->asked));
        memset(judge->open, 0, sizeof(judge->open));
        memset(judge->connected, 0, sizeof(judge->connected));
        judge->unknown = 0;
    }
    if (ev->kind == EV_STORE_PUBLISH && ev->ret == -ERR_NOENT)
        judge->removed = true; /* by the toolstack: it closes, and may begin again */
    if (ev->kind == EV_STORE_READ && ev->store.key == DIALECT_KEY_ORDER && ev->ret == 0) {
        int64_t order = xenbus_parse(ev->store.value, JUDGE_ORDER_MAX);
        if (order >= dialect->order_min)
            dialect_ring(dialect, (uint32_t)order, &judge->layout);
    }
    event_of_data(judge, ev);
}

static bool notifies(const struct step_out *out, uint64_t token)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (out->acts[i].kind == ACT_NOTIFY && out->acts[i].token == token)
            return true;
    return false;
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

static void check_transfer(struct judge_back *judge, const struct act *act)
{
    struct judge_data *data = data_of(judge, act->token);

    FUZZ_CHECK(data && data->open && !data->closing && !data->broken, "a transfer of no socket");
    /* one way may be posted just before the other is found broken, which ends both */
    bool failed =
        !data->must_break && (act->kind == ACT_NET_READ ? data->in_failed : data->out_failed);
    FUZZ_CHECK(!failed, "a transfer after the error");
    if (act->kind == ACT_NET_READ) {
        FUZZ_CHECK(!data->reading, "two at once");
        data->reading = true;
        check_spans(&act->io, &judge->layout.in, data->prod, data->room);
    } else {
        FUZZ_CHECK(!data->writing, "two at once");
        data->writing = true;
        check_spans(&act->io, &judge->layout.out, data->cons, data->queued);
    }
}

/* Only loopback, and only as a request that was read said. */
static void check_egress(const struct judge_back *judge, const struct act *act)
{
    enum call_kind kind = act->kind == ACT_NET_BIND ? CALL_BIND : CALL_CONNECT;
    bool asked = false;

    FUZZ_CHECK(is_loopback(&act->net.addr), "a guest leaves loopback");
    for (uint32_t i = 0; i < JUDGE_SLOTS; i++)
        asked |= judge->asked[i].used && judge->asked[i].call.kind == kind &&
                 (judge->asked[i].twin ||
                  memcmp(&judge->asked[i].call.addr, &act->net.addr, sizeof(act->net.addr)) == 0);
    FUZZ_CHECK(asked, "an address that nobody asked for");
}

static void check_publish(struct judge_back *judge, const struct act_publish *publish)
{
    static const uint32_t next[9] = {[1] = 1u << 2,
                                     [2] = 1u << 4 | 1u << 5 | 1u << 6,
                                     [4] = 1u << 5 | 1u << 6,
                                     [5] = 1u << 6,
                                     [6] = 1u << 2};
    const struct seams_channel *device = &judge->seams->channels[SEAMS_SLOTS];

    for (uint32_t i = 0; i < publish->count; i++) {
        int64_t state = xenbus_parse(publish->nodes[i].value, 8);
        if (publish->nodes[i].key != DIALECT_KEY_STATE)
            continue;
        uint32_t allowed = next[judge->published] | (judge->removed ? 1u << 2 | 1u << 6 : 0);
        /* a front that begins once more: another device may stand where the one offered to stood */
        if (judge->published == XENBUS_INITWAIT && judge->ev.kind == EV_STORE_READ &&
            judge->ev.store.key == DIALECT_KEY_STATE &&
            xenbus_state_read(judge->ev.ret, judge->ev.store.value) == XENBUS_INITIALISING)
            allowed |= 1u << XENBUS_INITWAIT;
        FUZZ_CHECK(state >= 0 && allowed & 1u << state, "state %d to %d", (int)judge->published,
                   (int)state);
        judge->removed = false;
        FUZZ_CHECK(state != XENBUS_CONNECTED ||
                       (device->mapped && device->ported && !judge->faulted),
                   "Connected without a ring, or to a broken front");
        judge->published = (enum xenbus_state)state;
        judge->faulted = state == XENBUS_INITWAIT ? false : judge->faulted;
    }
}

/* One fault for one breach, about that breach. */
static void fault_seen(struct judge_back *judge, const struct act_fault *fault)
{
    const struct judge_data *data = data_of(judge, judge->ev.token);

    judge->faults++;
    if (fault->reason == FAULT_BYTERING_WINDOW) {
        FUZZ_CHECK(data && data->must_break && data->claimed == fault->value, "no breach");
        judge->ring_faults++;
        return;
    }
    if (fault->reason == FAULT_SILENT)
        return;
    FUZZ_CHECK(!judge->faulted, "a second fault: %s", step_fault_name(fault->reason));
    judge->faulted = true;
    if (fault->reason != FAULT_CMDRING_WINDOW)
        return;
    FUZZ_CHECK(judge->broken && fault->index == judge->reads && fault->value == judge->claimed,
               "the window was kept");
    judge->window_faults++;
}

static void act_seen(struct judge_back *judge, const struct act *act)
{
    struct judge_data *data = data_of(judge, act->token);
    bool device = step_slot(act->token) == STEP_SLOT_DEVICE;

    if (act->kind == ACT_NET_READ || act->kind == ACT_NET_WRITE)
        check_transfer(judge, act);
    else if (act->kind == ACT_NET_CONNECT || act->kind == ACT_NET_BIND)
        check_egress(judge, act);
    else if (act->kind == ACT_FAULT)
        fault_seen(judge, &act->fault);
    else if (act->kind == ACT_STORE_PUBLISH)
        check_publish(judge, &act->publish);
    else if (act->kind == ACT_NET_CLOSE && data)
        data->closing = true;
    else if (act->kind == ACT_MAP && !device && step_slot(act->token) < JUDGE_SOCKS)
        judge->data[step_slot(act->token)] = (struct judge_data){.token = act->token};
    else if (act->kind == ACT_UNMAP && device)
        FUZZ_CHECK(judge->faulted || judge_back_unanswered(judge) == 0,
                   "the ring goes, and %u requests have no answer", judge_back_unanswered(judge));
}

/* Each breach of this step has its fault. */
static void check_breaches(struct judge_back *judge)
{
    uint32_t broken = judge->broken && !judge->was_broken ? 1 : 0;

    FUZZ_CHECK(judge->window_faults == broken, "%u faults of the window", judge->window_faults);
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        struct judge_data *data = &judge->data[i];
        if (!data->must_break)
            continue;
        FUZZ_CHECK(judge->ring_faults == 1 && data->in_failed && data->out_failed,
                   "an index was believed");
        data->broken = true;
    }
}

/* Nothing is left that the core knows of and nobody will tell it again. */
static void check_data(const struct judge_back *judge, const struct judge_data *data)
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

void judge_back_end(struct judge_back *judge, const struct step_out *out)
{
    struct judge_data *data = data_of(judge, judge->ev.token);
    uint64_t device = step_token(0, 0, STEP_SLOT_DEVICE);

    judge_back_settle(judge);
    for (uint32_t i = 0; i < out->count; i++)
        act_seen(judge, &out->acts[i]);
    check_breaches(judge);
    FUZZ_CHECK(!judge->must_look, "armed, and did not look again");
    FUZZ_CHECK(!judge->event_due && (!judge->notify_due || notifies(out, device)),
               "answers that the front does not hear of");
    if (judge->looked && !judge->broken && !out->more)
        FUZZ_CHECK(judge->claimed == judge->reads &&
                       (judge->armed == judge->reads + 1 || judge->retreated),
                   "sleeps at %u, armed for %u, %u published", judge->reads, judge->armed,
                   judge->claimed);
    if (!data)
        return;
    FUZZ_CHECK(!data->changed || notifies(out, data->token), "a change without notification");
    check_data(judge, data);
}
