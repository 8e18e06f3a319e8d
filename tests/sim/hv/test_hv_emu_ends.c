/* Deaths and limits between processes: a domain's, the hypervisor's, more than fits, many. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/support/emu_pair.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct hv_tag TAG = {.side = STEP_OTHER, .key = DIALECT_KEY_PORT, .domid = 77};

static void a_death_is_seen_through_the_store(void **state)
{
    const char *state_node = "/local/domain/0/backend/xensock/1/0/state";
    uint32_t refs[1];

    (void)state;
    assert_int_equal(emu_server_device(emu_pair.server, "xensock", FRONT, BACK, 0), 0);
    assert_int_equal(emu_server_device(emu_pair.server, "xensock", FRONT, BACK, 0), -ERR_EXIST);
    hv_store_watch(emu_pair.domains[BACK], 50, &TAG, state_node);
    emu_pair_expect(BACK, EV_STORE_WATCH, 50);
    emu_pair_expect(BACK, EV_STORE, 50);
    hv_store_watch(emu_pair.domains[BACK], 51, &TAG, "@releaseDomain");
    emu_pair_expect(BACK, EV_STORE_WATCH, 51);
    emu_pair_expect(BACK, EV_STORE, 51);
    emu_pair_share(1, refs);

    hv_close(emu_pair.domains[FRONT]);
    emu_pair.domains[FRONT] = NULL;
    emu_pair_expect(BACK, EV_STORE, 50);
    emu_pair_expect(BACK, EV_STORE, 51);
    hv_store_read(emu_pair.domains[BACK], 52, &TAG, state_node);
    assert_int_equal(emu_pair_expect(BACK, EV_STORE_READ, 52).ret, -ERR_NOENT);
    assert_int_equal(emu_pair_map(refs, 1).ret, -ERR_INVAL);
    assert_int_equal(emu_pair.reports, 0);
}

static void a_domain_is_there_once_and_can_come_again(void **state)
{
    int error = 0;

    (void)state;
    assert_null(emu_machine_open(&emu_pair, FRONT, &error));
    assert_int_equal(error, -ERR_BUSY);
    hv_close(emu_pair.domains[FRONT]);
    emu_pair.domains[FRONT] = NULL;
    assert_non_null(emu_machine_open(&emu_pair, FRONT, &error));
}

static void without_a_hypervisor_ops_fail_and_undo_does_not(void **state)
{
    struct hv *hv = emu_pair.domains[FRONT];
    uint32_t refs[2], front, back;
    struct ev_share run = emu_pair_share(2, refs);
    struct ev ev;

    (void)state;
    emu_pair_open_channel(&front, &back);
    hv_store_watch(hv, 60, &TAG, "/t");
    emu_pair_expect(FRONT, EV_STORE_WATCH, 60);
    emu_pair_expect(FRONT, EV_STORE, 60);
    hv_share(hv, 61, BACK, 1);
    hv_store_unwatch(hv, 60);
    emu_server_destroy(emu_pair.server);
    emu_pair.server = NULL;
    assert_int_equal(emu_pair_expect(FRONT, EV_SHARE, 61).ret, -ERR_NODEV);
    assert_int_equal(emu_pair_expect(FRONT, EV_STORE_UNWATCH, 60).ret, 0);
    assert_true(hv_emu_lost(hv));
    emu_machine_silent(&emu_pair, FRONT); /* and no more events: it is out of the loop */

    hv_share(hv, 62, BACK, 1);
    hv_port_alloc(hv, 63, BACK);
    hv_store_read(hv, 64, &TAG, "/t");
    hv_store_watch(hv, 65, &TAG, "/t");
    for (uint64_t token = 62; token <= 65; token++) {
        ev = emu_machine_await(&emu_pair, FRONT);
        assert_int_equal(ev.token, token);
        assert_int_equal(ev.ret, -ERR_NODEV);
    }
    shared_store(&run.area, 0, 1);
    assert_int_equal(hv_notify(hv, front), 0); /* not the hypervisor's business */
    emu_pair_expect(BACK, EV_PORT, 20);
    emu_pair_unshare(run.handle);
    hv_port_close(hv, 66, front);
    assert_int_equal(emu_pair_expect(FRONT, EV_PORT_CLOSE, 66).ret, 0);
    hv_store_unwatch(hv, 67);
    assert_int_equal(emu_pair_expect(FRONT, EV_STORE_UNWATCH, 67).ret, 0);
}

/* Far more than a socket buffer holds, submitted before the hypervisor gets a turn. */
static void a_burst_of_requests_waits_and_is_answered_in_order(void **state)
{
    struct hv *hv = emu_pair.domains[BACK];

    (void)state;
    for (uint64_t i = 0; i < 3000; i++)
        hv_store_read(hv, i, &TAG, "/local/domain/0/domid");
    assert_true(emu_pair.loops[BACK].want_writes > 0);
    for (uint64_t i = 0; i < 3000; i++)
        assert_string_equal(emu_pair_expect(BACK, EV_STORE_READ, i).store.value, "0");
    emu_machine_silent(&emu_pair, BACK);
    assert_int_equal(emu_pair.reports, 0);
}

/* Each share's memory must stay open while its message waits. */
static void a_burst_of_shares_waits_with_its_memory(void **state)
{
    struct hv *hv = emu_pair.domains[FRONT];

    (void)state;
    for (uint64_t i = 0; i < 600; i++)
        hv_share(hv, i, BACK, 1);
    assert_true(emu_pair.loops[FRONT].want_writes > 0);
    for (uint64_t i = 0; i < 600; i++)
        assert_int_equal(emu_pair_expect(FRONT, EV_SHARE, i).ret, 0);
    assert_int_equal(emu_pair_usage(FRONT).grants, 600);
}

static void more_than_may_wait_is_refused(void **state)
{
    struct hv *hv = emu_pair.domains[BACK];
    uint32_t refused = 0;

    (void)state;
    for (uint64_t i = 0; i < 20000; i++)
        hv_store_read(hv, i, &TAG, "/local/domain/0/domid");
    for (uint64_t i = 0; i < 20000; i++) {
        struct ev ev = emu_machine_await(&emu_pair, BACK);

        assert_true(ev.ret == 0 || ev.ret == -ERR_NOBUFS);
        refused += ev.ret != 0;
    }
    assert_true(refused > 0 && refused < 15000);
}

enum { MANY = 256, MANY_PAGES = 64 };

struct many {
    uint32_t runs[MANY], maps[MANY];
    uint32_t front[MANY + 1], back[MANY + 1];
};

static void open_many(struct many *many)
{
    uint32_t refs[MANY_PAGES];

    for (uint32_t i = 0; i < MANY; i++) {
        struct ev ev;

        many->runs[i] = emu_pair_share(MANY_PAGES, refs).handle;
        ev = emu_pair_map(refs, MANY_PAGES);
        assert_int_equal(ev.ret, 0);
        many->maps[i] = ev.share.handle;
    }
    for (uint32_t i = 0; i <= MANY; i++)
        emu_pair_open_channel(&many->front[i], &many->back[i]);
}

static void close_many(const struct many *many)
{
    for (uint32_t i = 0; i < MANY; i++) {
        emu_pair_unmap(many->maps[i]);
        emu_pair_unshare(many->runs[i]);
    }
    for (uint32_t i = 0; i <= MANY; i++) {
        hv_port_close(emu_pair.domains[FRONT], 5, many->front[i]);
        emu_pair_expect(FRONT, EV_PORT_CLOSE, 5);
        hv_port_close(emu_pair.domains[BACK], 6, many->back[i]);
        emu_pair_expect(BACK, EV_PORT_CLOSE, 6);
    }
}

static void all_of_many_comes_back(void **state)
{
    uint32_t fds = emu_count_fds();
    struct many many;

    (void)state;
    open_many(&many);
    assert_int_equal(emu_pair_usage(FRONT).grants, MANY * MANY_PAGES);
    assert_int_equal(emu_pair_usage(FRONT).ports, MANY + 1);
    assert_int_equal(emu_pair.domains[FRONT]->counters.grants_now, MANY * MANY_PAGES);
    close_many(&many);
    for (int d = BACK; d <= FRONT; d++) {
        struct hypervisor_usage now = emu_pair_usage((uint16_t)d);

        assert_int_equal(now.grants + now.grants_quarantined + now.ports + now.maps, 0);
        assert_int_equal(emu_pair.domains[d]->counters.grants_now, 0);
        assert_int_equal(emu_pair.domains[d]->counters.ports_now, 0);
        assert_int_equal(emu_pair.domains[d]->counters.mapped_pages_now, 0);
    }
    assert_int_equal(emu_count_fds(), fds);
}

/* A hypervisor of its own, until it is killed. */
static void serve_as_process(const char *runtime)
{
    struct emu_loop loop;
    struct emu_server_config config = {.runtime = runtime, .loop = &loop.hv};
    char error[256];
    struct emu_server *server;

    emu_loop_init(&loop);
    server = emu_server_create(&config, error, sizeof(error));
    if (!server || emu_server_domain(server, FRONT, error, sizeof(error)) < 0)
        _exit(1);
    alarm(20);
    for (;;) {
        poll(loop.fds, loop.count, -1);
        for (uint32_t i = 0; i < loop.count; i++) {
            if (loop.fds[i].revents != 0) {
                emu_server_ready(server, loop.fds[i].fd);
                break; /* the set may have changed */
            }
        }
    }
}

static struct hv *open_process(const char *runtime, struct emu_loop *loop, pid_t *child)
{
    int error = 0;
    struct hv *hv;

    *child = fork();
    if (*child == 0)
        serve_as_process(runtime);
    emu_loop_init(loop);
    hv = hv_emu_open(runtime, FRONT, &loop->hv, 5000, &error); /* likely before there is one */
    assert_int_equal(error, 0);
    return hv;
}

static void kill_child(pid_t child)
{
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void a_killed_hypervisor_is_noticed_and_its_directory_can_be_used_again(void **state)
{
    char runtime[64], command[80];
    struct emu_loop loop;
    struct hv *hv;
    pid_t child;

    (void)state;
    emu_machine_name(runtime);
    for (int round = 0; round < 2; round++) {
        hv = open_process(runtime, &loop, &child);
        assert_false(hv_emu_lost(hv));
        kill_child(child);
        assert_int_equal(poll(loop.fds, loop.count, 5000), 1);
        hv_emu_ready(hv, loop.fds[0].fd);
        assert_true(hv_emu_lost(hv));
        hv_close(hv);
    }
    snprintf(command, sizeof(command), "rm -r %s", runtime);
    assert_int_equal(system(command), 0); /* NOLINT: a path the test made */
}

/* A process that asked for something in the moment of the death slept on for ever. */
static void an_op_that_finds_it_dead_leaves_the_news_to_the_loop(void **state)
{
    char runtime[64], command[80];
    struct emu_loop loop;
    pid_t child;
    struct ev ev;

    (void)state;
    emu_machine_name(runtime);
    struct hv *hv = open_process(runtime, &loop, &child);
    kill_child(child);
    for (uint64_t token = 1; token <= 2; token++)
        hv_share(hv, token, 0, 1);
    assert_false(hv_emu_lost(hv));
    assert_false(hv_next(hv, &ev)); /* none fails before who serves the loop was told */
    assert_int_equal(poll(loop.fds, loop.count, 5000), 1);
    hv_emu_ready(hv, loop.fds[0].fd);
    assert_true(hv_emu_lost(hv));
    for (uint64_t token = 1; token <= 2; token++) {
        assert_true(hv_next(hv, &ev));
        assert_int_equal(ev.token, token);
        assert_int_equal(ev.ret, -ERR_NODEV);
    }
    hv_close(hv);
    snprintf(command, sizeof(command), "rm -r %s", runtime);
    assert_int_equal(system(command), 0); /* NOLINT: a path the test made */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, emu_pair_make, emu_pair_unmake)
        T(a_death_is_seen_through_the_store),
        T(a_domain_is_there_once_and_can_come_again),
        T(without_a_hypervisor_ops_fail_and_undo_does_not),
        T(a_burst_of_requests_waits_and_is_answered_in_order),
        T(a_burst_of_shares_waits_with_its_memory),
        T(more_than_may_wait_is_refused),
        T(all_of_many_comes_back),
        cmocka_unit_test(a_killed_hypervisor_is_noticed_and_its_directory_can_be_used_again),
        cmocka_unit_test(an_op_that_finds_it_dead_leaves_the_news_to_the_loop),
#undef T
    };
    struct rlimit files;

    /* All sides of all_of_many_comes_back are in one process. */
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    return !!cmocka_run_group_tests_name("hv_emu_ends", tests, NULL, NULL);
}
