/*
 * Both cores in threads of their own over the same memory, with nothing between them but the words
 * of the rings: 16 MiB echoed and compared. Notifications are replaced by looking again and again,
 * so that ThreadSanitizer (preset tsan) sees only the order that ringlib makes. The executor and
 * its locks take part in the handshake and the end, not between.
 */
#include "backend/be_private.h" /* where the backend mapped the ring: the test is its socket */
#include "tests/support/pair.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum {
    TOTAL = 16 << 20,
    PATTERN = 65521, /* a prime: no period of the rings */
    CHUNK = 20000,
    HELD = 1 << 16, /* bytes the echo holds */
};

static struct pair pair;
static unsigned char pattern[PATTERN + CHUNK];

/* The echo behind the backend: what was written comes back to be read. */
struct echo {
    struct be *be;
    uint64_t token;
    struct shared_area area;
    struct act_io read, write;
    bool reading, writing;
    unsigned char held[HELD];
    uint32_t count;
    struct step_out out;
    const struct shared_area *over; /* its first word */
};

/* Move bytes between spans of the ring and private memory, as a socket would. */
static uint32_t move(struct echo *echo, const struct act_io *io, bool into_ring, uint32_t limit)
{
    struct shared_iov iov[2];
    uint32_t count = shared_spans(&echo->area, io->spans, io->count, iov), moved = 0;

    for (uint32_t i = 0; i < count && moved < limit; i++) {
        uint32_t part = iov[i].length < limit - moved ? (uint32_t)iov[i].length : limit - moved;
        if (into_ring)
            memcpy(iov[i].base, echo->held + moved, part);
        else
            memcpy(echo->held + echo->count + moved, iov[i].base, part);
        moved += part;
    }
    return moved;
}

static void step_back(struct echo *echo, enum ev_kind kind, int32_t ret)
{
    echo->out.count = 0;
    be_step(echo->be, &(struct ev){.kind = kind, .token = echo->token, .ret = ret}, &echo->out);
    for (uint32_t i = 0; i < echo->out.count; i++) {
        const struct act *act = &echo->out.acts[i];
        if (act->kind == ACT_NET_READ) {
            echo->read = act->io;
            echo->reading = true;
        } else if (act->kind == ACT_NET_WRITE) {
            echo->write = act->io;
            echo->writing = true;
        } else {
            assert_int_equal(act->kind, ACT_NOTIFY);
        }
    }
}

static void *run_back(void *self)
{
    struct echo *echo = self;

    while (shared_load(echo->over, 0) == 0) {
        step_back(echo, EV_PORT, 0);
        if (echo->writing && echo->count < HELD) {
            uint32_t moved = move(echo, &echo->write, false, HELD - echo->count);
            echo->writing = false;
            echo->count += moved;
            step_back(echo, EV_NET_WRITE, (int32_t)moved);
        }
        if (echo->reading && echo->count > 0) {
            uint32_t moved = move(echo, &echo->read, true, echo->count);
            echo->reading = false;
            echo->count -= moved;
            memmove(echo->held, echo->held + moved, echo->count);
            step_back(echo, EV_NET_READ, (int32_t)moved);
        } else {
            sched_yield();
        }
    }
    return NULL;
}

static void echo_and_compare(uint64_t sock)
{
    static unsigned char got[CHUNK];
    static struct step_out out;
    uint32_t sent = 0, received = 0;

    while (received < TOTAL) {
        uint32_t ask = TOTAL - sent < CHUNK ? TOTAL - sent : CHUNK;
        out = (struct step_out){0};
        int64_t ret =
            fe_send(pair.fe, &(struct fe_send){sock, pattern + sent % PATTERN, ask}, &out);
        assert_in_range(ret, 0, ask);
        sent += (uint32_t)ret;
        out.count = 0;
        int64_t bytes = fe_recv(pair.fe, &(struct fe_recv){sock, got, CHUNK}, &out);
        if (bytes == -ERR_AGAIN) {
            out.count = 0;
            fe_step(pair.fe, &(struct ev){.kind = EV_PORT, .token = sock}, &out);
            sched_yield();
            continue;
        }
        assert_in_range(bytes, 1, CHUNK);
        assert_memory_equal(got, pattern + received % PATTERN, (size_t)bytes);
        received += (uint32_t)bytes;
    }
    assert_int_equal(sent, TOTAL);
}

static void two_threads(const struct dialect *dialect)
{
    static _Alignas(4) unsigned char word[SHARED_PAGE_BYTES];
    static const struct shared_area over = {(struct shared_memory *)word, 1};
    static struct echo echo;
    uint64_t sock;
    pthread_t thread;

    memset(&echo, 0, sizeof(echo));
    shared_store(&over, 0, 0);
    for (uint32_t i = 0; i < PATTERN; i++)
        pattern[i] = (unsigned char)(i * 131 + (i >> 8) * 7);
    memcpy(pattern + PATTERN, pattern, CHUNK);
    pair_open(&pair, &(struct pair_config){.dialect = dialect, .order = 6});
    sock = pair_connect(&pair, &echo.token);
    echo.be = pair.be;
    echo.over = &over;
    const struct be_sock *open = &pair.be->socks[step_slot(echo.token)];
    echo.area = open->in.data;
    echo.reading = true; /* the read that was posted at the scripted socket is the test's now */
    echo.read.count = 1;
    echo.read.spans[0] = (struct shared_span){open->in.at.array, open->in.at.size};
    assert_int_equal(pthread_create(&thread, NULL, run_back, &echo), 0);
    echo_and_compare(sock);
    shared_store(&over, 0, 1);
    pthread_join(thread, NULL);
    assert_int_equal(be_counters(pair.be)->received_bytes, TOTAL);
    assert_int_equal(fe_counters(pair.fe)->faults + be_counters(pair.be)->faults, 0);
    pair_release(&pair, sock);
    pair_close(&pair);
}

static void two_threads_one_mapping(void **state)
{
    (void)state;
    two_threads(&dialect_xensock1);
}

/* Indexes and data in two mappings. */
static void two_threads_two_mappings(void **state)
{
    (void)state;
    two_threads(&dialect_pvcalls1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_one_mapping),
        cmocka_unit_test(two_threads_two_mappings),
    };

    return !!cmocka_run_group_tests_name("cores_tsan", tests, NULL, NULL);
}
