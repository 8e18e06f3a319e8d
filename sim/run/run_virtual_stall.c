/*
 * Who waits for what, when a run in virtual time has stalled. See run_virtual.h.
 *
 * For each guest that waits (the first few of them): its workloads, both ends of its command ring,
 * and what became of the last notification each way; for a socket's data ring the same. What is
 * likely is said where it can be read off: requests that lie in the ring while the backend has
 * nothing pending, say.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "sim/run/run_virtual_private.h"

enum { GUESTS_TOLD = 4, TEXT_BYTES = 8192 };

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
        add(text, "never notified");
        return;
    }
    add(text, "last notified at " SECONDS, SECONDS_OF(last.sent_ns));
    if (last.fate == TRACE_FATE_COALESCED)
        add(text, ", coalesced with one before");
    else if (last.arrived_ns == 0)
        add(text, ", still under way");
    else
        add(text, ", arrived at " SECONDS, SECONDS_OF(last.arrived_ns));
}

static void add_rings(struct text *text, const struct run_virtual *run, const struct guest *guest)
{
    const struct be *be = run_back_core(run->back, guest->domid);
    struct fe_look front;
    struct be_look back = {0};

    fe_look(run_front_core(guest->front), &front);
    if (be)
        be_look(be, &back);
    add(text, "   %-8s command ring: req_prod %u rsp_cons %u rsp_prod %u rsp_event %u; ",
        guest->name, front.req_prod, front.rsp_cons, front.rsp_prod, front.rsp_event);
    if (front.first != CALL_KINDS)
        add(text, "%u unanswered, %s id=%u among them; ", front.outstanding, call_name(front.first),
            front.first_id);
    add(text, "%u wait for a slot; port %u: ", front.queued, front.port);
    add_signal(text, run, guest->domid, front.port);
    add(text,
        "\n   %-8s for %s: req_cons %u rsp_prod %u req_prod %u req_event %u; %u taken and "
        "unanswered; port %u: ",
        run->scenario.hosts[run->scenario.backend].name, guest->name, back.req_cons, back.rsp_prod,
        back.req_prod, back.req_event, back.unanswered, back.port);
    add_signal(text, run, RUN_VIRTUAL_BACKEND_DOMID, back.port);
    add(text, "\n");
    if (back.req_prod != back.req_cons)
        add(text,
            "   likely   the backend was not told of %u requests, or did not look again after "
            "it asked to be\n",
            back.req_prod - back.req_cons);
    else if (front.rsp_prod != front.rsp_cons)
        add(text,
            "   likely   the guest was not told of %u responses, or did not look again after "
            "it asked to be\n",
            front.rsp_prod - front.rsp_cons);
}

static void add_socket(struct text *text, const struct run_virtual *run, const struct guest *guest,
                       uint64_t sock)
{
    uint32_t port = fe_port(run_front_core(guest->front), sock), back_port;
    uint16_t back;

    if (port == 0)
        return;
    add(text, "   %-8s data ring of that socket: port %u: ", guest->name, port);
    add_signal(text, run, guest->domid, port);
    if (hypervisor_port_peer(hv_virtual_tables(run->machine), guest->domid, port, &back,
                             &back_port)) {
        add(text, "; the backend's port %u: ", back_port);
        add_signal(text, run, back, back_port);
    } else {
        add(text, "; not bound by the backend");
    }
    add(text, "\n");
}

static bool add_guest(struct text *text, const struct run_virtual *run, const struct guest *guest)
{
    uint64_t sock = UINT64_MAX;
    char waits[512];

    if (guest->through)
        return false;
    workload_waits(run_front_workloads(guest->front), waits, sizeof(waits), &sock);
    if (guest->phase == WORKLOAD_IDLE)
        add(text, "   %-8s waits for its device to connect (state %d)\n", guest->name,
            (int)fe_state(run_front_core(guest->front)));
    else if (waits[0])
        add(text, "   %-8s waits: %s\n", guest->name, waits);
    else
        add(text, "   %-8s waits for its device to close (state %d)\n", guest->name,
            (int)fe_state(run_front_core(guest->front)));
    if (fe_state(run_front_core(guest->front)) == XENBUS_CONNECTED) {
        add_rings(text, run, guest);
        if (sock != UINT64_MAX)
            add_socket(text, run, guest, sock);
    }
    return true;
}

char *run_virtual_stall(const struct run_virtual *run)
{
    char *memory = malloc(TEXT_BYTES);
    struct text text = {memory, TEXT_BYTES};
    uint32_t told = 0, waiting = 0;

    assert(memory);
    memory[0] = '\0';
    for (uint32_t i = 0; i < run->guest_count; i++) {
        waiting += run->guests[i].through ? 0u : 1u;
        if (told < GUESTS_TOLD && add_guest(&text, run, &run->guests[i]))
            told++;
    }
    if (waiting > told)
        add(&text, "   and %u more guests\n", waiting - told);
    for (uint32_t i = 0; i < run->scenario.peer_count; i++) {
        const struct peer_counters *peer =
            run->peers[i] ? peer_virtual_counters(run->peers[i]) : NULL;
        if (peer && peer->open > 0)
            add(&text,
                "   %-8s has %" PRIu64 " connections open; %" PRIu64 " bytes in, %" PRIu64 " out\n",
                run->scenario.peers[i].name, peer->open, peer->bytes_in, peer->bytes_out);
    }
    return memory;
}
