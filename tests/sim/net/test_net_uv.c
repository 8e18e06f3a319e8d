/* Real TCP on loopback: connect, bind, accept, poll, cancellation of these, and watching. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif

#include "tests/sim/net/uv_fixture.h"

static void test_connect(void **state)
{
    struct fixture *f = *state;
    int bound = plain_bind();
    int peer = connect_peer(f, A);

    assert_true(f->wakes > 0);
    assert_int_equal(f->net->counters.sockets_now, 1);
    start_connect(f, B, port_of(bound));
    expect(f, EV_NET_CONNECT, B, -ERR_CONNREFUSED);
    net_close(f->net, B);
    expect(f, EV_NET_CLOSE, B, 0);
    net_close(f->net, A);
    expect(f, EV_NET_CLOSE, A, 0);
    assert_int_equal(f->net->counters.sockets_now, 0);
    assert_int_equal(f->net->counters.connects, 1);
    close(peer);
    close(bound);
}

static void test_connect_ipv6(void **state)
{
    struct fixture *f = *state;
    static const uint8_t one[16] = {[15] = 1};
    struct sockaddr_in6 at = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    socklen_t length = sizeof(at);
    int listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct call_addr addr;

    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0) {
        if (listener >= 0)
            close(listener);
        skip();
    }
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &length), 0);
    call_addr6(&addr, one, ntohs(at.sin6_port));
    net_connect(f->net, A, &addr);
    expect(f, EV_NET_CONNECT, A, 0);
    net_bind(f->net, B, &addr);
    expect(f, EV_NET_BIND, B, -ERR_ADDRINUSE);
    close(listener);
}

static void test_bind_in_use(void **state)
{
    struct fixture *f = *state;
    int other = plain_listen(1);
    struct call_addr addr;

    call_addr4(&addr, loopback, port_of(other));
    net_bind(f->net, A, &addr);
    expect(f, EV_NET_BIND, A, -ERR_ADDRINUSE);
    close(other);
    net_bind(f->net, A, &addr);
    expect(f, EV_NET_BIND, A, 0);
}

static void test_accepts_in_order(void **state)
{
    struct fixture *f = *state;
    uint16_t port = start_listener(f);
    int first, second;

    net_accept(f->net, B, LISTENER);
    net_accept(f->net, A, LISTENER);
    expect_quiet(f);
    first = plain_connect(port);
    second = plain_connect(port);
    expect(f, EV_NET_ACCEPT, B, 0);
    expect(f, EV_NET_ACCEPT, A, 0);
    assert_int_equal(send(second, "2", 1, 0), 1);
    assert_int_equal(send(first, "1", 1, 0), 1);
    expect_byte(f, B, '1');
    expect_byte(f, A, '2');
    assert_int_equal(f->net->counters.accepts, 2);
    close(first);
    close(second);
}

static void test_poll_takes_nothing_and_yields_to_accept(void **state)
{
    struct fixture *f = *state;
    uint16_t port = start_listener(f);
    int first, second;

    net_poll(f->net, P, LISTENER);
    net_accept(f->net, A, LISTENER);
    net_poll(f->net, Q, LISTENER);
    expect_quiet(f);
    first = plain_connect(port);
    expect(f, EV_NET_ACCEPT, A, 0);
    expect_quiet(f);
    second = plain_connect(port);
    expect(f, EV_NET_POLL, P, 0);
    expect(f, EV_NET_POLL, Q, 0);
    net_poll(f->net, P, LISTENER);
    expect(f, EV_NET_POLL, P, 0);
    net_accept(f->net, B, LISTENER);
    expect(f, EV_NET_ACCEPT, B, 0);
    assert_int_equal(send(second, "2", 1, 0), 1);
    expect_byte(f, B, '2');
    close(first);
    close(second);
}

static void test_cancel_of_accept_and_poll(void **state)
{
    struct fixture *f = *state;
    uint16_t port = start_listener(f);
    int peer;

    net_accept(f->net, A, LISTENER);
    net_accept(f->net, B, LISTENER);
    net_poll(f->net, P, LISTENER);
    net_close(f->net, A);
    expect(f, EV_NET_ACCEPT, A, -ERR_CANCELED);
    expect(f, EV_NET_CLOSE, A, 0);
    net_close(f->net, P);
    expect(f, EV_NET_POLL, P, -ERR_CANCELED);
    expect(f, EV_NET_CLOSE, P, 0);
    peer = plain_connect(port);
    expect(f, EV_NET_ACCEPT, B, 0);
    net_close(f->net, LISTENER);
    expect(f, EV_NET_CLOSE, LISTENER, 0);
    assert_int_equal(f->net->counters.sockets_now, 1);
    close(peer);
}

static void test_cancel_of_connect(void **state)
{
    struct fixture *f = *state;
    int listener = plain_listen(0);
    int waiting = plain_connect(port_of(listener)); /* fills a backlog of 0 */

    start_connect(f, A, port_of(listener));
    expect_quiet(f);
    net_close(f->net, A);
    expect(f, EV_NET_CONNECT, A, -ERR_CANCELED);
    expect(f, EV_NET_CLOSE, A, 0);
    close(waiting);
    close(listener);
}

/* Out of descriptors, an accept fails once and the connection stays for the next. */
static void test_accept_without_descriptors(void **state)
{
    struct fixture *f = *state;
    int peer = plain_connect(start_listener(f));
    struct rlimit limit, none;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    net_accept(f->net, A, LISTENER);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    expect(f, EV_NET_ACCEPT, A, -ERR_MFILE);
    expect_quiet(f);
    net_accept(f->net, A, LISTENER);
    expect(f, EV_NET_ACCEPT, A, 0);
    close(peer);
}

/* Readiness that nobody waits for costs a turn or two, not a turn each time round the loop. */
static void test_no_spinning_on_idle_sockets(void **state)
{
    struct fixture *f = *state;
    uint16_t port = start_listener(f);
    int peer = plain_connect(port), waiting;
    unsigned turns = 0;
    uint64_t waits;

    net_accept(f->net, B, LISTENER);
    expect(f, EV_NET_ACCEPT, B, 0);
    assert_int_equal(send(peer, "1", 1, 0), 1);
    expect_byte(f, B, '1');
    net_read(f->net, B, &(struct shared_iov){&(char[4]){0}, 4}, 1);
    assert_int_equal(send(peer, "2", 1, 0), 1);
    expect(f, EV_NET_READ, B, 1);
    assert_int_equal(send(peer, "3", 1, 0), 1);
    waiting = plain_connect(port);
    net_poll(f->net, P, LISTENER);
    expect(f, EV_NET_POLL, P, 0);
    uv_timer_start(&f->deadline, on_deadline, 20, 0);
    for (; !f->late; turns++)
        uv_run(&f->loop, UV_RUN_ONCE);
    assert_true(turns < 8);
    f->late = false;
    waits = f->net->counters.read_waits;
    expect_byte(f, B, '3');
    assert_int_equal(f->net->counters.read_waits, waits); /* known to be there: tried at once */
    close(peer);
    close(waiting);
}

/* Teardown finds no descriptor and the sanitizer no memory left behind. */
static void test_destroy_with_everything_pending(void **state)
{
    struct fixture *f = *state;
    static char in[8];
    const struct shared_iov iov = {in, sizeof(in)};
    uint16_t port = start_listener(f);
    int peer = connect_peer(f, A);
    int first = connect_peer(f, Q + 1);

    net_read(f->net, A, &iov, 1);
    net_write(f->net, A, &iov, 1);
    net_accept(f->net, B, LISTENER);
    net_poll(f->net, P, LISTENER);
    start_connect(f, Q, port);
    net_close(f->net, Q + 1);
    close(first);
    close(peer);
}

static const struct CMUnitTest tests[] = {
    UV_TEST(test_connect),
    UV_TEST(test_connect_ipv6),
    UV_TEST(test_bind_in_use),
    UV_TEST(test_accepts_in_order),
    UV_TEST(test_poll_takes_nothing_and_yields_to_accept),
    UV_TEST(test_cancel_of_accept_and_poll),
    UV_TEST(test_cancel_of_connect),
    UV_TEST(test_accept_without_descriptors),
    UV_TEST(test_no_spinning_on_idle_sockets),
    UV_TEST(test_destroy_with_everything_pending),
};

int main(void)
{
    alarm(60); /* a failed test may leave a later one without its peer */
    return !!cmocka_run_group_tests_name("net_uv", tests, NULL, NULL);
}
