/*
 * Who waits for what, when a run in virtual time has stalled. See run_virtual.h.
 *
 * For each guest that waits (the first few of them): its workloads, both ends of its command ring
 * and of the data ring of the socket that is waited for, and of each end what became of the last
 * notification to it. What can be read off is said: that the peer of an index has not acted on it,
 * say. Why is not known here: it was not told, or did not look when it was; the notification beside
 * it tells which. Who is dead or stands still is named, and suspected of nothing; nor is one to
 * whom nothing is old, in a run that went on to its timeout.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/run/run_virtual_private.h"

enum {
    GUESTS_TOLD = 4,
    TEXT_BYTES = 8192,
    OLD_NS = 10000000, /* a notification that is not taken by then is late on any model */
};

struct text {
    char *at;
    size_t left;
};

static void add(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *text, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int length = vsnprintf(text->at, text->left, format, args);
    va_end(args);
    size_t used = length > 0 && (size_t)length < text->left ? (size_t)length : text->left - 1;
    text->at += used;
    text->left -= used;
}

/* Nanoseconds as seconds, with all nine digits. */
#define SECONDS "%" PRIu64 ".%09" PRIu64 " s"
#define SECONDS_OF(ns) (ns) / 1000000000, (ns) % 1000000000

static void add_signal(struct text *text, const struct run_virtual *run, uint16_t domid,
                       uint32_t port)
{
    struct hv_virtual_signal last;

    if (port == 0 || !hv_virtual_last_signal(run->machine, domid, port, &last)) {
        add(text, "port %u, never notified\n", port);
        return;
    }
    add(text, "port %u, notified %" PRIu64 " times, last notified at " SECONDS, port, last.count,
        SECONDS_OF(last.sent_ns));
    if (last.fate == TRACE_FATE_COALESCED)
        add(text, last.arrived_ns == 0 && last.waiting ? " while one was pending"
                                                       : " while one was under way");
    if (last.arrived_ns > 0)
        add(text, ", arrived at " SECONDS, SECONDS_OF(last.arrived_ns));
    else if (!last.waiting)
        add(text, ", not arrived yet");
    add(text, last.waiting ? ", and is not taken\n" : "\n");
}

static bool is_away(const struct run_virtual *run, uint64_t away_ns)
{
    return away_ns > vclock_now_ns(run->clock);
}

/* Whether this end of a guest's ring may have missed something: not if it cannot look, nor if a run
 * that goes on was cut off when things had just happened. */
static bool is_suspect(const struct run_virtual *run, const struct guest *guest, bool front,
                       uint32_t port)
{
    uint64_t now_ns = vclock_now_ns(run->clock);
    uint16_t domid = front ? guest->is.domid : guest->is.backend;
    struct hv_virtual_signal last;

    if (is_away(run, front ? guest->away_ns : guest->backend->away_ns))
        return false;
    if (run->status != RUN_VIRTUAL_TIMEOUT || now_ns - guest->moved_ns >= OLD_NS)
        return true;
    return port != 0 && hv_virtual_last_signal(run->machine, domid, port, &last) &&
           now_ns - last.sent_ns >= OLD_NS;
}

static void add_likely(struct text *text, uint64_t count, const char *what)
{
    if (count > 0)
        add(text, "   likely   %" PRIu64 " %s\n", count, what);
}

/* Whether a notification was owed for what lies in the ring: the event is in (cons, prod]. */
static bool is_crossed(uint32_t prod, uint32_t event, uint32_t cons)
{
    return (uint32_t)(prod - event) < (uint32_t)(prod - cons);
}

static void add_command_ring(struct text *text, const struct run_virtual *run,
                             const struct guest *guest, const struct be *be)
{
    struct fe_look front;
    struct be_look back;

    fe_look(run_front_core(guest->front), &front);
    be_look(be, &back);
    add(text, "   %-8s command ring: req_prod %u rsp_cons %u rsp_prod %u rsp_event %u; ",
        guest->is.name, front.req_prod, front.rsp_cons, front.rsp_prod, front.rsp_event);
    if (front.first != CALL_KINDS)
        add(text, "%u unanswered, %s id=%u among them; ", front.outstanding, call_name(front.first),
            front.first_id);
    if (front.queued > 0)
        add(text, "%u wait for a slot; ", front.queued);
    add_signal(text, run, guest->is.domid, front.port);
    add(text, "   %-8s its other end: req_cons %u rsp_prod %u req_prod %u req_event %u; ",
        guest->backend->is.name, back.req_cons, back.rsp_prod, back.req_prod, back.req_event);
    add_signal(text, run, guest->is.backend, back.port);
    bool front_suspect = is_suspect(run, guest, true, front.port);
    bool back_suspect = is_suspect(run, guest, false, back.port);
    add_likely(text, back_suspect ? back.req_prod - back.req_cons : 0,
               is_crossed(back.req_prod, back.req_event, back.req_cons)
                   ? "requests in the ring: the backend was not told of them, or did not look"
                   : "requests in the ring, which the backend did not ask to be told of");
    add_likely(text, front_suspect ? front.rsp_prod - front.rsp_cons : 0,
               is_crossed(front.rsp_prod, front.rsp_event, front.rsp_cons)
                   ? "responses in the ring: the guest was not told of them, or did not look"
                   : "responses in the ring, which the guest did not ask to be told of");
    add_likely(text, back_suspect ? back.unanswered : 0,
               "requests taken by the backend and not answered: it waits for what they ask for, or "
               "has forgotten them");
}

/* What one direction of a data ring holds, and its index of each end. */
struct direction {
    uint32_t prod, cons, error;
};

static struct direction direction(const struct fe_data *data, const struct bytering_layout *at)
{
    return (struct direction){.prod = shared_load(&data->area, at->prod),
                              .cons = shared_load(&data->area, at->cons),
                              .error = shared_load(&data->area, at->error)};
}

static void add_data_ring(struct text *text, const struct run_virtual *run,
                          const struct guest *guest, uint64_t sock)
{
    struct be_sock_look back = {0};
    struct fe_data data;

    if (!fe_data(run_front_core(guest->front), sock, &data))
        return;
    uint32_t port = fe_port(run_front_core(guest->front), sock);
    struct direction in = direction(&data, &data.in), out = direction(&data, &data.out);
    uint64_t wire_id = fe_wire_id(run_front_core(guest->front), sock);
    bool open = be_look_sock(run_back_core(guest->backend->back, guest->is.domid), wire_id, &back);
    add(text,
        "   %-8s data ring of that socket: out_prod %u out_cons %u error %d; in_prod %u in_cons %u "
        "error %d; ",
        guest->is.name, out.prod, out.cons, (int32_t)out.error, in.prod, in.cons,
        (int32_t)in.error);
    add_signal(text, run, guest->is.domid, port);
    add(text, "   %-8s its other end: %s; ", guest->backend->is.name,
        !open                          ? "not open any more"
        : back.writing && back.reading ? "reads and writes its socket"
        : back.writing                 ? "writes its socket and does not read it"
        : back.reading                 ? "reads its socket and does not write it"
                                       : "neither reads nor writes its socket");
    add_signal(text, run, guest->is.backend, back.port);
    uint32_t room = data.out.size - (out.prod - out.cons);
    bool front_suspect = is_suspect(run, guest, true, port);
    bool back_suspect = open && is_suspect(run, guest, false, back.port);
    add_likely(text, front_suspect && data.wants_room && room >= data.out.size / 2 ? room : 0,
               "bytes of room: the guest was not told of it, or did not look");
    add_likely(text, front_suspect && data.wants_bytes ? in.prod - in.cons : 0,
               "bytes to read: the guest was not told of them, or did not look");
    add_likely(text, back_suspect && !back.writing ? out.prod - out.cons : 0,
               "bytes to write: the backend was not told of them, or did not look");
    add_likely(text, back_suspect && !back.reading ? data.in.size - (in.prod - in.cons) : 0,
               "bytes of room to read into: the backend was not told of it, or did not look");
}

static void add_guest(struct text *text, const struct run_virtual *run, const struct guest *guest)
{
    const struct fe *fe = run_front_core(guest->front);
    const struct run_back *back = guest->backend->back;
    const struct be *be = back ? run_back_core(back, guest->is.domid) : NULL;
    uint64_t sock = UINT64_MAX;
    char waits[512], expects[128];

    workload_waits(run_front_workloads(guest->front), waits, sizeof(waits), &sock);
    workload_expects(run_front_workloads(guest->front), expects, sizeof(expects));
    if (expects[0])
        add(text, "   %-8s waits: %s\n", guest->is.name, expects);
    if (!expects[0] || waits[0])
        add(text, "   %-8s waits: %s\n", guest->is.name,
            guest->phase == WORKLOAD_IDLE   ? "for its device to connect"
            : waits[0]                      ? waits
            : guest->phase < WORKLOAD_DRAIN ? "for its time"
                                            : "for its device to close");
    if (fe_state(fe) != XENBUS_CONNECTED || !be || be_state(be) != XENBUS_CONNECTED) {
        add(text, "   %-8s device: state %d; at %s ", guest->is.name, (int)fe_state(fe),
            guest->backend->is.name);
        add(text, be ? "state %d\n" : "there is none\n", be ? (int)be_state(be) : 0);
        return;
    }
    add_command_ring(text, run, guest, be);
    if (sock != UINT64_MAX)
        add_data_ring(text, run, guest, sock);
}

static void add_guests(struct text *text, const struct run_virtual *run)
{
    uint32_t waiting = 0;

    for (uint32_t i = 0; i < run->guest_count; i++)
        if (!run->guests[i].through && run->guests[i].front && waiting++ < GUESTS_TOLD)
            add_guest(text, run, &run->guests[i]);
    if (waiting > GUESTS_TOLD)
        add(text, "   and %u more guests\n", waiting - GUESTS_TOLD);
    for (uint32_t i = 0; waiting == 0 && i < run->backend_count; i++)
        if (run->backends[i].back && !run_back_idle(run->backends[i].back))
            add(text, "   %-8s waits for devices to close\n", run->backends[i].is.name);
}

static void add_away(struct text *text, const char *name, bool dead, uint64_t away_ns)
{
    add(text, "   %-8s %s", name, dead ? "is dead" : "stands still");
    if (away_ns == RUN_VIRTUAL_NEVER)
        add(text, " for good\n");
    else
        add(text, " until " SECONDS "\n", SECONDS_OF(away_ns));
}

/* Who is dead or stands still; not who is through. */
static void add_aways(struct text *text, const struct run_virtual *run)
{
    uint32_t away = 0;

    for (uint32_t i = 0; i < run->backend_count; i++) {
        const struct backend *backend = &run->backends[i];
        if (is_away(run, backend->away_ns))
            add_away(text, backend->is.name, !backend->domain, backend->away_ns);
    }
    for (uint32_t i = 0; i < run->guest_count; i++) {
        const struct guest *guest = &run->guests[i];
        if (!guest->through && is_away(run, guest->away_ns) && away++ < GUESTS_TOLD)
            add_away(text, guest->is.name, !guest->domain, guest->away_ns);
    }
    if (away > GUESTS_TOLD)
        add(text, "   and %u more guests are away\n", away - GUESTS_TOLD);
}

static void add_reason(struct text *text, const struct run_virtual *run)
{
    uint64_t now_ns = vclock_now_ns(run->clock), next_ns = vclock_next_ns(run->clock);

    if (run->status == RUN_VIRTUAL_TIMEOUT)
        add(text, "the run had not ended at its timeout\n");
    else if (next_ns == VCLOCK_NEVER)
        add(text, "nothing can happen any more\n");
    else if (next_ns - now_ns >= RUN_VIRTUAL_PATIENCE_NS)
        add(text, "nothing happens before " SECONDS "\n", SECONDS_OF(next_ns));
    else
        add(text, "nothing has moved since " SECONDS "\n", SECONDS_OF(run->progress_ns));
}

char *run_virtual_stall(const struct run_virtual *run)
{
    char *memory = malloc(TEXT_BYTES);
    struct text text = {memory, TEXT_BYTES};

    assert(memory);
    memory[0] = '\0';
    add_reason(&text, run);
    add_aways(&text, run);
    add_guests(&text, run);
    for (uint32_t i = 0; i < run->scenario.peer_count; i++) {
        const struct peer_counters *peer =
            run->peers[i] ? peer_virtual_counters(run->peers[i]) : NULL;
        if (peer && peer->open > 0)
            add(&text,
                "   %-8s has %" PRIu64 " connections open; %" PRIu64 " bytes in, %" PRIu64 " out\n",
                run->scenario.peers[i].name, peer->open, peer->bytes_in, peer->bytes_out);
        if (peer && peer->connect_failures > 0)
            add(&text, "   %-8s gave up connecting %" PRIu64 " times\n",
                run->scenario.peers[i].name, peer->connect_failures);
    }
    return memory;
}
