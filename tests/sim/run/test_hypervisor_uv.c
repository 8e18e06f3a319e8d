/* The emulated hypervisor on a libuv loop: a domain in a thread of its own is served. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/hypervisor_uv.h"

#include "tests/support/emu_machine.h"

#include "ringlib/err.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

enum { BACK = 0, FRONT = 1, READS = 2000 };

static const uint16_t domains[] = {BACK, FRONT};
static const struct hypervisor_uv_device devices[] = {{"xensock", FRONT, BACK, 0}};

struct guest {
    const char *runtime;
    uv_async_t done;
    int error;
    uint32_t right; /* answers as they should be */
};

/* Asks more than socket buffers hold before it reads, so that either side has to wait. */
static void read_many(struct guest *guest, struct hv *hv, struct emu_loop *loop)
{
    const struct hv_tag tag = {.domid = FRONT};
    struct ev ev;

    for (uint64_t i = 0; i < READS; i++)
        hv_store_read(hv, i, &tag, "/local/domain/1/device/xensock/0/state");
    for (uint64_t i = 0; i < READS && !hv_emu_lost(hv);) {
        if (!hv_next(hv, &ev)) {
            if (poll(loop->fds, loop->count, 5000) != 1)
                return;
            hv_emu_ready(hv, loop->fds[0].fd);
            continue;
        }
        guest->right += ev.ret == 0 && ev.token == i && strcmp(ev.store.value, "1") == 0;
        i++;
    }
}

static void *run_guest(void *argument)
{
    struct guest *guest = argument;
    struct emu_loop loop;
    struct hv *hv;

    emu_loop_init(&loop);
    hv = hv_emu_open(guest->runtime, FRONT, &loop.hv, 5000, &guest->error);
    if (hv) {
        read_many(guest, hv, &loop);
        hv_close(hv);
    }
    uv_async_send(&guest->done);
    return NULL;
}

static void on_done(uv_async_t *done)
{
    uv_stop(done->loop);
}

static void a_domain_is_served(void **state)
{
    struct guest guest = {0};
    struct hypervisor_uv_config config = {
        .domains = domains, .domain_count = 2, .devices = devices, .device_count = 1};
    char runtime[64], error[256] = "";
    struct hypervisor_uv *host;
    uint32_t fds;
    pthread_t thread;
    uv_loop_t loop;

    (void)state;
    emu_machine_name(runtime);
    config.runtime = guest.runtime = runtime;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_async_init(&loop, &guest.done, on_done), 0);
    fds = emu_count_fds();
    assert_int_equal(pthread_create(&thread, NULL, run_guest, &guest), 0); /* in either order */
    host = hypervisor_uv_start(&loop, &config, error, sizeof(error));
    assert_string_equal(error, "");
    uv_run(&loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    assert_int_equal(guest.error, 0);
    assert_int_equal(guest.right, READS);

    hypervisor_uv_stop(host);
    assert_int_equal(emu_count_fds(), fds);
    uv_close((uv_handle_t *)&guest.done, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_not_equal(access(runtime, F_OK), 0);
}

static void what_cannot_be_started_leaves_nothing(void **state)
{
    const struct hypervisor_uv_device twice[] = {devices[0], devices[0]};
    struct hypervisor_uv_config config = {
        .domains = domains, .domain_count = 2, .devices = twice, .device_count = 2};
    char runtime[64], error[256] = "";
    uv_loop_t loop;

    (void)state;
    emu_machine_name(runtime);
    config.runtime = runtime;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_null(hypervisor_uv_start(&loop, &config, error, sizeof(error)));
    assert_string_equal(error, "device xensock 0 of domain 1: EEXIST");
    config.runtime = "/proc/nowhere";
    assert_null(hypervisor_uv_start(&loop, &config, error, sizeof(error)));
    assert_non_null(strstr(error, "/proc/nowhere"));
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
    assert_int_not_equal(access(runtime, F_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_domain_is_served),
        cmocka_unit_test(what_cannot_be_started_leaves_nothing),
    };

    return !!cmocka_run_group_tests_name("hypervisor_uv", tests, NULL, NULL);
}
