/* What a frontend reads and writes, watched from outside. See judge_front.h. */
#include "tests/support/judge_front.h"

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

bool judge_front_kept(const struct judge_front *judge, uint64_t sockid)
{
    for (uint32_t i = 0; i < judge->kept_count; i++)
        if (judge->kept[i] == sockid)
            return true;
    return false;
}

static void keep(struct judge_front *judge, uint64_t sockid)
{
    FUZZ_CHECK(!judge_front_kept(judge, sockid), "the backend has that one");
    FUZZ_CHECK(judge->kept_count < JUDGE_SOCKS, "more sockets than there can be");
    judge->kept[judge->kept_count++] = sockid;
}

static void let_go(struct judge_front *judge, uint64_t sockid)
{
    for (uint32_t i = 0; i < judge->kept_count; i++)
        if (judge->kept[i] == sockid)
            judge->kept[i] = judge->kept[--judge->kept_count];
}

/* What a request grants is what the socket has, and nothing else is named. */
static void check_grants(struct judge_front *judge, const struct call *call, uint64_t sockid)
{
    const struct seams_channel *channel = judge->seams->channels;
    uint32_t index = judge->dialect->index.pages;

    while (channel < &judge->seams->channels[JUDGE_SOCKS] &&
           !(channel->mapped && fe_wire_id(judge->fe, channel->token) == sockid))
        channel++;
    FUZZ_CHECK(channel < &judge->seams->channels[JUDGE_SOCKS] && channel->ported, "no data ring");
    const struct judge_sock *sock = judge_front_sock(judge, channel->token);
    FUZZ_CHECK(channel->pages == index + judge->layout.pages && sock, "%u pages", channel->pages);
    FUZZ_CHECK(call->evtchn == channel->port, "port %u", call->evtchn);
    FUZZ_CHECK(index == 0 || (sock->said_order && sock->said_refs), "an index page without refs");
    for (uint32_t i = 0; i < CALL_REFS_MAX; i++)
        FUZZ_CHECK(
            call->refs[i] ==
                (i < (index > 0 ? index : channel->pages) ? SEAMS_REF + channel->page + i : 0),
            "ref %u", i);
}

/* What a call is to be about is there, or not yet. */
static void check_subject(struct judge_front *judge, const struct call *call)
{
    bool opens = call->kind == CALL_CONNECT || call->kind == CALL_BIND;

    if (call->kind == CALL_CONNECT)
        check_grants(judge, call, call->sockid);
    else if (call->kind == CALL_ACCEPT)
        check_grants(judge, call, call->new_sockid);
    if (opens && dialect_has(judge->dialect, CALL_SOCKET))
        FUZZ_CHECK(judge_front_kept(judge, call->sockid), "%s of no SOCKET", call_name(call->kind));
    FUZZ_CHECK(call->kind != CALL_SOCKET || ((call->family == 2 || call->family == 10) &&
                                             call->type == 1 && call->protocol == 0),
               "a socket of family %u", call->family);
}

static void requested(struct judge_front *judge, const unsigned char *slot)
{
    struct judge_request *request = judge->asked;
    uint32_t parked = 0, slow = 0;

    while (request->used)
        request++; /* at most SIZE are outstanding: checked before */
    dialect_unpack_call(judge->dialect, slot, &request->call);
    request->by = JUDGE_NO_CALL;
    for (uint32_t i = 0; i < judge->slots; i++)
        FUZZ_CHECK(!judge->asked[i].used || judge->asked[i].call.id != request->call.id,
                   "two requests of id %u", request->call.id);
    request->used = true;
    check_subject(judge, &request->call);
    for (uint32_t i = 0; i < judge->slots; i++) {
        enum call_kind kind = judge->asked[i].call.kind;
        parked += judge->asked[i].used && (kind == CALL_ACCEPT || kind == CALL_POLL);
        slow += judge->asked[i].used && kind == CALL_CONNECT;
    }
    FUZZ_CHECK(parked <= judge->slots - 2 && parked + slow <= judge->slots - 1,
               "%u parked and %u slow calls fill the ring", parked, slow);
}

static void pushed(struct judge_front *judge, uint32_t value)
{
    uint32_t count = value - judge->pushed;

    FUZZ_CHECK(count > 0 && value - judge->reads <= judge->slots, "%u requests, %u free", count,
               judge->slots - (judge->pushed - judge->reads));
    judge->pushed_before = judge->pushed;
    for (; judge->pushed != value; judge->pushed++)
        requested(judge, judge->shadow[judge->pushed % judge->slots]);
    judge->event_due = true;
}

/* ---- responses ------------------------------------------------------------------------------- */

/* An answer to a request, or to the SOCKET before it: what the backend has now. */
static void answered(struct judge_front *judge, const struct judge_request *request, int32_t ret)
{
    const struct call *call = &request->call;
    uint64_t sockid = call->kind == CALL_ACCEPT ? call->new_sockid : call->sockid;
    bool makes = call->kind == CALL_CONNECT || call->kind == CALL_BIND ||
                 call->kind == CALL_ACCEPT || call->kind == CALL_SOCKET;
    bool known = (call->kind == CALL_CONNECT || call->kind == CALL_BIND) &&
                 dialect_has(judge->dialect, CALL_SOCKET);

    seams_happened(judge->seams, SEAMS_ANSWERS + (uint32_t)call->kind, ret == 0);
    if (call->kind == CALL_RELEASE)
        let_go(judge, sockid);
    else if (makes && !known && ret == 0 &&
             (call->kind == CALL_ACCEPT || !judge_front_let_go(judge, sockid)))
        keep(judge, sockid); /* what is accepted after its release is released again */
    if (request->by == JUDGE_NOBODY)
        return;
    struct judge_call *by = &judge->calls[request->by];
    by->made = call->kind == CALL_SOCKET && ret == 0;
    bool again = ret == -ERR_INTR && (call->kind == CALL_ACCEPT || call->kind == CALL_POLL);
    by->sent = by->answered = !by->made && !again; /* what is to be asked again may also end so */
    by->ret = ret;
}

static void response_read(struct judge_front *judge, uint32_t at, struct shared_span span)
{
    uint32_t offset = CMDRING_SLOTS + judge->reads % judge->slots * judge->slot_bytes;
    struct judge_request *request = judge->asked;
    struct call_reply reply;

    FUZZ_CHECK(judge->allowed > 0, "response %u was never published", judge->reads);
    FUZZ_CHECK(judge->must_fault == FAULT_REASONS, "reads on after a lie");
    FUZZ_CHECK(span.offset == offset && span.length == judge->slot_bytes,
               "slots are read once and whole, in their order: %u at %u", span.length, span.offset);
    dialect_unpack_reply(judge->dialect, judge->seams->memory + at + offset, &reply);
    judge->allowed--;
    judge->reads++;
    while (request < judge->asked + judge->slots &&
           !(request->used && request->call.id == reply.id))
        request++;
    if (request == judge->asked + judge->slots)
        judge->must_fault = FAULT_RESPONSE_ID;
    else if (reply.code != request->call.code || reply.sockid != request->call.sockid)
        judge->must_fault = FAULT_RESPONSE_ECHO;
    else if (reply.ret > 0 || reply.ret < -ERR_MAX)
        judge->must_fault = FAULT_RESPONSE_RET;
    if (judge->must_fault != FAULT_REASONS)
        return;
    request->used = false;
    FUZZ_CHECK(request->by != JUDGE_NO_CALL, "answered before it was asked");
    answered(judge, request, reply.ret);
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
    uint32_t slot = (span.offset - CMDRING_SLOTS) / judge->slot_bytes;
    bool free_slot =
        (slot - judge->pushed) % judge->slots < judge->slots - (judge->pushed - judge->reads);
    FUZZ_CHECK(free_slot && span.offset == CMDRING_SLOTS + slot * judge->slot_bytes &&
                   span.length == judge->slot_bytes,
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

/* Where the data of a socket begin; the indexes lie there too, or in a page before. */
static uint32_t data_base(const struct judge_front *judge, const struct judge_sock *sock)
{
    uint32_t page = judge->seams->channels[step_slot(sock->token)].page;

    return (page + judge->dialect->index.pages) * SHARED_PAGE_BYTES;
}

static bool is_in(const struct bytering_layout *array, uint32_t offset)
{
    return offset >= array->array && offset < array->array + array->size;
}

static void data_read(struct judge_front *judge, struct judge_sock *sock, uint32_t at,
                      struct shared_span span)
{
    const struct dialect_ring *layout = &judge->layout;
    bool data = at == data_base(judge, sock);
    uint32_t value = span.length == 4 ? seams_load(judge->seams, at + span.offset) : 0;

    judge->time++;
    if (data && is_in(&layout->in, span.offset)) {
        check_copy(&layout->in, sock->cons + sock->got, span, sock->queued - sock->got);
        memcpy(sock->bytes + sock->got, judge->seams->memory + at + span.offset, span.length);
        sock->got += span.length;
        return;
    }
    FUZZ_CHECK(span.length == 4 && (!data || judge->dialect->index.pages == 0), "%u bytes at %u",
               span.length, span.offset);
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

/* An index page is written when it was shared, and says no more later. */
static bool is_name(const struct judge_front *judge, struct shared_span span)
{
    const struct dialect_index *index = &judge->dialect->index;

    return index->pages > 0 && judge->ev.kind == EV_SHARE &&
           ((span.offset == index->order_at && span.length == 4) ||
            (span.offset == index->refs_at && span.length == 4 * judge->layout.pages));
}

static void data_write(struct judge_front *judge, struct judge_sock *sock, uint32_t at,
                       struct shared_span span)
{
    const struct bytering_layout *out = &judge->layout.out;
    uint32_t base = data_base(judge, sock);

    judge->stored = STORED_DATA;
    judge->stored_in = sock;
    if (at == base && is_in(out, span.offset)) {
        check_copy(out, sock->prod + sock->put, span, sock->room - sock->put);
        sock->put += span.length;
        judge->stored = STORED_NOTHING;
        return;
    }
    if (at != base && is_name(judge, span))
        return;
    FUZZ_CHECK(span.length == 4 && (at != base || judge->dialect->index.pages == 0),
               "%u bytes at %u", span.length, span.offset);
    for (uint32_t i = 0; span.offset == out->prod && i < sock->put; i++)
        FUZZ_CHECK(judge->seams->memory[base + out->array + (sock->prod + i) % out->size] ==
                       judge->sending[i],
                   "byte %u is another", i);
}

static void data_stored(const struct judge_front *judge, struct judge_sock *sock, uint32_t value)
{
    const struct dialect_index *index = &judge->dialect->index;
    uint32_t at = judge->stored_offset;

    if (index->pages > 0 && at == index->order_at) {
        sock->said_order = value == judge->order;
        return;
    }
    if (index->pages > 0 && at == index->refs_at) {
        uint32_t first = SEAMS_REF + data_base(judge, sock) / SHARED_PAGE_BYTES;
        sock->said_refs = true;
        for (uint32_t i = 0; i < judge->layout.pages; i++)
            sock->said_refs &= seams_load(judge->seams, judge->stored_at + at + 4 * i) == first + i;
        return;
    }
    sock->changed = true;
    if (at == judge->layout.in.cons) {
        sock->cons += sock->got;
        FUZZ_CHECK(value == sock->cons, "in_cons %u is not %u", value, sock->cons);
    } else {
        sock->prod += sock->put;
        FUZZ_CHECK(at == judge->layout.out.prod && value == sock->prod, "stored %u at %u", value,
                   at);
    }
}

/* ---- accesses -------------------------------------------------------------------------------- */

void judge_front_settle(struct judge_front *judge)
{
    struct seams *seams = judge->seams;

    if (judge->stored == STORED_SLOT) {
        uint32_t slot = (judge->stored_offset - CMDRING_SLOTS) / judge->slot_bytes;
        memcpy(judge->shadow[slot], seams->memory + judge->stored_at + judge->stored_offset,
               judge->slot_bytes);
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
        uint32_t after = at / SHARED_PAGE_BYTES - channel->page;
        if (channel->mapped && (after == 0 || after == judge->dialect->index.pages))
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
