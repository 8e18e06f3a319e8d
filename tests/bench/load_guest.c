/*
 * load_guest RUNTIME DIALECT ORDER PORT up|down|rtt|connect SIZE COUNT [LOOK]: the load's client as
 * a guest, by the protocol's own calls: the application is in the guest's process, its socket is at
 * the backend, which goes on by TCP to 127.0.0.1:PORT, where the servers of load.c are. load_guest
 * layout DIALECT ORDER: prints how many bytes such a data ring has, in and out.
 *
 * Joins the hypervisor that serves in RUNTIME as domain 1, whose backend is domain 0; ports are
 * notified once at the end of a turn. Unlike the workloads of a
 * scenario it neither makes nor compares contents: what it is compared with does not either. A
 * connection counts when its release is done, which says that the backend has closed.
 */
#define _GNU_SOURCE 1
#include "tests/bench/load.h"

#include "sim/run/domain_uv.h"
#include "sim/run/front_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

enum { DOMID = 1, BACKEND = 0, SOCKETS = 4, JOIN_MS = 10000 };

struct guest {
    const struct dialect *dialect;
    uint32_t order;
    struct load_plan plan;
    struct load_times times;
    struct call_addr addr;
    struct domain_uv *domain;
    struct front_core core;
    uint64_t sock;
    uint64_t to_send; /* as far as decided; grows with each request */
    uint64_t sent, received;
    uint64_t asked_ns, began_ns, took_ns;
    uint64_t visits;
    bool through, stopped;
};

static char buffer[LOAD_SIZE_MAX];

/* ---- calls ---- */

static struct step_out *call(struct guest *guest)
{
    return exec_call(domain_uv_exec(guest->domain), uv_hrtime());
}

static int64_t called(struct guest *guest, const struct exec_call *was)
{
    exec_call_was(domain_uv_exec(guest->domain), was);
    exec_call_end(domain_uv_exec(guest->domain), guest->core.index);
    return was->ret;
}

static int64_t send_some(struct guest *guest, const void *from, uint32_t bytes)
{
    int64_t ret = fe_send(guest->core.fe, &(struct fe_send){guest->sock, from, bytes}, call(guest));

    if (called(guest, &(struct exec_call){TRACE_CALL_SEND, guest->sock, bytes, ret}) < 0)
        load_fail("send: %s", err_name((int32_t)ret));
    return ret;
}

static int64_t recv_some(struct guest *guest)
{
    int64_t ret = fe_recv(guest->core.fe, &(struct fe_recv){guest->sock, buffer, LOAD_READ_BYTES},
                          call(guest));

    called(guest, &(struct exec_call){TRACE_CALL_RECV, guest->sock, LOAD_READ_BYTES, ret});
    if (ret < 0 && ret != -ERR_AGAIN)
        load_fail("recv: %s", err_name((int32_t)ret));
    return ret;
}

static void dial(struct guest *guest)
{
    int64_t sock = fe_connect(guest->core.fe, &guest->addr, call(guest));

    called(guest, &(struct exec_call){CALL_CONNECT, (uint64_t)sock, 0, sock});
    if (sock < 0)
        load_fail("connect: %s", err_name((int32_t)sock));
    guest->sock = (uint64_t)sock;
    guest->sent = guest->received = 0;
}

static void hang_up(struct guest *guest)
{
    int ret = fe_release(guest->core.fe, guest->sock, call(guest));

    called(guest, &(struct exec_call){CALL_RELEASE, guest->sock, 0, ret});
    if (ret < 0)
        load_fail("release: %s", err_name(ret));
}

/* ---- the load ---- */

/* Write by write, until the ring is full or nothing is to be sent. */
static void send_due(struct guest *guest)
{
    while (guest->sent < guest->to_send) {
        uint32_t bytes = guest->plan.size - (uint32_t)(guest->sent % guest->plan.size);
        int64_t took = send_some(guest, buffer, bytes);
        guest->sent += (uint64_t)took;
        if (took < bytes)
            return;
    }
}

static void ask(struct guest *guest)
{
    guest->asked_ns = load_now_ns();
    guest->to_send += guest->plan.size;
    send_due(guest);
}

static void connected(struct guest *guest)
{
    struct load_header header = load_header_of(&guest->plan);

    if (guest->plan.what == LOAD_CONNECT)
        return;
    guest->began_ns = load_now_ns();
    if (send_some(guest, &header, sizeof(header)) != sizeof(header))
        load_fail("no room for the header in an empty ring");
    if (guest->plan.what == LOAD_UP) {
        guest->to_send = load_bytes(&guest->plan);
        send_due(guest);
    } else if (guest->plan.what == LOAD_RTT) {
        ask(guest);
    }
}

static void answered(struct guest *guest)
{
    load_times_add(&guest->times, load_now_ns() - guest->asked_ns);
    load_look(&guest->plan);
    if (guest->times.count < guest->plan.count)
        ask(guest);
}

/* Bytes that are to come before the end. */
static uint64_t expected(const struct guest *guest)
{
    return guest->plan.what == LOAD_UP || guest->plan.what == LOAD_CONNECT
               ? 1
               : load_bytes(&guest->plan);
}

static void took_bytes(struct guest *guest, uint64_t bytes)
{
    char wanted = guest->plan.what == LOAD_UP ? LOAD_ALL_ARRIVED : LOAD_GREETING;

    guest->received += bytes;
    if (guest->received > expected(guest))
        load_fail("more arrived than was sent");
    if (expected(guest) == 1 && buffer[0] != wanted)
        load_fail("the server said %d instead of %d", buffer[0], wanted);
    if (guest->plan.what == LOAD_UP && guest->sent < guest->to_send)
        load_fail("the server has all before it was sent");
    if (guest->plan.what == LOAD_RTT &&
        guest->received == (guest->times.count + 1) * guest->plan.size)
        answered(guest);
    if (guest->received == expected(guest))
        guest->took_ns = load_now_ns() - guest->began_ns;
}

static void take_due(struct guest *guest)
{
    int64_t got;

    while ((got = recv_some(guest)) > 0)
        took_bytes(guest, (uint64_t)got);
    if (got != 0)
        return;
    if (guest->received < expected(guest))
        load_fail("the stream ended early");
    hang_up(guest);
}

static void released(struct guest *guest)
{
    guest->visits++;
    if (guest->plan.what == LOAD_CONNECT && guest->visits < guest->plan.count) {
        dial(guest);
        return;
    }
    if (guest->plan.what == LOAD_CONNECT)
        guest->took_ns = load_now_ns() - guest->began_ns;
    guest->through = true;
}

static void done(struct guest *guest, const struct act_done *what)
{
    if (what->ret < 0)
        load_fail("%s: %s", what->call == CALL_CONNECT ? "connect" : "release",
                  err_name(what->ret));
    if (what->call == CALL_CONNECT)
        connected(guest);
    else if (what->call == CALL_RELEASE)
        released(guest);
}

/* ---- the device ---- */

static void upcall(void *self, const struct act *act)
{
    struct guest *guest = self;

    if (act->kind == ACT_UP) {
        guest->began_ns = load_now_ns();
        dial(guest);
    } else if (act->kind == ACT_DONE) {
        done(guest, &act->done);
    } else if (act->kind == ACT_READABLE) {
        take_due(guest);
    } else if (act->kind == ACT_WRITABLE) {
        send_due(guest);
    } else if (act->kind == ACT_GONE && !guest->stopped) {
        load_fail("the backend went away");
    }
}

static void report(void *self, const struct act_fault *fault)
{
    (void)self;
    load_fail("the backend broke the protocol: fault %d", (int)fault->reason);
}

static void lost(void *self)
{
    (void)self;
    load_fail("the hypervisor went away");
}

/* Through: stop the device in good order, then leave the hypervisor, which ends the loop. */
static uint64_t turned(void *self, uint64_t now_ns)
{
    struct guest *guest = self;

    (void)now_ns;
    if (guest->through && !guest->stopped) {
        guest->stopped = true;
        exec_post(domain_uv_exec(guest->domain), guest->core.index, EV_STOP);
        domain_uv_kick(guest->domain);
    } else if (guest->stopped && front_core_idle(&guest->core)) {
        domain_uv_close(guest->domain);
        front_core_fini(&guest->core);
    }
    return STEP_NEVER;
}

static void join(struct guest *guest, uv_loop_t *loop, const char *runtime)
{
    const struct domain_uv_config config = {.runtime = runtime,
                                            .domid = DOMID,
                                            .notify = EXEC_NOTIFY_COALESCED,
                                            .max_devices = 1,
                                            .timeout_ms = JOIN_MS,
                                            .self = guest,
                                            .lost = lost,
                                            .turned = turned};
    int error;

    guest->domain = domain_uv_open(loop, &config, &error);
    if (!guest->domain)
        load_fail("no hypervisor in %s: %s", runtime, err_name(error));
    const struct front_core_config core = {.exec = domain_uv_exec(guest->domain),
                                           .domid = DOMID,
                                           .backend = BACKEND,
                                           .dialect = guest->dialect,
                                           .order = guest->order,
                                           .max_sockets = SOCKETS,
                                           .self = guest,
                                           .upcall = upcall,
                                           .report = report};
    if (!front_core_init(&guest->core, &core))
        load_fail("no memory");
    domain_uv_kick(guest->domain);
}

/* Exits with 2 if there is no such dialect, or it has not that order. */
static void speak(struct guest *guest, const char *name, const char *order)
{
    const struct dialect *dialect = dialect_find(name);

    if (!dialect) {
        fprintf(stderr, "there is no dialect '%s'; there are:", name);
        for (uint32_t i = 0; dialect_at(i); i++)
            fprintf(stderr, " %s", dialect_at(i)->name);
        fputc('\n', stderr);
        exit(2);
    }
    guest->dialect = dialect;
    guest->order = (uint32_t)strtoul(order, NULL, 10);
    if (guest->order >= dialect->order_min && guest->order <= dialect->order_max)
        return;
    fprintf(stderr, "%s has orders %u to %u, not %s\n", name, dialect->order_min,
            dialect->order_max, order);
    exit(2);
}

static void layout(const struct guest *guest)
{
    struct dialect_ring ring;

    dialect_ring(guest->dialect, guest->order, &ring);
    printf("%u %u\n", ring.in.size, ring.out.size);
}

int main(int argc, char **argv)
{
    struct guest guest = {.through = false};
    uv_loop_t loop;
    bool asked = argc == 4 && strcmp(argv[1], "layout") == 0;

    if (argc < 8 && !asked) {
        fprintf(stderr,
                "usage: %s RUNTIME DIALECT ORDER PORT up|down|rtt|connect SIZE COUNT [LOOK]\n"
                "       %s layout DIALECT ORDER\n",
                argv[0], argv[0]);
        return 2;
    }
    speak(&guest, argv[2], argv[3]);
    if (asked) {
        layout(&guest);
        return 0;
    }
    guest.plan = load_plan_of(argc - 5, argv + 5);
    call_addr4(&guest.addr, (const uint8_t[]){127, 0, 0, 1}, (uint16_t)strtoul(argv[4], NULL, 10));
    load_times_init(&guest.times, &guest.plan);
    alarm(LOAD_LIFE_S);
    uv_loop_init(&loop);
    join(&guest, &loop, argv[1]);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    load_report(guest.took_ns, &guest.times);
    load_times_fini(&guest.times);
    return 0;
}
