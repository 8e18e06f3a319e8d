/* Sockets in virtual time: addresses, the handshake, accept and poll, cancellation, ends of hosts.
 */
#include "tests/sim/net/virtual_fixture.h"

static void expect_bind(struct host *host, uint64_t token, const struct call_addr *addr,
                        int32_t ret)
{
    net_bind(host->net, token, addr);
    expect(host, EV_NET_BIND, token, ret);
}

static struct call_addr addr4(uint8_t a, uint8_t b, uint8_t c, uint8_t d, uint16_t port)
{
    const uint8_t ip[4] = {a, b, c, d};
    struct call_addr addr;

    call_addr4(&addr, ip, port);
    return addr;
}

static struct call_addr addr6(uint8_t last, uint16_t port)
{
    const uint8_t ip[16] = {[15] = last};
    struct call_addr addr;

    call_addr6(&addr, ip, port);
    return addr;
}

static void test_which_addresses_exist(void **state)
{
    struct host *client = &((struct world *)*state)->hosts[CLIENT];
    const struct call_addr there[] = {addr4(127, 0, 0, 1, 80), addr4(127, 1, 2, 3, 81),
                                      addr4(0, 0, 0, 0, 82), addr6(1, 80), addr6(0, 81)};
    const struct call_addr elsewhere[] = {addr4(10, 0, 0, 1, 83), addr6(2, 82)};

    for (uint64_t i = 0; i < 5; i++) {
        expect_bind(client, A + i, &there[i], 0);
        assert_memory_equal(net_virtual_address(client->net, A + i).bytes, there[i].bytes,
                            CALL_ADDR_BYTES);
    }
    for (int i = 0; i < 2; i++) {
        expect_bind(client, 9, &elsewhere[i], -ERR_ADDRNOTAVAIL);
        run_until(client->world, (uint64_t)(i + 1) * MS);
        net_connect(client->net, 9, &elsewhere[i]);
        assert_int_equal(expect(client, EV_NET_CONNECT, 9, -ERR_NETUNREACH),
                         (uint64_t)(i + 1) * MS);
    }
    assert_int_equal(client->net->counters.sockets_now, 5);
    assert_int_equal(client->net->counters.closes, 4);
}

/* As on Linux with SO_REUSEADDR: only a listener makes an address busy, for every host. */
static void test_a_busy_address(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct call_addr one = addr4(127, 0, 0, 1, PORT), two = addr4(127, 0, 0, 2, PORT);
    struct call_addr all = addr4(0, 0, 0, 0, PORT), six = addr6(0, PORT);

    expect_bind(client, A, &one, 0);
    start_listener(server, PORT, 1);
    net_listen(client->net, A, 1);
    expect(client, EV_NET_LISTEN, A, -ERR_ADDRINUSE);
    net_listen(server->net, LISTENER, 5); /* listening, it takes another backlog */
    expect(server, EV_NET_LISTEN, LISTENER, 0);
    expect_bind(client, B, &one, -ERR_ADDRINUSE);
    expect_bind(client, B, &all, -ERR_ADDRINUSE);
    expect_bind(client, B, &two, 0);
    expect_bind(client, P, &six, 0);
    close_socket(server, LISTENER);
    net_listen(client->net, A, 1);
    expect(client, EV_NET_LISTEN, A, 0);
    close_socket(client, A);
    expect_bind(client, A, &all, 0);
    net_listen(client->net, A, 1);
    expect(client, EV_NET_LISTEN, A, 0);
    net_listen(client->net, B, 1);
    expect(client, EV_NET_LISTEN, B, -ERR_ADDRINUSE);
}

static void test_a_connection_keeps_no_address(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    connect_pair(world);
    close_socket(server, LISTENER);
    start_listener(server, PORT, 1);
    send_bytes(client, A, "on", 2);
    expect_text(server, B, "on");
}

static void test_ephemeral_ports_in_order(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT];
    struct call_addr none = addr4(127, 0, 0, 1, 0), taken = addr4(0, 0, 0, 0, 49153);
    static const uint16_t ports[] = {49152, 49154, 49155};

    expect_bind(&world->hosts[SERVER], A, &taken, 0);
    for (uint64_t i = 0; i < 3; i++) {
        struct call_addr at;

        expect_bind(client, A + i, &none, 0);
        at = net_virtual_address(client->net, A + i);
        assert_int_equal(call_addr_port(&at), ports[i]);
    }
    for (uint64_t i = 3; i < 16384 - 1; i++)
        expect_bind(client, A + i, &none, 0);
    expect_bind(client, 1, &none, -ERR_ADDRINUSE);
    close_socket(client, A + 1);
    expect_bind(client, A + 1, &none, 0);
    taken = net_virtual_address(client->net, A + 1);
    assert_int_equal(call_addr_port(&taken), 49154);
}

static void test_connect_takes_a_round_trip(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    start_listener(server, PORT, 1);
    run_until(world, MS);
    net_accept(server->net, B, LISTENER);
    start_connect(client, A, PORT);
    assert_int_equal(expect(server, EV_NET_ACCEPT, B, 0), MS + 50 * US);
    assert_int_equal(expect(client, EV_NET_CONNECT, A, 0), MS + 107 * US);
    assert_int_equal(client->net->counters.connects, 1);
    assert_int_equal(server->net->counters.accepts, 1);
    assert_int_equal(client->net->counters.sockets_now, 1);
    assert_int_equal(server->net->counters.sockets_now, 2);
}

static void test_connect_to_any_is_loopback(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct call_addr all4 = addr4(0, 0, 0, 0, PORT), all6 = addr6(0, PORT), one6 = addr6(1, PORT);
    struct call_addr two4 = addr4(127, 0, 0, 2, PORT + 1), only4 = addr4(0, 0, 0, 0, PORT + 1);

    start_listener(server, PORT, 8);
    net_connect(client->net, A, &all4);
    expect(client, EV_NET_CONNECT, A, 0);
    net_connect(client->net, B, &all6);
    expect(client, EV_NET_CONNECT, B, -ERR_CONNREFUSED);
    expect_bind(server, A, &all6, 0);
    net_listen(server->net, A, 1);
    expect(server, EV_NET_LISTEN, A, 0);
    net_connect(client->net, B, &one6);
    expect(client, EV_NET_CONNECT, B, 0);
    expect_bind(server, P, &two4, 0);
    net_listen(server->net, P, 1);
    expect(server, EV_NET_LISTEN, P, 0);
    net_connect(client->net, P, &only4);
    expect(client, EV_NET_CONNECT, P, -ERR_CONNREFUSED);
}

static void test_refused(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct call_addr at = local_addr(PORT);

    start_connect(client, A, PORT);
    assert_int_equal(expect(client, EV_NET_CONNECT, A, -ERR_CONNREFUSED), 100 * US);
    expect_bind(server, B, &at, 0); /* bound is not listening */
    start_connect(client, A, PORT);
    expect(client, EV_NET_CONNECT, A, -ERR_CONNREFUSED);
    close_socket(client, A);
    assert_int_equal(client->net->counters.sockets_now, 0);
    assert_int_equal(client->net->counters.connects, 0);
    expect_quiet(client);
}

/* Who listens when the attempt arrives answers it, over its own link. */
static void test_a_listener_that_comes_or_goes_meanwhile(void **state)
{
    struct world *world = *state;
    struct net_link link = plain_link;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    link.delay_ns = 90 * US;
    net_virtual_set_link(client->net, server->net, &link);
    start_connect(client, A, PORT);
    run_until(world, 10 * US);
    start_listener(server, PORT, 1);
    assert_int_equal(expect(client, EV_NET_CONNECT, A, 0), 50 * US + 97 * US);
    start_connect(client, B, PORT);
    run_until(world, vclock_now_ns(world->clock) + 10 * US);
    close_socket(server, LISTENER);
    expect(client, EV_NET_CONNECT, B, -ERR_CONNREFUSED);
    expect_read(client, A, -ERR_CONNRESET); /* nobody had taken it */
}

static void test_backlog(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    start_listener(server, PORT, 1);
    run_until(world, SECOND);
    for (uint64_t i = 0; i < 4; i++)
        start_connect(client, A + i, PORT);
    for (uint64_t i = 0; i < 2; i++)
        assert_int_equal(expect(client, EV_NET_CONNECT, A + i, 0), SECOND + 107 * US);
    run_until(world, SECOND + 900 * MS);
    net_accept(server->net, B, LISTENER);
    expect(server, EV_NET_ACCEPT, B, 0);
    assert_int_equal(expect(client, EV_NET_CONNECT, A + 2, 0), 2 * SECOND + 107 * US);
    assert_int_equal(expect(client, EV_NET_CONNECT, A + 3, -ERR_TIMEDOUT), 128 * SECOND);
}

static void test_every_attempt_is_lost(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT];
    struct net_link link = plain_link;

    link.loss_ppm = 1000000;
    net_virtual_set_link(client->net, world->hosts[SERVER].net, &link);
    start_listener(&world->hosts[SERVER], PORT, 1);
    run_until(world, SECOND);
    start_connect(client, A, PORT);
    assert_int_equal(expect(client, EV_NET_CONNECT, A, -ERR_TIMEDOUT), 128 * SECOND);
    expect_quiet(client);
}

/* What comes by itself is counted until it has come, a long silence through; what waits for the
 * other side is not. */
static void test_what_is_under_way(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    struct net_link link = plain_link;

    connect_pair(world);
    assert_int_equal(net_virtual_under_way(world->net), 0);
    send_bytes(client, A, "abc", 3);
    assert_int_equal(net_virtual_under_way(world->net), 1);
    run_until(world, vclock_now_ns(world->clock) + 50 * US);
    assert_int_equal(net_virtual_under_way(world->net), 1); /* what acknowledges it */
    expect_text(server, B, "abc");
    assert_int_equal(net_virtual_under_way(world->net), 2); /* and the window */
    settle(world);
    assert_int_equal(net_virtual_under_way(world->net), 0);
    link.loss_ppm = 1000000;
    net_virtual_set_link(client->net, server->net, &link);
    start_connect(client, B, PORT);
    run_until(world, vclock_now_ns(world->clock) + 126 * SECOND);
    assert_int_equal(net_virtual_under_way(world->net), 1); /* the last attempt's end */
    expect(client, EV_NET_CONNECT, B, -ERR_TIMEDOUT);
    assert_int_equal(net_virtual_under_way(world->net), 0);
}

static void test_accepts_in_order(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    start_listener(server, PORT, 8);
    net_accept(server->net, B, LISTENER);
    net_accept(server->net, A, LISTENER);
    start_connect(client, P, PORT);
    start_connect(client, Q, PORT);
    expect(server, EV_NET_ACCEPT, B, 0);
    expect(server, EV_NET_ACCEPT, A, 0);
    expect(client, EV_NET_CONNECT, P, 0);
    expect(client, EV_NET_CONNECT, Q, 0);
    send_bytes(client, Q, "2", 1);
    send_bytes(client, P, "1", 1);
    expect_text(server, B, "1");
    expect_text(server, A, "2");
}

static void test_poll_takes_nothing_and_yields_to_accept(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    start_listener(server, PORT, 8);
    net_poll(server->net, P, LISTENER);
    net_accept(server->net, A, LISTENER);
    net_poll(server->net, Q, LISTENER);
    start_connect(client, A, PORT);
    expect(server, EV_NET_ACCEPT, A, 0);
    expect_quiet(server);
    start_connect(client, B, PORT);
    expect(server, EV_NET_POLL, P, 0);
    expect(server, EV_NET_POLL, Q, 0);
    net_poll(server->net, P, LISTENER);
    expect(server, EV_NET_POLL, P, 0);
    net_accept(server->net, B, LISTENER);
    expect(server, EV_NET_ACCEPT, B, 0);
    net_poll(server->net, P, LISTENER);
    expect_quiet(server);
    assert_int_equal(server->net->counters.sockets_now, 3);
    close_socket(server, A); /* so that nothing but its listener's poll is left */
    net_close(server->net, P);
    expect(server, EV_NET_POLL, P, -ERR_CANCELED);
    expect(server, EV_NET_CLOSE, P, 0);
}

static void test_cancel_of_accept_and_listener(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    start_listener(server, PORT, 8);
    net_accept(server->net, A, LISTENER);
    net_accept(server->net, B, LISTENER);
    net_close(server->net, A);
    expect(server, EV_NET_ACCEPT, A, -ERR_CANCELED);
    expect(server, EV_NET_CLOSE, A, 0);
    start_connect(client, A, PORT);
    expect(server, EV_NET_ACCEPT, B, 0);
    start_connect(client, B, PORT);
    expect(client, EV_NET_CONNECT, A, 0);
    expect(client, EV_NET_CONNECT, B, 0);
    close_socket(server, LISTENER);
    expect_read(client, B, -ERR_CONNRESET); /* was in the queue */
    send_bytes(client, A, "1", 1);
    expect_text(server, B, "1");
}

static void test_cancel_of_connect(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];

    start_listener(server, PORT, 8);
    for (uint64_t i = 0; i < 2; i++) {
        start_connect(client, A, PORT);
        run_until(world, vclock_now_ns(world->clock) + (i == 0 ? 10 : 60) * US);
        net_close(client->net, A);
        expect(client, EV_NET_CONNECT, A, -ERR_CANCELED);
        expect(client, EV_NET_CLOSE, A, 0);
        expect_quiet(client);
    }
    /* the second attempt had arrived */
    net_accept(server->net, B, LISTENER);
    expect(server, EV_NET_ACCEPT, B, 0);
    expect_read(server, B, -ERR_CONNRESET);
    net_accept(server->net, P, LISTENER);
    expect_quiet(server);
    assert_int_equal(client->net->counters.connects, 0);
}

/* A result that was there before the close is not taken back, and still comes first, also when the
 * vCPU is up before it is told of it. Other sockets do not wait for that. */
static void test_close_comes_after_a_result_already_there(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    char in[8] = "";

    world->costs.rows[COST_SOCKET_WAKE].low_ps = 20000000;
    connect_pair(world);
    start_read(server, B, in, sizeof(in));
    send_bytes(client, A, "abc", 3);
    run_until(world, vclock_now_ns(world->clock) + 60 * US);
    assert_int_equal(server->count, 0);
    net_close(server->net, B);
    net_poll(server->net, P, LISTENER);
    net_close(server->net, P);
    expect(server, EV_NET_POLL, P, -ERR_CANCELED);
    expect(server, EV_NET_CLOSE, P, 0);
    expect(server, EV_NET_READ, B, 3);
    expect(server, EV_NET_CLOSE, B, 0);
    assert_string_equal(in, "abc");
}

static void test_the_end_of_a_host(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    static char in[8];

    add_host(world, THIRD, "third", -1);
    connect_pair(world);
    net_accept(server->net, P, LISTENER);
    start_read(server, B, in, sizeof(in));
    start_connect(server, Q, 1);
    start_connect(&world->hosts[THIRD], A, PORT);
    start_connect(&world->hosts[THIRD], B, PORT);
    expect(&world->hosts[THIRD], EV_NET_CONNECT, A, 0);
    expect(&world->hosts[THIRD], EV_NET_CONNECT, B, 0);
    send_bytes(client, A, "abc", 3);
    net_destroy(server->net);
    server->net = NULL;
    expect_read(client, A, -ERR_CONNRESET);
    expect_read(&world->hosts[THIRD], A, -ERR_CONNRESET);
    expect_read(&world->hosts[THIRD], B, -ERR_CONNRESET);
    start_connect(client, B, PORT);
    expect(client, EV_NET_CONNECT, B, -ERR_CONNREFUSED);
}

/* The sanitizer finds nothing left behind. */
static void test_destroy_with_everything_pending(void **state)
{
    struct world *world = *state;
    struct host *client = &world->hosts[CLIENT], *server = &world->hosts[SERVER];
    static char bytes[100000];

    connect_pair(world);
    start_read(client, A, bytes, sizeof(bytes));
    start_write(client, A, bytes, sizeof(bytes));
    net_poll(server->net, P, LISTENER);
    net_accept(server->net, Q, LISTENER);
    start_connect(client, B, PORT);
    start_connect(client, P, 1);
    net_close(client->net, A);
}

static const struct CMUnitTest tests[] = {
    VIRTUAL_TEST(test_which_addresses_exist),
    VIRTUAL_TEST(test_a_busy_address),
    VIRTUAL_TEST(test_a_connection_keeps_no_address),
    VIRTUAL_TEST(test_ephemeral_ports_in_order),
    VIRTUAL_TEST(test_connect_takes_a_round_trip),
    VIRTUAL_TEST(test_connect_to_any_is_loopback),
    VIRTUAL_TEST(test_refused),
    VIRTUAL_TEST(test_a_listener_that_comes_or_goes_meanwhile),
    VIRTUAL_TEST(test_backlog),
    VIRTUAL_TEST(test_every_attempt_is_lost),
    VIRTUAL_TEST(test_what_is_under_way),
    VIRTUAL_TEST(test_accepts_in_order),
    VIRTUAL_TEST(test_poll_takes_nothing_and_yields_to_accept),
    VIRTUAL_TEST(test_cancel_of_accept_and_listener),
    VIRTUAL_TEST(test_cancel_of_connect),
    VIRTUAL_TEST(test_close_comes_after_a_result_already_there),
    VIRTUAL_TEST(test_the_end_of_a_host),
    VIRTUAL_TEST(test_destroy_with_everything_pending),
};

int main(void)
{
    return !!cmocka_run_group_tests_name("net_virtual", tests, NULL, NULL);
}
