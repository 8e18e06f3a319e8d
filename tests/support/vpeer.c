/* A built-in peer in virtual time and its other side. See vpeer.h. */
#include "tests/support/vpeer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void on_record(void *self, const struct trace_record *record)
{
    struct vpeer *vpeer = self;

    if (record->who == VPEER_WHO && (record->point == TRACE_PEER || record->point == TRACE_LINK) &&
        vpeer->record_count < VPEER_RECORDS)
        vpeer->records[vpeer->record_count++] = *record;
}

static bool run_other(void *self, uint64_t now_ns)
{
    struct vpeer *vpeer = self;

    (void)now_ns;
    while (net_next(vpeer->other, &vpeer->events[vpeer->event_count])) {
        vpeer->event_count++;
        assert_in_range(vpeer->event_count, 1, VPEER_EVENTS - 1);
    }
    return false;
}

struct net_link vpeer_link(uint32_t buffer_bytes)
{
    return (struct net_link){
        .delay_ns = VPEER_DELAY_NS,
        .segment_bytes = 65536,
        .send_buffer_bytes = buffer_bytes,
        .receive_buffer_bytes = buffer_bytes,
    };
}

int vpeer_set_up(void **state)
{
    struct vpeer *vpeer = calloc(1, sizeof(*vpeer));
    struct net_virtual_host_config host = {.name = "other", .who = 1};
    struct net_virtual_config net = {.seed = PEERS_SEED, .link = vpeer_link(1 << 20)};
    struct vcpus_config vcpus = {.seed = PEERS_SEED};
    struct vcpu_config vcpu = {.name = "other", .cpu = -1, .run = run_other};

    assert_non_null(vpeer);
    vpeer->sink = (struct trace_sink){.take = on_record, .self = vpeer};
    vcpus.clock = net.clock = vpeer->clock = vclock_create();
    vcpus.costs = &vpeer->costs;
    net.trace = &vpeer->sink;
    vcpu.self = vpeer;
    vpeer->vcpus = vcpus_create(&vcpus);
    vpeer->net = net_virtual_create(&net);
    host.vcpu = vcpu_add(vpeer->vcpus, &vcpu);
    vpeer->other = net_virtual_host(vpeer->net, &host);
    *state = vpeer;
    return 0;
}

int vpeer_tear_down(void **state)
{
    struct vpeer *vpeer = *state;

    if (vpeer->peer)
        peer_virtual_stop(vpeer->peer);
    net_destroy(vpeer->other);
    net_virtual_destroy(vpeer->net);
    vcpus_destroy(vpeer->vcpus);
    vclock_destroy(vpeer->clock);
    free(vpeer);
    return 0;
}

struct call_addr vpeer_address(uint16_t port)
{
    static const uint8_t ip[4] = {127, 0, 0, 1};
    struct call_addr addr;

    call_addr4(&addr, ip, port);
    return addr;
}

struct peer_virtual *vpeer_try_start(struct vpeer *vpeer, const struct scenario_peer *spec,
                                     int *error)
{
    struct peer_virtual_config config = {
        .peer = spec,
        .vcpus = vpeer->vcpus,
        .world = vpeer->net,
        .trace = &vpeer->sink,
        .who = VPEER_WHO,
        .connect_to = vpeer_address(80),
        .seed = PEERS_SEED,
        .stream_base = PEERS_STREAM,
    };

    return peer_virtual_start(&config, error);
}

void vpeer_start(struct vpeer *vpeer, enum scenario_peer_kind kind)
{
    struct scenario_peer spec = {.name = "peer", .kind = kind, .cpu = -1};
    int error = -1;

    spec.addr.addr = vpeer_address(0);
    vpeer->peer = vpeer_try_start(vpeer, &spec, &error);
    assert_non_null(vpeer->peer);
    assert_int_equal(error, 0);
}

const struct peer_counters *vpeer_counters(const struct vpeer *vpeer)
{
    return peer_virtual_counters(vpeer->peer);
}

/* ---- the other side ---- */

bool vpeer_take(struct vpeer *vpeer, enum ev_kind kind, uint64_t token, int32_t *ret)
{
    for (uint32_t i = 0; i < vpeer->event_count; i++) {
        if (vpeer->events[i].kind != kind || vpeer->events[i].token != token)
            continue;
        *ret = vpeer->events[i].ret;
        vpeer->events[i] = vpeer->events[--vpeer->event_count];
        return true;
    }
    return false;
}

int32_t vpeer_await(struct vpeer *vpeer, enum ev_kind kind, uint64_t token)
{
    int32_t ret = 0;

    while (!vpeer_take(vpeer, kind, token, &ret))
        assert_true(vclock_step(vpeer->clock));
    return ret;
}

void vpeer_settle(struct vpeer *vpeer)
{
    while (vclock_step(vpeer->clock))
        continue;
}

void vpeer_open(struct vpeer *vpeer, uint64_t token)
{
    struct call_addr addr = peer_virtual_address(vpeer->peer);

    net_connect(vpeer->other, token, &addr);
    assert_int_equal(vpeer_await(vpeer, EV_NET_CONNECT, token), 0);
}

void vpeer_say(struct vpeer *vpeer, uint64_t token, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        struct shared_iov iov = {.base = (void *)(uintptr_t)bytes, .length = size};
        int32_t ret;

        net_write(vpeer->other, token, &iov, 1);
        ret = vpeer_await(vpeer, EV_NET_WRITE, token);
        assert_true(ret > 0);
        bytes += ret;
        size -= (size_t)ret;
    }
}

int64_t vpeer_hear(struct vpeer *vpeer, uint64_t token, uint8_t *bytes, size_t size)
{
    size_t got = 0;

    while (got < size) {
        struct shared_iov iov = {.base = bytes + got, .length = size - got};
        int32_t ret;

        net_read(vpeer->other, token, &iov, 1);
        ret = vpeer_await(vpeer, EV_NET_READ, token);
        if (ret < 0)
            return ret;
        if (ret == 0)
            break;
        got += (size_t)ret;
    }
    return (int64_t)got;
}

void vpeer_shut(struct vpeer *vpeer, uint64_t token)
{
    net_shutdown(vpeer->other, token);
}

void vpeer_assert_ended(struct vpeer *vpeer, uint64_t token)
{
    uint8_t byte;

    assert_int_equal(vpeer_hear(vpeer, token, &byte, 1), 0);
    net_close(vpeer->other, token);
    vpeer_settle(vpeer);
    assert_int_equal(vpeer_counters(vpeer)->open, 0);
}

void vpeer_tell(struct vpeer *vpeer, enum scenario_peer_kind kind, enum payload_mode mode,
                uint64_t bytes, size_t size)
{
    uint8_t *wire = malloc(PAYLOAD_HEADER_BYTES + size);

    assert_non_null(wire);
    peers_wire(wire, mode, bytes, size);
    vpeer_start(vpeer, kind);
    vpeer_open(vpeer, 1);
    vpeer_say(vpeer, 1, wire, PAYLOAD_HEADER_BYTES + size);
    free(wire);
}
