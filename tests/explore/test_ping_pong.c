/*
 * 100 MB in one thread, there and back: what a plain test of the cores would be. A piece is sent
 * and taken by the socket, then given by the socket and received, and each side is run until it has
 * nothing more to do before the other goes on.
 *
 * It stands here for what it does not see: test_blind.sh.
 */
#include "tests/support/pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { PIECE = 20000, PIECES = 250, SOCKETS = 20, PATTERN = 65521 };

_Static_assert(PIECE *PIECES *SOCKETS == 100000000, "100 MB");

static struct pair pair;
static unsigned char pattern[PATTERN + PIECE], got[PIECE];

static void ping(uint64_t sock, uint64_t token, uint32_t round)
{
    const unsigned char *piece = pattern + (uint64_t)round * PIECE % PATTERN;
    uint64_t written;

    assert_int_equal(pair_send(&pair, sock, piece, PIECE), PIECE);
    pair_settle(&pair);
    const unsigned char *all = net_mem_written(pair.net, token, &written);
    assert_int_equal(written, (uint64_t)(round + 1) * PIECE);
    assert_memory_equal(all + written - PIECE, piece, PIECE);
}

static void pong(uint64_t sock, uint64_t token, uint32_t round)
{
    const unsigned char *piece = pattern + (uint64_t)round * 3 * PIECE % PATTERN;

    assert_true(net_mem_complete(pair.net, EV_NET_READ, token, PIECE, piece));
    pair_run(&pair);
    assert_int_equal(pair_recv(&pair, sock, got, PIECE), PIECE);
    assert_memory_equal(got, piece, PIECE);
    pair_run(&pair);
}

/* A socket keeps all that was written to it, so there are several. */
static void one_thread(void **unused)
{
    (void)unused;
    for (uint32_t i = 0; i < sizeof(pattern); i++)
        pattern[i] = (unsigned char)(i % PATTERN * 131 + (i % PATTERN >> 8) * 7);
    pair_open(&pair, &(struct pair_config){.order = 6});
    for (uint32_t i = 0; i < SOCKETS; i++) {
        uint64_t token, sock = pair_connect(&pair, &token);
        for (uint32_t round = 0; round < PIECES; round++) {
            ping(sock, token, round);
            pong(sock, token, round);
        }
        pair_release(&pair, sock);
        pair_settle(&pair);
        pair_forget(&pair);
    }
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_thread)};

    return !!cmocka_run_group_tests_name("ping_pong", tests, NULL, NULL);
}
