/* The backend watched from outside. See judge_back.h. */
#include "tests/support/judge_back_private.h"

void judge_back_init(struct judge_back *judge, struct seams *seams)
{
    memset(judge, 0, sizeof(*judge));
    judge->seams = seams;
    judge->dialect = seams->dialect;
    judge->slot_bytes = judge->dialect->request_bytes;
    judge->slots = cmdring_size(judge->slot_bytes);
    judge->order = judge->dialect->order_min;
    judge->published = XENBUS_INITIALISING;
}

uint32_t judge_back_unanswered(const struct judge_back *judge)
{
    return judge->reads - judge->pushed;
}

uint32_t judge_back_sockets(const struct judge_back *judge)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < JUDGE_SOCKS && !judge->going; i++)
        count += judge->open[i].used;
    return count;
}

/* ---- answers --------------------------------------------------------------------------------- */

static struct judge_open *find_open(struct judge_back *judge, uint64_t sockid)
{
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++)
        if (judge->open[i].used && judge->open[i].sockid == sockid)
            return &judge->open[i];
    return NULL;
}

static void now_open(struct judge_back *judge, const struct judge_open *now)
{
    FUZZ_CHECK(!find_open(judge, now->sockid), "socket %llx exists already",
               (unsigned long long)now->sockid);
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        if (judge->open[i].used)
            continue;
        judge->open[i] = *now;
        return;
    }
    FUZZ_CHECK(false, "more sockets than the quota");
}

/* A CONNECT or a BIND was done: of a socket that was made, or of a new one. */
static void now_used(struct judge_back *judge, const struct call *call)
{
    struct judge_open *subject = find_open(judge, call->sockid);
    struct judge_open now = {true, false, call->kind == CALL_BIND, call->sockid};

    if (subject && subject->made)
        *subject = now;
    else
        now_open(judge, &now);
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
        now_used(judge, call);
        break;
    case CALL_ACCEPT:
        if (asked->twin)
            judge->unknown++;
        else
            now_open(judge, &(struct judge_open){true, false, false, call->new_sockid});
        /* fall through */
    case CALL_LISTEN:
    case CALL_POLL: FUZZ_CHECK(subject && subject->passive, "%s", call_name(call->kind)); break;
    case CALL_RELEASE:
        if (subject)
            subject->used = false;
        return;
    case CALL_SOCKET: /* IPv4 or 6, a stream, its usual protocol */
        FUZZ_CHECK(asked->twin || ((call->family == 2 || call->family == 10) && call->type == 1 &&
                                   call->protocol == 0),
                   "a socket of family %u", call->family);
        now_open(judge, &(struct judge_open){true, true, false, call->sockid});
        return;
    case CALL_KINDS: FUZZ_CHECK(false, "command %u was carried out", call->code);
    }
    if (call->kind == CALL_LISTEN)
        return; /* once more is good too */
    FUZZ_CHECK(judge->connected[call->kind] > 0, "%s, and nothing was done", call_name(call->kind));
    judge->connected[call->kind]--;
}

/* Which request has this echo. Of several nobody can tell, so they become twins of each other. */
static struct judge_asked *find_asked(struct judge_back *judge, const struct call_reply *reply)
{
    struct judge_asked *found = NULL;

    for (uint32_t i = 0; i < judge->slots; i++) {
        struct judge_asked *asked = &judge->asked[i];
        if (!asked->used || asked->call.id != reply->id || asked->call.code != reply->code ||
            asked->call.sockid != reply->sockid)
            continue;
        if (found)
            found->twin = asked->twin = true;
        found = asked;
    }
    return found;
}

/* Whether a byte of a slot belongs to a field of an answer. */
static bool is_field(const struct dialect *dialect, uint32_t at)
{
    for (uint32_t i = 0; i < dialect->response_rows; i++) {
        const struct dialect_row *row = &dialect->response[i];
        if (at >= row->wire_at && at < row->wire_at + (uint32_t)row->wire_bytes * row->count)
            return true;
    }
    return false;
}

static void answered(struct judge_back *judge, const unsigned char *slot)
{
    struct call_reply reply;

    dialect_unpack_reply(judge->dialect, slot, &reply);
    struct judge_asked *asked = find_asked(judge, &reply);
    FUZZ_CHECK(asked, "an answer to nothing: id %u, command %u", reply.id, reply.code);
    asked->used = false;
    FUZZ_CHECK(reply.ret <= 0 && reply.ret >= -ERR_MAX, "ret %d", reply.ret);
    FUZZ_CHECK(asked->call.kind != CALL_KINDS || reply.ret == -ERR_NOTSUP, "ret %d", reply.ret);
    for (uint32_t i = 0; i < judge->slot_bytes; i++)
        FUZZ_CHECK(slot[i] == 0 || is_field(judge->dialect, i), "byte %u behind an answer", i);
    judge->total_answers++;
    seams_happened(judge->seams, SEAMS_ANSWERS + (uint32_t)asked->call.kind, reply.ret == 0);
    if (reply.ret == 0)
        good_answer(judge, asked);
}

/* What was answered is undone: no area, port or socket is left that no request or socket owns. */
static void check_promises(struct judge_back *judge)
{
    uint32_t owners = judge->unknown, active = owners, areas = 0, ports = 0, sockets = 0;

    for (uint32_t i = 0; i < judge->slots; i++) {
        enum call_kind kind = judge->asked[i].call.kind;
        bool data = kind == CALL_CONNECT || kind == CALL_ACCEPT;
        active += judge->asked[i].used && data;
        owners += judge->asked[i].used && (data || kind == CALL_BIND);
    }
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        const struct seams_channel *channel = &judge->seams->channels[i];
        active += judge->open[i].used && !judge->open[i].passive && !judge->open[i].made;
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
    FUZZ_CHECK(areas <= active * (1 + judge->dialect->index.pages) && ports <= active &&
                   sockets <= owners,
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
        answered(judge, judge->shadow[judge->pushed % judge->slots]);
    check_promises(judge);
    judge->event_due = true;
}

/* ---- accesses -------------------------------------------------------------------------------- */

void judge_back_settle(struct judge_back *judge)
{
    struct seams *seams = judge->seams;
    uint32_t slot, value;

    if (judge->stored == STORED_SLOT) {
        slot = (judge->stored_offset - CMDRING_SLOTS) / judge->slot_bytes;
        memcpy(judge->shadow[slot],
               seams->memory + judge->stored_at + CMDRING_SLOTS + slot * judge->slot_bytes,
               judge->slot_bytes);
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
        judge_back_stored(judge->stored_in, judge->stored_offset,
                          seams_load(seams, judge->stored_at + judge->stored_offset));
    }
    judge->stored = STORED_NOTHING;
}

static void request_read(struct judge_back *judge, uint32_t at, struct shared_span span)
{
    uint32_t offset = CMDRING_SLOTS + judge->reads % judge->slots * judge->slot_bytes;
    struct judge_asked *asked = judge->asked;

    FUZZ_CHECK(judge->allowed > 0, "request %u was never published", judge->reads);
    FUZZ_CHECK(span.offset == offset && span.length == judge->slot_bytes,
               "slots are read once and whole, in their order: %u at %u", span.length, span.offset);
    while (asked->used)
        asked++; /* the window leaves one */
    asked->used = true;
    asked->twin = false;
    dialect_unpack_call(judge->dialect, judge->seams->memory + at + offset, &asked->call);
    judge->allowed--;
    judge->reads++;
    judge->total_reads++;
    FUZZ_CHECK(++judge->step_reads <= judge->slots, "more than a ring's worth in a step");
}

static void prod_read(struct judge_back *judge, uint32_t value)
{
    uint32_t ahead = value - judge->reads;

    FUZZ_CHECK(!judge->broken, "a broken front is looked at");
    judge->retreated |= (int32_t)(value - judge->claimed) < 0;
    judge->claimed = value;
    judge->looked = true;
    judge->must_look = false;
    if (ahead > judge->slots - judge_back_unanswered(judge))
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
        uint32_t slot = (span.offset - CMDRING_SLOTS) / judge->slot_bytes;
        uint32_t end = CMDRING_SLOTS + (slot + 1) * judge->slot_bytes;
        bool ours = (slot - judge->pushed) % judge->slots < judge->reads - judge->pushed;
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

void judge_back_access(struct judge_back *judge, enum shared_access access,
                       const struct shared_area *area, struct shared_span span)
{
    const struct seams_channel *device = &judge->seams->channels[SEAMS_SLOTS];
    uint32_t at = seams_at(judge->seams, area);

    FUZZ_CHECK((uint64_t)span.offset + span.length <= (uint64_t)area->pages * SHARED_PAGE_BYTES,
               "outside its area: %u at %u", span.length, span.offset);
    if (area->pages == 1 && device->mapped > 0 && at == device->page * SHARED_PAGE_BYTES)
        ring_access(judge, access, at, span);
    else
        judge_back_data_access(judge, access, area, span);
}

/* ---- steps ----------------------------------------------------------------------------------- */

static void new_ring(struct judge_back *judge)
{
    judge->reads = judge->pushed = judge->claimed = 0; /* a new command ring */
    judge->armed = 1;                                  /* as the front initialises it */
    judge->broken = judge->was_broken = judge->event_due = judge->retreated = false;
    judge->going = false;
    memset(judge->asked, 0, sizeof(judge->asked));
    memset(judge->open, 0, sizeof(judge->open));
    memset(judge->connected, 0, sizeof(judge->connected));
    judge->unknown = 0;
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
    if (ev->kind == EV_MAP && step_slot(ev->token) == STEP_SLOT_DEVICE && ev->ret == 0)
        new_ring(judge);
    if (ev->kind == EV_STORE_PUBLISH && ev->ret == -ERR_NOENT)
        judge->removed = true; /* by the toolstack: it closes, and may begin again */
    if (ev->kind == EV_STORE_READ && ev->store.key == DIALECT_KEY_ORDER && ev->ret == 0) {
        int64_t order = xenbus_parse(ev->store.value, JUDGE_ORDER_MAX);
        if (order >= judge->dialect->order_min)
            judge->order = (uint32_t)order;
    }
    judge_back_moved(judge, ev);
}

static bool notifies(const struct step_out *out, uint64_t token)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (out->acts[i].kind == ACT_NOTIFY && out->acts[i].token == token)
            return true;
    return false;
}

/* Only loopback, and only as a request that was read said. */
static void check_egress(const struct judge_back *judge, const struct act *act)
{
    enum call_kind kind = act->kind == ACT_NET_BIND ? CALL_BIND : CALL_CONNECT;
    bool asked = false;

    FUZZ_CHECK(is_loopback(&act->net.addr), "a guest leaves loopback");
    for (uint32_t i = 0; i < judge->slots; i++)
        asked |= judge->asked[i].used && judge->asked[i].call.kind == kind &&
                 (judge->asked[i].twin ||
                  memcmp(&judge->asked[i].call.addr, &act->net.addr, sizeof(act->net.addr)) == 0);
    FUZZ_CHECK(asked, "an address that nobody asked for");
    if (kind == CALL_CONNECT)
        judge_back_opening(judge, act);
}

/* The nodes of InitWait say what the dialect's table does. */
static void check_constants(const struct judge_back *judge, const struct act_publish *publish)
{
    const struct dialect_node *nodes = judge->dialect->back_nodes;
    uint32_t said = 0;

    for (uint32_t i = 0; i < publish->count; i++) {
        const struct dialect_node *node = dialect_node_find(nodes, publish->nodes[i].key);
        said += node && strcmp(publish->nodes[i].value, node->value) == 0;
    }
    FUZZ_CHECK(said == dialect_node_count(nodes), "%u constants", said);
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
        if (state == XENBUS_INITWAIT)
            check_constants(judge, publish);
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
    const struct judge_data *data = judge_back_data(judge, judge->ev.token);

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
    struct judge_data *data = judge_back_data(judge, act->token);
    bool device = step_slot(act->token) == STEP_SLOT_DEVICE;

    if (act->kind == ACT_NET_READ || act->kind == ACT_NET_WRITE)
        judge_back_transfer(judge, act);
    else if (act->kind == ACT_NET_CONNECT || act->kind == ACT_NET_BIND)
        check_egress(judge, act);
    else if (act->kind == ACT_NET_ACCEPT)
        judge_back_opening(judge, act);
    else if (act->kind == ACT_FAULT)
        fault_seen(judge, &act->fault);
    else if (act->kind == ACT_STORE_PUBLISH)
        check_publish(judge, &act->publish);
    else if (act->kind == ACT_TRACE && device && strcmp(act->trace.to, "closing") == 0)
        judge->going = true;
    else if (act->kind == ACT_NET_CLOSE && data)
        data->closing = true;
    else if (act->kind == ACT_MAP && !device)
        judge_back_mapping(judge, act);
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

void judge_back_end(struct judge_back *judge, const struct step_out *out)
{
    struct judge_data *data = judge_back_data(judge, judge->ev.token);
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
    judge_back_data_end(judge, data);
}
