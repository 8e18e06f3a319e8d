/*
 * Release of a socket at every step of its call, from the application to the backend's socket: the
 * exact sequence the application is told, and nothing left on either side.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;

static int open_default(void **state)
{
    (void)state;
    pair_open(&pair, &(struct pair_config){.order = 1, .max_sockets = 256});
    pair_forget(&pair);
    return 0;
}

static int close_clean(void **state)
{
    (void)state;
    pair_close(&pair);
    return 0;
}

/* Nothing of any socket is left on either side. */
static void assert_no_sockets(void)
{
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(be_counters(pair.be)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
    assert_int_equal(pair.front_hv->counters.ports_now, 1);
    assert_int_equal(pair.back_hv->counters.mapped_pages_now, 1);
    assert_int_equal(net_mem_sockets(pair.net), 0);
    assert_int_equal(pair.front_fault_count + pair.back_fault_count, 0);
}

static void release(int64_t sock)
{
    assert_true(sock >= 0);
    assert_int_equal(pair_release(&pair, (uint64_t)sock), 0);
}

static void release_before_share_completes(void **state)
{
    (void)state;
    int64_t connecting = pair_connect_begin(&pair, 80);
    release(connecting);
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
    assert_int_equal(fe_counters(pair.fe)->requests, 0);
    uint64_t listener = pair_listen(&pair, NULL);
    pair_forget(&pair);
    release(pair_accept_begin(&pair, listener));
    pair_settle(&pair);
    assert_string_equal(pair_told(&pair), "ACCEPT -103, RELEASE 0");
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

/* The ring is full, so everything more waits in the guest. */
static void release_while_queued(void **state)
{
    int64_t full[8];

    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    int64_t bound = pair_bind_begin(&pair, 80);
    pair_settle(&pair);
    for (uint32_t i = 0; i < 7; i++)
        full[i] = pair_connect_begin(&pair, 80);
    pair_run(&pair);
    full[7] = pair_bind_begin(&pair, 81);
    int64_t connecting = pair_connect_begin(&pair, 80);
    int64_t accepting = pair_accept_begin(&pair, listener);
    int64_t binding = pair_bind_begin(&pair, 82);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)bound), 0);
    pair_run(&pair);
    uint64_t requests = fe_counters(pair.fe)->requests;
    pair_forget(&pair);
    release(connecting);
    release(accepting);
    release(binding);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT -103, ACCEPT -103, BIND -103, RELEASE 0, "
                                          "RELEASE 0, RELEASE 0");
    assert_int_equal(fe_counters(pair.fe)->requests, requests); /* nothing to tell the backend */
    pair_forget(&pair);
    release(bound);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "LISTEN -103");
    for (uint32_t i = 0; i < 8; i++)
        release(full[i]);
    pair_settle(&pair);
    assert_int_equal(pair_done(&pair, CALL_RELEASE, (uint64_t)bound), 0);
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

/* Both in one pass of the backend: the socket is still mapping when the release comes. */
static void release_in_back_mapping(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    pair_forget(&pair);
    int64_t connecting = pair_connect_begin(&pair, 80);
    int64_t accepting = pair_accept_begin(&pair, listener);
    exec_turn(pair.front, 0); /* shared, and sent */
    release(connecting);
    release(accepting);
    exec_turn(pair.front, 0);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 0);
    assert_string_equal(pair_told(&pair), "CONNECT -103, ACCEPT -103, RELEASE 0, RELEASE 0");
    release((int64_t)listener);
    pair_settle(&pair);
    assert_no_sockets();
}

static void release_while_the_socket_works(void **state)
{
    (void)state;
    int64_t sock = pair_connect_begin(&pair, 80);
    pair_run(&pair);
    assert_int_equal(pair_pending_count(&pair, EV_NET_CONNECT), 1);
    release(sock);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
    pair_forget(&pair);
    sock = pair_bind_begin(&pair, 80);
    pair_run(&pair);
    release(sock);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "BIND -103, RELEASE 0");
    sock = pair_bind_begin(&pair, 80);
    pair_settle(&pair);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)sock), 0);
    pair_run(&pair);
    pair_forget(&pair);
    release(sock);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "LISTEN -103, RELEASE 0");
    assert_no_sockets();
}

/* The connection is there, but its completion and the release meet: aborted all the same. */
static void release_crosses_success(void **state)
{
    (void)state;
    int64_t sock = pair_connect_begin(&pair, 80);
    pair_run(&pair);
    assert_true(
        net_mem_complete(pair.net, EV_NET_CONNECT, pair_pending(&pair, EV_NET_CONNECT), 0, NULL));
    release(sock); /* its port is served before the sockets */
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "CONNECT -103, RELEASE 0");
    assert_no_sockets();
}

static void release_of_a_listener_with_calls(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    pair_forget(&pair);
    for (uint32_t i = 0; i < 5; i++) {
        assert_true(pair_accept_begin(&pair, listener) >= 0);
        assert_int_equal(pair_poll_begin(&pair, listener), 0);
    }
    pair_run(&pair);
    assert_true(pair_accept_begin(&pair, listener) >= 0); /* one more, still preparing */
    release((int64_t)listener);
    assert_int_equal(pair_accept_begin(&pair, listener), -ERR_BADF);
    pair_settle(&pair);
    assert_int_equal(pair.log_count, 12);
    for (uint32_t i = 0; i < 11; i++)
        assert_int_equal(pair.log[i].done.ret, -ERR_BADF);
    assert_int_equal(pair.log[11].done.call, CALL_RELEASE);
    assert_int_equal(pair.log[11].done.ret, 0);
    assert_no_sockets();
}

/* The device goes while a listener's release and a poll of it are on their way: the order stays. */
static void release_of_a_listener_with_its_device(void **state)
{
    (void)state;
    uint64_t listener = pair_listen(&pair, NULL);
    assert_int_equal(pair_poll_begin(&pair, listener), 0);
    assert_true(pair_accept_begin(&pair, listener) >= 0);
    pair_run(&pair);
    pair_forget(&pair);
    release((int64_t)listener);
    exec_post(pair.front, 0, EV_STOP);
    exec_turn(pair.front, 0);
    assert_string_equal(pair_told(&pair), "POLL -104, ACCEPT -104, RELEASE 0, GONE");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    pair_settle(&pair);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_default, close_clean)
    const struct CMUnitTest tests[] = {
        TEST(release_before_share_completes),
        TEST(release_while_queued),
        TEST(release_in_back_mapping),
        TEST(release_while_the_socket_works),
        TEST(release_crosses_success),
        TEST(release_of_a_listener_with_calls),
        TEST(release_of_a_listener_with_its_device),
    };
#undef TEST

    return !!cmocka_run_group_tests_name("release", tests, NULL, NULL);
}
