/* What a frontend reads and writes, watched from outside. See judge_front.h. */
#include "tests/support/judge_front.h"

static const struct dialect *const dialect = &dialect_xensock1;

struct judge_sock *judge_front_sock(struct judge_front *judge, uint64_t id)
{
    uint32_t slot = step_slot(id);
    struct judge_sock *sock = slot < JUDGE_SOCKS ? &judge->socks[slot] : NULL;

    return sock && sock->token == id && judge->seams->channels[slot].mapped &&
                   judge->seams->channels[slot].token == id
               ? sock
               : NULL;
}

/* ---- requests -------------------------------------------------------------------------------- */

/* What a request grants is what the socket has, and nothing else is named. */
static void check_grants(const struct judge_front *judge, const struct call *call, uint64_t id)
{
    const struct seams_channel *channel = &judge->seams->channels[step_slot(id) % SEAMS_SLOTS];

    FUZZ_CHECK(channel->token == id && channel->mapped && channel->ported, "no data ring");
    FUZZ_CHECK(call->evtchn == channel->port, "port %u", call->evtchn);
    for (uint32_t i = 0; i < CALL_REFS_MAX; i++)
        FUZZ_CHECK(call->refs[i] == (i < channel->pages ? SEAMS_REF + channel->page + i : 0),
                   "ref %u", i);
}

static void requested(struct judge_front *judge, const unsigned char *slot)
{
    struct judge_request *request = judge->asked;
    uint32_t parked = 0, slow = 0;

    while (request->used)
        request++; /* at most SIZE are outstanding: checked before */
    dialect_unpack_call(dialect, slot, &request->call);
    request->by = JUDGE_NO_CALL;
    for (uint32_t i = 0; i < JUDGE_SLOTS; i++)
        FUZZ_CHECK(!judge->asked[i].used || judge->asked[i].call.id != request->call.id,
                   "two requests of id %u", request->call.id);
    request->used = true;
    if (request->call.kind == CALL_CONNECT)
        check_grants(judge, &request->call, request->call.sockid);
    else if (request->call.kind == CALL_ACCEPT)
        check_grants(judge, &request->call, request->call.new_sockid);
    for (uint32_t i = 0; i < JUDGE_SLOTS; i++) {
        enum call_kind kind = judge->asked[i].call.kind;
        parked += judge->asked[i].used && (kind == CALL_ACCEPT || kind == CALL_POLL);
        slow += judge->asked[i].used && kind == CALL_CONNECT;
    }
    FUZZ_CHECK(parked <= JUDGE_SLOTS - 2 && parked + slow <= JUDGE_SLOTS - 1,
               "%u parked and %u slow calls fill the ring", parked, slow);
}

static void pushed(struct judge_front *judge, uint32_t value)
{
    uint32_t count = value - judge->pushed;

    FUZZ_CHECK(count > 0 && value - judge->reads <= JUDGE_SLOTS, "%u requests, %u free", count,
               JUDGE_SLOTS - (judge->pushed - judge->reads));
    judge->pushed_before = judge->pushed;
    for (; judge->pushed != value; judge->pushed++)
        requested(judge, judge->shadow[judge->pushed % JUDGE_SLOTS]);
    judge->event_due = true;
}

/* ---- responses ------------------------------------------------------------------------------- */

static void response_read(struct judge_front *judge, uint32_t at, struct shared_span span)
{
    uint32_t offset = CMDRING_SLOTS + judge->reads % JUDGE_SLOTS * JUDGE_SLOT_BYTES;
    struct judge_request *request = judge->asked;
    struct call_reply reply;

    FUZZ_CHECK(judge->allowed > 0, "response %u was never published", judge->reads);
    FUZZ_CHECK(judge->must_fault == FAULT_REASONS, "reads on after a lie");
    FUZZ_CHECK(span.offset == offset && span.length == JUDGE_SLOT_BYTES,
               "slots are read once and whole, in their order: %u at %u", span.length, span.offset);
    dialect_unpack_reply(dialect, judge->seams->memory + at + offset, &reply);
    judge->allowed--;
    judge->reads++;
    while (request < judge->asked + JUDGE_SLOTS && !(request->used && request->call.id == reply.id))
        request++;
    if (request == judge->asked + JUDGE_SLOTS)
        judge->must_fault = FAULT_RESPONSE_ID;
    else if (reply.code != request->call.code || reply.sockid != request->call.sockid)
        judge->must_fault = FAULT_RESPONSE_ECHO;
    else if (reply.ret > 0 || reply.ret < -ERR_MAX)
        judge->must_fault = FAULT_RESPONSE_RET;
    if (judge->must_fault != FAULT_REASONS)
        return;
    request->used = false;
    FUZZ_CHECK(request->by != JUDGE_NO_CALL, "answered before it was asked");
    bool nobody = request->by == JUDGE_NOBODY;
    if (request->call.kind == CALL_ACCEPT && reply.ret == 0 && judge->owed_count < JUDGE_CALLS &&
        (nobody || judge_front_let_go(judge, request->call.new_sockid)))
        judge->owed[judge->owed_count++] = request->call.new_sockid;
    bool again = reply.ret == -ERR_INTR &&
                 (request->call.kind == CALL_ACCEPT || request->call.kind == CALL_POLL);
    if (!nobody) { /* what is to be asked again may also end so */
        judge->calls[request->by].sent = !again;
        judge->calls[request->by].answered = !again;
        judge->calls[request->by].ret = reply.ret;
    }
}

static void prod_read(struct judge_front *judge, uint32_t value)
{
    uint32_t ahead = value - judge->reads;

    FUZZ_CHECK(!judge->broken, "a broken backend is looked at");
    judge->retreated |= (int32_t)(value - judge->claimed) < 0;
    judge->claimed = value;
    judge->looked = true;
    judge->must_look = false;
    if (ahead > judge->pushed - judge->reads)
        judge->must_fault = FAULT_CMDRING_WINDOW;
    else
        judge->allowed = ahead;
}

static void ring_read(struct judge_front *judge, uint32_t at, struct shared_span span)
{
    if (span.offset >= CMDRING_SLOTS) {
        response_read(judge, at, span);
    } else if (span.offset == CMDRING_RSP_PROD && span.length == 4) {
        prod_read(judge, seams_load(judge->seams, at + CMDRING_RSP_PROD));
    } else {
        FUZZ_CHECK(span.offset == CMDRING_REQ_EVENT && span.length == 4, "read back at %u",
                   span.offset);
        uint32_t event = seams_load(judge->seams, at + CMDRING_REQ_EVENT);
        if (judge->event_due &&
            judge->pushed - event < (uint32_t)(judge->pushed - judge->pushed_before))
            judge->notify_due = true;
        judge->event_due = false;
    }
}

static void ring_write(struct judge_front *judge, struct shared_span span)
{
    if (judge->ev.kind == EV_SHARE && step_slot(judge->ev.token) == STEP_SLOT_DEVICE)
        return; /* it makes the page */
    judge->stored = STORED_RING;
    if (span.offset < CMDRING_SLOTS) {
        FUZZ_CHECK(span.length == 4 &&
                       (span.offset == CMDRING_REQ_PROD || span.offset == CMDRING_RSP_EVENT),
                   "wrote the backend's word at %u", span.offset);
        return;
    }
    uint32_t slot = (span.offset - CMDRING_SLOTS) / JUDGE_SLOT_BYTES;
    bool free_slot =
        (slot - judge->pushed) % JUDGE_SLOTS < JUDGE_SLOTS - (judge->pushed - judge->reads);
    FUZZ_CHECK(free_slot && span.offset == CMDRING_SLOTS + slot * JUDGE_SLOT_BYTES &&
                   span.length == JUDGE_SLOT_BYTES,
               "wrote over slot %u", slot);
    judge->stored = STORED_SLOT;
}

/* ---- data rings ------------------------------------------------------------------------------ */

static int32_t wire_error(uint32_t word)
{
    int32_t error = (int32_t)word;

    return error > 0 || error < -ERR_MAX || error == -ERR_AGAIN ? -ERR_IO : error;
}

static void index_read(const struct judge_front *judge, struct judge_sock *sock, bool in,
                       uint32_t value)
{
    uint32_t size = in ? judge->layout.in.size : judge->layout.out.size;
    uint32_t used = in ? value - sock->cons : sock->prod - value;

    FUZZ_CHECK(!sock->broken && !sock->must_break, "a broken ring is looked at");
    if (used > size) {
        sock->must_break = true;
        sock->claimed = value;
    } else if (in) {
        sock->queued = used;
    } else {
        sock->room = size - used;
    }
}

/* A copy in or out is of the next bytes of the stream, and of no more than there are. */
static void check_copy(const struct bytering_layout *at, uint32_t index, struct shared_span span,
                       int64_t left)
{
    FUZZ_CHECK(span.offset == at->array + index % at->size && span.length <= left &&
                   index % at->size + span.length <= at->size,
               "copies %u bytes at %u of %lld", span.length, span.offset, (long long)left);
}

static void data_read(struct judge_front *judge, struct judge_sock *sock, uint32_t at,
                      struct shared_span span)
{
    const struct dialect_ring *layout = &judge->layout;
    uint32_t value = span.length == 4 ? seams_load(judge->seams, at + span.offset) : 0;

    judge->time++;
    if (span.offset < layout->in.size) {
        check_copy(&layout->in, sock->cons + sock->got, span, sock->queued - sock->got);
        memcpy(sock->bytes + sock->got, judge->seams->memory + at + span.offset, span.length);
        sock->got += span.length;
        return;
    }
    FUZZ_CHECK(span.length == 4, "%u bytes at %u", span.length, span.offset);
    if (span.offset == layout->in.error) {
        sock->in_error = wire_error(value);
        sock->error_time = judge->time;
    } else if (span.offset == layout->out.error) {
        sock->out_error = wire_error(value);
    } else {
        bool in = span.offset == layout->in.prod;
        FUZZ_CHECK(in || span.offset == layout->out.cons, "read back at %u", span.offset);
        sock->prod_time = in ? judge->time : sock->prod_time;
        index_read(judge, sock, in, value);
    }
}

static void data_write(struct judge_front *judge, struct judge_sock *sock, uint32_t at,
                       struct shared_span span)
{
    const struct bytering_layout *out = &judge->layout.out;

    if (span.offset >= out->array && span.offset < out->array + out->size) {
        check_copy(out, sock->prod + sock->put, span, sock->room - sock->put);
        sock->put += span.length;
        return;
    }
    FUZZ_CHECK(span.length == 4, "%u bytes at %u", span.length, span.offset);
    for (uint32_t i = 0; span.offset == out->prod && i < sock->put; i++)
        FUZZ_CHECK(judge->seams->memory[at + out->array + (sock->prod + i) % out->size] ==
                       judge->sending[i],
                   "byte %u is another", i);
    judge->stored = STORED_DATA;
    judge->stored_in = sock;
}

static void data_stored(const struct judge_front *judge, struct judge_sock *sock, uint32_t value)
{
    sock->changed = true;
    if (judge->stored_offset == judge->layout.in.cons) {
        sock->cons += sock->got;
        FUZZ_CHECK(value == sock->cons, "in_cons %u is not %u", value, sock->cons);
    } else {
        sock->prod += sock->put;
        FUZZ_CHECK(judge->stored_offset == judge->layout.out.prod && value == sock->prod,
                   "stored %u at %u", value, judge->stored_offset);
    }
}

/* ---- accesses -------------------------------------------------------------------------------- */

void judge_front_settle(struct judge_front *judge)
{
    struct seams *seams = judge->seams;

    if (judge->stored == STORED_SLOT) {
        uint32_t slot = (judge->stored_offset - CMDRING_SLOTS) / JUDGE_SLOT_BYTES;
        memcpy(judge->shadow[slot], seams->memory + judge->stored_at + judge->stored_offset,
               JUDGE_SLOT_BYTES);
    } else if (judge->stored != STORED_NOTHING) {
        uint32_t value = seams_load(seams, judge->stored_at + judge->stored_offset);
        if (judge->stored == STORED_DATA) {
            data_stored(judge, judge->stored_in, value);
        } else if (judge->stored_offset == CMDRING_REQ_PROD) {
            pushed(judge, value);
        } else {
            FUZZ_CHECK(value == judge->reads + 1, "armed for %u after %u", value, judge->reads);
            judge->armed = value;
            judge->looked = false;
            judge->must_look = true;
        }
    }
    judge->stored = STORED_NOTHING;
}

/* Areas are granted apart from each other, so the place says whose it is. */
static struct judge_sock *sock_at(struct judge_front *judge, uint32_t at)
{
    for (uint32_t i = 0; i < JUDGE_SOCKS; i++) {
        const struct seams_channel *channel = &judge->seams->channels[i];
        if (channel->mapped && channel->page * SHARED_PAGE_BYTES == at)
            return judge_front_sock(judge, channel->token);
    }
    FUZZ_CHECK(false, "memory that was given back");
    return NULL;
}

void judge_front_access(struct judge_front *judge, enum shared_access access,
                        const struct shared_area *area, struct shared_span span)
{
    const struct seams_channel *device = &judge->seams->channels[SEAMS_SLOTS];
    uint32_t at = seams_at(judge->seams, area);

    FUZZ_CHECK((uint64_t)span.offset + span.length <= (uint64_t)area->pages * SHARED_PAGE_BYTES,
               "outside its area: %u at %u", span.length, span.offset);
    judge->stored_at = at;
    judge->stored_offset = span.offset;
    if (area->pages > 1 && access == SHARED_READ) {
        data_read(judge, sock_at(judge, at), at, span);
    } else if (area->pages > 1) {
        data_write(judge, sock_at(judge, at), at, span);
    } else {
        FUZZ_CHECK(device->mapped && device->page * SHARED_PAGE_BYTES == at, "no command ring");
        if (access == SHARED_READ)
            ring_read(judge, at, span);
        else
            ring_write(judge, span);
    }
}
