/* Sockets in virtual time: when things happen. Delay, rate, jitter, loss, costs and wake-ups to the
 * nanosecond; and that the numbers of one pair of hosts are nobody else's. */
#include "tests/sim/net/virtual_fixture.h"

static struct world *world_with(const struct net_link *link, uint64_t seed)
{
    struct world *world = new_world(link, seed);

    add_host(world, CLIENT, "client", -1);
    add_host(world, SERVER, "server", -1);
    return world;
}

/* The segments with bytes that a host sent, in order. */
static uint32_t segments_of(const struct world *world, uint16_t host,
                            struct trace_record found[TRACED_MAX])
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world->traced_count; i++) {
        const struct trace_record *record = &world->traced[i];

        if (record->point == TRACE_LINK && record->who == TRACE_PEER_BASE + host &&
            record->extra > 0)
            found[count++] = *record;
    }
    return count;
}

/* Send `count` segments of `bytes` bytes from the client, all written at once. */
static void send_segments(struct world *world, uint64_t token, uint32_t count, uint32_t bytes)
{
    static char data[1 << 20];

    assert_true((size_t)count * bytes <= sizeof(data));
    send_bytes(&world->hosts[CLIENT], token, data, (size_t)count * bytes);
}

static void test_delay(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    char in[4] = "";

    connect_pair(world);
    start_read(server, B, in, 3);
    run_until(world, SECOND);
    send_bytes(client, A, "abcd", 4);
    assert_int_equal(expect(server, EV_NET_READ, B, 3), SECOND + 50 * US);
    run_until(world, SECOND + 60 * US);
    assert_int_equal(expect_text(server, B, "d"), SECOND + 60 * US);
}

/* 1,000 segments on a wire whose rate divides nothing: each ends where exact arithmetic has it. */
static void test_rate_never_drifts(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct net_link link = plain_link;
    struct world *world;

    (void)state;
    link.rate_bytes_per_s = 7000003;
    link.segment_bytes = 1000;
    link.send_buffer_bytes = link.receive_buffer_bytes = 1 << 20;
    world = world_with(&link, 1);
    connect_pair(world);
    run_until(world, SECOND);
    send_segments(world, A, 1000, 1000);
    assert_int_equal(segments_of(world, CLIENT, sent), 1000);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(sent[i].now_ns, SECOND);
        assert_int_equal(sent[i].value, (i + 1) * 1000 * SECOND / link.rate_bytes_per_s + 50 * US);
    }
    free_world(world);
}

/* Also when each segment is written just when the one before it ends. */
static void test_rate_keeps_fractions(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct net_link link = plain_link;
    struct world *world;

    (void)state;
    link.rate_bytes_per_s = 3;
    world = world_with(&link, 1);
    connect_pair(world);
    for (uint64_t i = 0; i < 3; i++) {
        run_until(world, SECOND + i * SECOND / 3);
        start_write(&world->hosts[CLIENT], A, "x", 1);
        expect(&world->hosts[CLIENT], EV_NET_WRITE, A, 1);
    }
    assert_int_equal(segments_of(world, CLIENT, sent), 3);
    assert_int_equal(sent[2].now_ns + sent[2].value, 2 * SECOND + 50 * US);
    free_world(world);
}

/* Connections share one wire each way, whoever opened them; after a pause it is free at once. */
static void test_a_wire_is_shared(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct net_link link = plain_link;
    struct world *world;

    (void)state;
    link.rate_bytes_per_s = 1000000;
    world = world_with(&link, 1);
    connect_pair(world);
    start_listener(&world->hosts[CLIENT], PORT + 1, 1);
    net_accept(world->hosts[CLIENT].net, P, LISTENER);
    start_connect(&world->hosts[SERVER], Q, PORT + 1);
    expect(&world->hosts[CLIENT], EV_NET_ACCEPT, P, 0);
    expect(&world->hosts[SERVER], EV_NET_CONNECT, Q, 0);
    run_until(world, SECOND);
    for (uint64_t token = A; token <= P; token += P - A)
        start_write(&world->hosts[CLIENT], token, "0123456789", 10);
    start_write(&world->hosts[SERVER], B, "0123456789", 10);
    run_until(world, SECOND + MS);
    start_write(&world->hosts[SERVER], Q, "0123456789", 10);
    assert_int_equal(segments_of(world, CLIENT, sent), 2);
    assert_int_equal(sent[0].value, 60 * US);
    assert_int_equal(sent[1].value, 70 * US);
    assert_int_equal(segments_of(world, SERVER, sent), 2);
    assert_int_equal(sent[0].value, 60 * US);
    assert_int_equal(sent[1].value, 60 * US);
    free_world(world);
}

/* What the numbers of the client's segments say, beside the delay: each own + what came before. */
static void check_order(const struct trace_record *sent, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++)
        assert_true(sent[i].now_ns + sent[i].value >= sent[i - 1].now_ns + sent[i - 1].value);
}

/* Write `count` segments a microsecond apart. */
static void send_apart(struct world *world, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        run_until(world, SECOND + i * US);
        start_write(&world->hosts[CLIENT], A, "x", 1);
        expect(&world->hosts[CLIENT], EV_NET_WRITE, A, 1);
    }
}

static void test_jitter_keeps_the_order(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct net_link link = plain_link;
    struct world *world;
    uint32_t late = 0, pushed = 0;
    uint64_t connected_ns;

    (void)state;
    link.jitter_ns = 10 * US;
    world = world_with(&link, 7);
    connect_pair(world);
    run_until(world, 500 * MS);
    start_connect(&world->hosts[CLIENT], P, PORT);
    connected_ns = expect(&world->hosts[CLIENT], EV_NET_CONNECT, P, 0) - 500 * MS;
    assert_true(connected_ns > 107 * US && connected_ns <= 117 * US);
    send_apart(world, 500);
    assert_int_equal(segments_of(world, CLIENT, sent), 500);
    check_order(sent, 500);
    for (uint32_t i = 0; i < 500; i++) {
        assert_true(sent[i].value >= 50 * US && sent[i].value <= 60 * US);
        late += sent[i].value > 55 * US;
        pushed += i > 0 && sent[i].now_ns + sent[i].value == sent[i - 1].now_ns + sent[i - 1].value;
    }
    assert_true(late > 100 && late < 450 && pushed > 50);
    free_world(world);
}

/* A segment that was lost k times is 2^k - 1 retransmission times late, and what is behind it
 * arrives no earlier. */
static void test_loss_delays(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct net_link link = plain_link;
    struct world *world;
    uint64_t last_ns = 0;
    uint32_t lost = 0, twice = 0;

    (void)state;
    link.retransmit_ns = 3 * US;
    world = world_with(&link, 7);
    connect_pair(world);
    link.loss_ppm = 200000;
    net_virtual_set_link(world->hosts[CLIENT].net, world->hosts[SERVER].net, &link);
    send_apart(world, 1000);
    assert_int_equal(segments_of(world, CLIENT, sent), 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        uint64_t own_ns = sent[i].now_ns + 50 * US + 3 * US * ((1u << sent[i].detail) - 1);

        last_ns = own_ns > last_ns ? own_ns : last_ns;
        assert_int_equal(sent[i].now_ns + sent[i].value, last_ns);
        lost += sent[i].detail > 0;
        twice += sent[i].detail > 1;
    }
    assert_true(lost > 160 && lost < 240 && twice > 20 && twice < 60);
    free_world(world);
}

static void test_a_segment_gets_through_at_last(void **state)
{
    struct world *world = *state;
    struct net_link link = plain_link;

    connect_pair(world);
    link.loss_ppm = 1000000;
    net_virtual_set_link(world->hosts[CLIENT].net, world->hosts[SERVER].net, &link);
    run_until(world, SECOND);
    send_bytes(&world->hosts[CLIENT], A, "x", 1);
    assert_int_equal(expect_text(&world->hosts[SERVER], B, "x"),
                     SECOND + 50 * US + 32767 * 200 * MS);
}

static void test_a_link_changes_from_now_on(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;
    char in[8];

    assert_int_equal(net_virtual_link(client->net, server->net)->delay_ns, 50 * US);
    connect_pair(world);
    run_until(world, SECOND);
    send_bytes(client, A, "a", 1);
    link.delay_ns = 90 * US;
    net_virtual_set_link(server->net, client->net, &link);
    assert_int_equal(net_virtual_link(client->net, server->net)->delay_ns, 90 * US);
    start_read(server, B, in, 1);
    assert_int_equal(expect(server, EV_NET_READ, B, 1), SECOND + 50 * US);
    run_until(world, 2 * SECOND);
    send_bytes(client, A, "b", 1);
    start_read(server, B, in, 1);
    assert_int_equal(expect(server, EV_NET_READ, B, 1), 2 * SECOND + 90 * US);
    run_until(world, 3 * SECOND);
    link.rate_bytes_per_s = 999983; /* a byte takes 1000 ns and a fraction, */
    net_virtual_set_link(client->net, server->net, &link);
    start_write(client, A, "c", 1);
    link.rate_bytes_per_s = 1000; /* which is none of the new rate's business */
    net_virtual_set_link(client->net, server->net, &link);
    run_until(world, 3 * SECOND);
    start_write(client, A, "d", 1);
    start_read(server, B, in, 1);
    assert_int_equal(expect(server, EV_NET_READ, B, 1), 3 * SECOND + 91 * US);
    start_read(server, B, in, 1);
    assert_int_equal(expect(server, EV_NET_READ, B, 1), 3 * SECOND + 91 * US + MS);
}

/* The window a reader opens is known a delay after the read was paid for, not before. */
static void test_window_opens_a_delay_later(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;
    char in[8];

    link.receive_buffer_bytes = 4;
    net_virtual_set_link(client->net, server->net, &link);
    connect_pair(world);
    send_bytes(client, A, "abcdef", 6);
    settle(world);
    run_until(world, SECOND);
    start_read(server, B, in, 1);
    expect(server, EV_NET_READ, B, 1);
    run_until(world, SECOND + 20 * US);
    send_bytes(client, A, "g", 1);
    settle(world);
    assert_int_equal(segments_of(world, CLIENT, sent), 2);
    assert_int_equal(sent[0].extra, 4);
    assert_int_equal(sent[1].extra, 1);
    assert_int_equal(sent[1].now_ns, SECOND + 50 * US);
}

static void test_room_comes_with_the_acknowledgement(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT];
    struct net_link link = plain_link;

    link.send_buffer_bytes = 4;
    net_virtual_set_link(client->net, world->hosts[SERVER].net, &link);
    connect_pair(world);
    run_until(world, SECOND);
    send_bytes(client, A, "abcd", 4);
    run_until(world, SECOND + 60 * US);
    start_write(client, A, "e", 1);
    assert_int_equal(expect(client, EV_NET_WRITE, A, 1), SECOND + 100 * US);
}

/* ---- costs ---- */

static void set_cost_ns(struct world *world, enum cost_row row, uint64_t ns)
{
    world->costs.rows[row].low_ps = ns * 1000;
}

static char transferred[8];

static void turn_nothing(struct host *host)
{
    (void)host;
}

static void turn_write_and_connect(struct host *host)
{
    start_write(host, A, "abcd", 4);
    start_connect(host, P, PORT);
}

static void turn_write_twice(struct host *host)
{
    start_write(host, A, "abcd", 4);
    start_connect(host, P, PORT);
    start_write(host, Q, "ef", 2);
}

static void turn_read(struct host *host)
{
    start_read(host, B, transferred, sizeof(transferred));
}

static void turn_accept(struct host *host)
{
    net_accept(host->net, P, LISTENER);
}

/* Each call of a turn takes effect when it and all before it are paid for. */
static void test_costs_of_calls(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    connect_pair(world);
    net_accept(server->net, Q, LISTENER);
    start_connect(client, Q, PORT);
    expect(server, EV_NET_ACCEPT, Q, 0);
    expect(client, EV_NET_CONNECT, Q, 0);
    set_cost_ns(world, COST_SOCKET_OPEN, 1000);
    set_cost_ns(world, COST_SOCKET_WRITE, 200);
    set_cost_ns(world, COST_SOCKET_WRITE_BYTE, 3);
    set_cost_ns(world, COST_SOCKET_READ, 500);
    set_cost_ns(world, COST_SOCKET_READ_BYTE, 7);
    run_until(world, SECOND);
    in_turn(client, turn_write_twice);
    assert_int_equal(client->turn_ns, SECOND);
    assert_int_equal(client->after_ns, SECOND + 212 + 1000 + 206);
    assert_int_equal(segments_of(world, CLIENT, sent), 2);
    assert_int_equal(sent[0].value, 212 + 50 * US);
    assert_int_equal(sent[1].value, 212 + 1000 + 206 + 50 * US);
    /* told in the turn after the one that paid for it */
    assert_int_equal(expect(client, EV_NET_WRITE, A, 4), SECOND + 1418);
    assert_int_equal(expect(client, EV_NET_WRITE, Q, 2), SECOND + 1418);
    assert_int_equal(expect(client, EV_NET_CONNECT, P, 0), SECOND + 1212 + 107 * US);
    run_until(world, 2 * SECOND);
    in_turn(server, turn_read);
    assert_int_equal(server->after_ns, 2 * SECOND + 500 + 4 * 7);
    assert_int_equal(expect(server, EV_NET_READ, B, 4), 2 * SECOND + 528);
    run_until(world, 3 * SECOND);
    in_turn(server, turn_accept);
    assert_int_equal(server->after_ns, 3 * SECOND + 1000);
    assert_int_equal(expect(server, EV_NET_ACCEPT, P, 0), 3 * SECOND + 1000);
}

static void turn_write_long(struct host *host)
{
    start_write(host, B, "abcd", 4);
    start_write(host, Q, "efghi", 5);
}

/* What calls and the network bring during a turn is taken by when it was due. */
static void test_completions_in_order_of_time(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    connect_pair(world);
    net_accept(server->net, Q, LISTENER);
    start_connect(client, Q, PORT);
    expect(server, EV_NET_ACCEPT, Q, 0);
    expect(client, EV_NET_CONNECT, Q, 0);
    start_read(server, Q, transferred, 1);
    set_cost_ns(world, COST_SOCKET_WRITE_BYTE, 1000);
    run_until(world, SECOND - 45 * US);
    start_write(client, Q, "x", 1); /* arrives 5 us into the turn */
    run_until(world, SECOND);
    in_turn(server, turn_write_long);
    expect(server, EV_NET_WRITE, B, 4);
    expect(server, EV_NET_READ, Q, 1);
    assert_int_equal(expect(server, EV_NET_WRITE, Q, 5), SECOND + 9 * US);
}

/* What the network brings finds an idle vCPU asleep, with one wake-up for all that comes meanwhile,
 * and one that runs awake; the call it ends is paid for in the turn that takes it. */
static void test_wake_of_an_idle_vcpu(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    char in[2][8];

    connect_pair(world);
    net_accept(server->net, Q, LISTENER);
    start_connect(client, Q, PORT);
    expect(server, EV_NET_ACCEPT, Q, 0);
    expect(client, EV_NET_CONNECT, Q, 0);
    start_read(server, B, in[0], 8);
    start_read(server, Q, in[1], 8);
    settle(world);
    set_cost_ns(world, COST_SOCKET_WAKE, 5000);
    set_cost_ns(world, COST_SOCKET_READ, 900);
    run_until(world, SECOND);
    start_write(client, A, "a", 1);
    run_until(world, SECOND + 2 * US);
    start_write(client, Q, "b", 1);
    assert_int_equal(expect(server, EV_NET_READ, B, 1), SECOND + 55 * US);
    assert_int_equal(expect(server, EV_NET_READ, Q, 1), SECOND + 55 * US);

    start_write(client, A, "c", 1);
    run_until(world, SECOND + 105 * US - 100);
    vcpu_charge(server->vcpu, COST_SOCKET_READ, 1);
    vcpu_wake(server->vcpu, SECOND + 105 * US - 100);
    start_read(server, B, in[0], 8);
    assert_int_equal(expect(server, EV_NET_READ, B, 1), SECOND + 105 * US + 800);
}

/* Client and server on one CPU take turns: the server's cannot begin before the client's is paid
 * for. */
static void test_two_hosts_on_one_cpu(void **state)
{
    struct net_link link = plain_link;
    struct world *world;
    struct host *client, *server;

    (void)state;
    link.delay_ns = 100;
    link.connect_ns = 0;
    world = new_world(&link, 1);
    client = &world->hosts[CLIENT];
    server = &world->hosts[SERVER];
    add_host(world, CLIENT, "client", 0);
    add_host(world, SERVER, "server", 0);
    connect_pair(world);
    start_read(server, B, transferred, 1);
    settle(world);
    set_cost_ns(world, COST_SOCKET_WRITE_BYTE, 200);
    set_cost_ns(world, COST_SOCKET_OPEN, 3000);
    set_cost_ns(world, COST_SOCKET_WAKE, SECOND); /* never: the CPU is not idle when bytes come */
    set_cost_ns(world, COST_CONTEXT_SWITCH, 500);
    run_until(world, SECOND);
    in_turn(server, turn_nothing); /* so that it is clear whose the CPU was */
    run_until(world, SECOND + US);
    in_turn(client, turn_write_and_connect);
    assert_int_equal(client->after_ns, SECOND + US + 500 + 800 + 3000);
    /* the client has the CPU for one more turn, of 1 ns, to take its completion */
    assert_int_equal(expect(server, EV_NET_READ, B, 1), client->after_ns + 1);
    free_world(world);
}

/* ---- repeatable ---- */

static uint64_t trace_hash(const struct world *world, uint16_t host)
{
    uint64_t hash = 0;

    for (uint32_t i = 0; i < world->traced_count; i++)
        if (world->traced[i].who == TRACE_PEER_BASE + host)
            hash = (hash ^ world->traced[i].now_ns ^ world->traced[i].value << 20) * 0x9e3779b1u;
    return hash;
}

/* A client that sends to the server while, or not, a stranger does too. */
static uint64_t run_once(uint64_t seed, bool stranger)
{
    struct net_link link = plain_link;
    struct world *world;
    uint64_t hash;

    link.jitter_ns = 20 * US;
    link.loss_ppm = 100000;
    world = new_world(&link, seed);
    if (stranger)
        add_host(world, THIRD, "stranger", -1);
    add_host(world, CLIENT, "client", -1);
    add_host(world, SERVER, "server", -1);
    start_listener(&world->hosts[SERVER], PORT, 8);
    run_until(world, MS);
    if (stranger)
        start_connect(&world->hosts[THIRD], A, PORT);
    start_connect(&world->hosts[CLIENT], A, PORT);
    expect(&world->hosts[CLIENT], EV_NET_CONNECT, A, 0);
    if (stranger) {
        expect(&world->hosts[THIRD], EV_NET_CONNECT, A, 0);
        send_bytes(&world->hosts[THIRD], A, "hello", 5);
    }
    run_until(world, 10 * SECOND);
    for (int i = 0; i < 50; i++)
        send_bytes(&world->hosts[CLIENT], A, "hello", 5);
    settle(world);
    hash = trace_hash(world, CLIENT);
    free_world(world);
    return hash;
}

/* The first connection's bytes arrive when the second's do only if they share their numbers. */
static void test_each_connection_has_its_own_numbers(void **state)
{
    static struct trace_record sent[TRACED_MAX];
    struct net_link link = plain_link;
    struct world *world;
    uint32_t equal = 0;

    (void)state;
    link.jitter_ns = MS;
    world = world_with(&link, 1);
    connect_pair(world);
    start_connect(&world->hosts[CLIENT], P, PORT);
    expect(&world->hosts[CLIENT], EV_NET_CONNECT, P, 0);
    for (uint64_t i = 0; i < 20; i++) {
        run_until(world, (i + 1) * SECOND);
        start_write(&world->hosts[CLIENT], i < 10 ? A : P, "x", 1);
        expect(&world->hosts[CLIENT], EV_NET_WRITE, i < 10 ? A : P, 1);
    }
    assert_int_equal(segments_of(world, CLIENT, sent), 20);
    for (int i = 0; i < 10; i++)
        equal += sent[i].value == sent[10 + i].value;
    assert_int_equal(equal, 0);
    free_world(world);
}

static void test_numbers_are_a_pairs_own(void **state)
{
    uint64_t hash = run_once(1, false);

    (void)state;
    assert_true(hash == run_once(1, false));
    assert_true(hash == run_once(1, true));
    assert_true(hash != run_once(2, false));
}

static const struct CMUnitTest tests[] = {
    VIRTUAL_TEST(test_delay),
    cmocka_unit_test(test_rate_never_drifts),
    cmocka_unit_test(test_rate_keeps_fractions),
    cmocka_unit_test(test_a_wire_is_shared),
    cmocka_unit_test(test_jitter_keeps_the_order),
    cmocka_unit_test(test_loss_delays),
    VIRTUAL_TEST(test_a_segment_gets_through_at_last),
    VIRTUAL_TEST(test_a_link_changes_from_now_on),
    VIRTUAL_TEST(test_window_opens_a_delay_later),
    VIRTUAL_TEST(test_room_comes_with_the_acknowledgement),
    VIRTUAL_TEST(test_costs_of_calls),
    VIRTUAL_TEST(test_completions_in_order_of_time),
    VIRTUAL_TEST(test_wake_of_an_idle_vcpu),
    cmocka_unit_test(test_two_hosts_on_one_cpu),
    cmocka_unit_test(test_each_connection_has_its_own_numbers),
    cmocka_unit_test(test_numbers_are_a_pairs_own),
};

int main(void)
{
    return !!cmocka_run_group_tests_name("net_virtual_link", tests, NULL, NULL);
}
