/* What the tests of net_uv share: a loop under a deadline, a net, plain sockets as its peers. Every
 * wait ends by the deadline, and every test must end with as many descriptors as it began with. */
#ifndef XENSOCK_TESTS_SIM_NET_UV_FIXTURE_H
#define XENSOCK_TESTS_SIM_NET_UV_FIXTURE_H

#include "ringlib/err.h"
#include "sim/net/net_uv.h"

#include <dirent.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { LISTENER = 1, A = 2, B = 3, P = 4, Q = 5, DEADLINE_MS = 5000, STREAM_BYTES = 1 << 20 };

static const uint8_t loopback[4] = {127, 0, 0, 1};

struct fixture {
    uv_loop_t loop;
    uv_timer_t deadline;
    struct net *net;
    unsigned fds;
    unsigned wakes;
    bool late;
};

static inline unsigned count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

static inline void on_wake(void *self)
{
    ((struct fixture *)self)->wakes++;
}

static inline void on_deadline(uv_timer_t *timer)
{
    ((struct fixture *)timer->data)->late = true;
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    assert_int_equal(uv_timer_init(&f->loop, &f->deadline), 0);
    f->deadline.data = f;
    f->fds = count_fds();
    f->net = net_uv_create(&f->loop, on_wake, f);
    assert_non_null(f->net);
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    net_destroy(f->net);
    uv_close((uv_handle_t *)&f->deadline, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    assert_int_equal(count_fds(), f->fds);
    assert_int_equal(uv_loop_close(&f->loop), 0);
    free(f);
    return 0;
}

static inline struct ev wait_event(struct fixture *f)
{
    struct ev ev;

    uv_timer_start(&f->deadline, on_deadline, DEADLINE_MS, 0);
    while (!net_next(f->net, &ev)) {
        uv_run(&f->loop, UV_RUN_ONCE);
        assert_false(f->late);
    }
    uv_timer_stop(&f->deadline);
    return ev;
}

static inline void expect(struct fixture *f, enum ev_kind kind, uint64_t token, int32_t ret)
{
    struct ev ev = wait_event(f);

    assert_int_equal(ev.kind, kind);
    assert_int_equal(ev.token, token);
    assert_int_equal(ev.ret, ret);
}

/* Whatever loopback had to tell is told within a few turns, since it delivers inside the calls. */
static inline void expect_quiet(struct fixture *f)
{
    struct ev ev;

    for (int i = 0; i < 5; i++) {
        uv_run(&f->loop, UV_RUN_NOWAIT);
        assert_false(net_next(f->net, &ev));
    }
}

static inline struct sockaddr_in loopback_addr(uint16_t port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(port)};

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static inline uint16_t port_of(int fd)
{
    struct sockaddr_in addr = {0};
    socklen_t length = sizeof(addr);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &length), 0);
    return ntohs(addr.sin_port);
}

static inline int plain_bind(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = loopback_addr(0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static inline int plain_listen(int backlog)
{
    int fd = plain_bind();

    assert_int_equal(listen(fd, backlog), 0);
    return fd;
}

static inline int plain_connect(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in addr = loopback_addr(port);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    return fd;
}

static inline void start_connect(struct fixture *f, uint64_t token, uint16_t port)
{
    struct call_addr addr;

    call_addr4(&addr, loopback, port);
    net_connect(f->net, token, &addr);
}

/* Connect `token` to a plain peer, which is returned. */
static inline int connect_peer(struct fixture *f, uint64_t token)
{
    int listener = plain_listen(1);
    int peer;

    start_connect(f, token, port_of(listener));
    expect(f, EV_NET_CONNECT, token, 0);
    peer = accept(listener, NULL, NULL);
    assert_true(peer >= 0);
    close(listener);
    return peer;
}

/* The one descriptor of this process that listens. */
static inline int listening_fd(void)
{
    for (int fd = 0; fd < 1024; fd++) {
        int listens = 0;
        socklen_t length = sizeof(listens);

        if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) == 0 && listens)
            return fd;
    }
    fail_msg("nothing listens");
    return -1;
}

/* Let LISTENER listen and return its port. */
static inline uint16_t start_listener(struct fixture *f)
{
    struct call_addr addr;

    call_addr4(&addr, loopback, 0);
    net_bind(f->net, LISTENER, &addr);
    expect(f, EV_NET_BIND, LISTENER, 0);
    net_listen(f->net, LISTENER, 8);
    expect(f, EV_NET_LISTEN, LISTENER, 0);
    return port_of(listening_fd());
}

static inline void expect_byte(struct fixture *f, uint64_t token, char byte)
{
    char in[4] = "";
    const struct shared_iov iov = {in, sizeof(in)};

    net_read(f->net, token, &iov, 1);
    expect(f, EV_NET_READ, token, 1);
    assert_int_equal(in[0], byte);
}

#define UV_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
