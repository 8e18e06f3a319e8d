/* Scripted sockets keep the contract of net.h: one completion each, in order, none inside a
 * submission, cancellation before close. */
#include "ringlib/err.h"
#include "sim/net/net_mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { LISTENER = 1, SOCK = 2, OTHER = 3 };

static const uint8_t loopback[4] = {127, 0, 0, 1};

static void expect_done(struct net *net, enum ev_kind kind, uint64_t token, int32_t ret)
{
    struct ev ev;

    assert_true(net_next(net, &ev));
    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.token, token);
    assert_int_equal(ev.ret, ret);
}

static void expect_nothing(struct net *net)
{
    struct ev ev;

    assert_false(net_next(net, &ev));
}

static int setup(void **state)
{
    *state = net_mem_create();
    return 0;
}

static int teardown(void **state)
{
    net_destroy(*state);
    return 0;
}

static void connect_socket(struct net *net, uint64_t token)
{
    struct call_addr addr;

    call_addr4(&addr, loopback, 80);
    net_connect(net, token, &addr);
    assert_true(net_mem_complete(net, EV_NET_CONNECT, token, 0, NULL));
    expect_done(net, EV_NET_CONNECT, token, 0);
}

static void listen_socket(struct net *net, uint64_t token)
{
    struct call_addr addr;

    call_addr4(&addr, loopback, 80);
    net_bind(net, token, &addr);
    assert_int_equal(net_mem_settle(net), 1);
    expect_done(net, EV_NET_BIND, token, 0);
    net_listen(net, token, 7);
    assert_int_equal(net_mem_settle(net), 1);
    expect_done(net, EV_NET_LISTEN, token, 0);
}

static void test_nothing_completes_by_itself(void **state)
{
    struct net *net = *state;
    struct net_mem_op op;
    struct call_addr addr;

    call_addr4(&addr, loopback, 4711);
    net_connect(net, SOCK, &addr);
    expect_nothing(net);
    assert_true(net_mem_pending(net, 0, &op));
    assert_int_equal(op.kind, EV_NET_CONNECT);
    assert_int_equal(op.token, SOCK);
    assert_int_equal(call_addr_port(&op.addr), 4711);
    assert_false(net_mem_pending(net, 1, &op));

    assert_false(net_mem_complete(net, EV_NET_BIND, SOCK, 0, NULL));
    assert_false(net_mem_complete(net, EV_NET_CONNECT, OTHER, 0, NULL));
    assert_true(net_mem_complete(net, EV_NET_CONNECT, SOCK, -ERR_CONNREFUSED, NULL));
    assert_false(net_mem_complete(net, EV_NET_CONNECT, SOCK, 0, NULL));
    expect_done(net, EV_NET_CONNECT, SOCK, -ERR_CONNREFUSED);
    expect_nothing(net);
    assert_int_equal(net_mem_sockets(net), 0);
}

static void test_reads_fill_both_spans(void **state)
{
    struct net *net = *state;
    char first[4] = "", second[4] = "";
    const struct shared_iov iov[2] = {{first, 3}, {second, 3}};
    struct net_mem_op op;

    connect_socket(net, SOCK);
    net_read(net, SOCK, iov, 2);
    assert_true(net_mem_pending(net, 0, &op));
    assert_int_equal(op.bytes, 6);
    assert_true(net_mem_complete(net, EV_NET_READ, SOCK, 5, "abcde"));
    expect_done(net, EV_NET_READ, SOCK, 5);
    assert_string_equal(first, "abc");
    assert_string_equal(second, "de");

    net_read(net, SOCK, iov, 2);
    assert_true(net_mem_complete(net, EV_NET_READ, SOCK, 0, NULL));
    expect_done(net, EV_NET_READ, SOCK, 0);
    assert_int_equal(net->counters.read_bytes, 5);
    assert_int_equal(net->counters.reads, 1);
}

static void test_writes_keep_what_the_test_took(void **state)
{
    struct net *net = *state;
    char first[] = "abc", second[] = "def";
    const struct shared_iov iov[2] = {{first, 3}, {second, 3}};
    uint64_t bytes;

    connect_socket(net, SOCK);
    assert_null(net_mem_written(net, OTHER, &bytes));
    net_write(net, SOCK, iov, 2);
    assert_true(net_mem_complete(net, EV_NET_WRITE, SOCK, 4, NULL));
    expect_done(net, EV_NET_WRITE, SOCK, 4);
    net_write(net, SOCK, &iov[1], 1);
    assert_int_equal(net_mem_settle(net), 1);
    expect_done(net, EV_NET_WRITE, SOCK, 3);
    net_write(net, SOCK, iov, 1);
    assert_true(net_mem_complete(net, EV_NET_WRITE, SOCK, -ERR_PIPE, NULL));
    expect_done(net, EV_NET_WRITE, SOCK, -ERR_PIPE);

    net_close(net, SOCK);
    expect_done(net, EV_NET_CLOSE, SOCK, 0);
    assert_memory_equal(net_mem_written(net, SOCK, &bytes), "abcddef", 7);
    assert_int_equal(bytes, 7);
    connect_socket(net, SOCK);
    net_mem_written(net, SOCK, &bytes);
    assert_int_equal(bytes, 0);
}

/* What is written counts as it is at completion: memory changed before is the writer's bug. */
static void test_writes_read_memory_at_completion(void **state)
{
    struct net *net = *state;
    char data[] = "abc";
    const struct shared_iov iov = {data, 3};
    uint64_t bytes;

    connect_socket(net, SOCK);
    net_write(net, SOCK, &iov, 1);
    data[0] = 'X';
    net_mem_settle(net);
    assert_memory_equal(net_mem_written(net, SOCK, &bytes), "Xbc", 3);
}

static void test_close_cancels_then_completes(void **state)
{
    struct net *net = *state;
    char in[8], out[8] = "";
    const struct shared_iov to = {in, 8}, from = {out, 8};
    struct net_mem_op op;

    connect_socket(net, SOCK);
    connect_socket(net, OTHER);
    net_write(net, SOCK, &from, 1);
    net_read(net, OTHER, &to, 1);
    net_read(net, SOCK, &to, 1);
    assert_int_equal(net_mem_sockets(net), 2);
    net_close(net, SOCK);
    expect_done(net, EV_NET_WRITE, SOCK, -ERR_CANCELED);
    expect_done(net, EV_NET_READ, SOCK, -ERR_CANCELED);
    expect_done(net, EV_NET_CLOSE, SOCK, 0);
    expect_nothing(net);
    assert_int_equal(net_mem_sockets(net), 1);
    assert_true(net_mem_pending(net, 0, &op));
    assert_int_equal(op.token, OTHER);
}

static void test_close_keeps_results_already_there(void **state)
{
    struct net *net = *state;
    char in[8];
    const struct shared_iov to = {in, 8};

    connect_socket(net, SOCK);
    net_read(net, SOCK, &to, 1);
    assert_true(net_mem_complete(net, EV_NET_READ, SOCK, 3, "abc"));
    net_close(net, SOCK);
    expect_done(net, EV_NET_READ, SOCK, 3);
    expect_done(net, EV_NET_CLOSE, SOCK, 0);
}

static void test_how_far_it_has_ended(void **state)
{
    struct net *net = *state;

    connect_socket(net, SOCK);
    connect_socket(net, OTHER);
    assert_int_equal(net_mem_end(net, SOCK), NET_MEM_OPEN);
    net_shutdown(net, SOCK);
    assert_int_equal(net_mem_end(net, SOCK), NET_MEM_SHUT);
    net_close(net, SOCK);
    assert_int_equal(net_mem_end(net, SOCK), NET_MEM_CLOSED);
    net_reset(net, OTHER);
    assert_int_equal(net_mem_end(net, OTHER), NET_MEM_RESET);
    expect_done(net, EV_NET_CLOSE, SOCK, 0);
    expect_done(net, EV_NET_CLOSE, OTHER, 0);
    connect_socket(net, OTHER);
    assert_int_equal(net_mem_end(net, OTHER), NET_MEM_OPEN);
}

static void test_close_of_a_pending_connect(void **state)
{
    struct net *net = *state;
    struct call_addr addr;

    call_addr4(&addr, loopback, 80);
    net_connect(net, SOCK, &addr);
    net_close(net, SOCK);
    expect_done(net, EV_NET_CONNECT, SOCK, -ERR_CANCELED);
    expect_done(net, EV_NET_CLOSE, SOCK, 0);
    assert_int_equal(net_mem_sockets(net), 0);
}

static void test_accept_and_poll(void **state)
{
    struct net *net = *state;
    struct net_mem_op op;

    listen_socket(net, LISTENER);
    net_accept(net, SOCK, LISTENER);
    net_poll(net, OTHER, LISTENER);
    assert_int_equal(net_mem_settle(net), 0);
    assert_true(net_mem_pending(net, 1, &op));
    assert_int_equal(op.kind, EV_NET_POLL);
    assert_int_equal(op.listener, LISTENER);
    assert_true(net_mem_complete(net, EV_NET_ACCEPT, SOCK, 0, NULL));
    net_close(net, OTHER);
    expect_done(net, EV_NET_ACCEPT, SOCK, 0);
    expect_done(net, EV_NET_POLL, OTHER, -ERR_CANCELED);
    expect_done(net, EV_NET_CLOSE, OTHER, 0);
    assert_int_equal(net_mem_sockets(net), 2);
    net_close(net, SOCK);
    net_close(net, LISTENER);
    expect_done(net, EV_NET_CLOSE, SOCK, 0);
    expect_done(net, EV_NET_CLOSE, LISTENER, 0);
    assert_int_equal(net_mem_sockets(net), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_completes_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reads_fill_both_spans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_keep_what_the_test_took, setup, teardown),
        cmocka_unit_test_setup_teardown(test_writes_read_memory_at_completion, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_cancels_then_completes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_keeps_results_already_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_how_far_it_has_ended, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_of_a_pending_connect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_accept_and_poll, setup, teardown),
    };

    return !!cmocka_run_group_tests_name("net_mem", tests, NULL, NULL);
}
