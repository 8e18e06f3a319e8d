/*
 * What the frontend makes of calls that a backend leaves unanswered, or answers late, and of polls
 * that it turns away: in every dialect, every order of the answers, and the device gone after any
 * of them.
 *
 * When a listener's RELEASE is answered, what still waits on it ends with -EBADF at once. Pages
 * and ports of an accept that ended so stay until its answer comes or the device goes, for the
 * backend may have mapped them; where that answer is a success the socket is released. The same of
 * an accept whose own RELEASE was answered first. Source: fe_socket.c, protocol.md 1.3, 5.2 e.
 */
#include "tests/support/rogue.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct pair pair;
static struct rogue back;
static const struct dialect *spoken;

static void open_back(void)
{
    rogue_back_open_with(&back, &pair,
                         &(struct pair_config){.dialect = spoken, .order = 1, .max_sockets = 160});
}

static bool is_asked(struct call *call)
{
    pair_run(&pair);
    return rogue_request(&back, call);
}

static uint64_t listener(void)
{
    int64_t sock = pair_bind_begin(&pair, 7000);

    if (dialect_has(spoken, CALL_SOCKET))
        rogue_serve(&back, CALL_SOCKET, 0);
    rogue_serve(&back, CALL_BIND, 0);
    assert_int_equal(pair_listen_begin(&pair, (uint64_t)sock), 0);
    rogue_serve(&back, CALL_LISTEN, 0);
    return (uint64_t)sock;
}

/* How often a call was told its end; never by itself. */
static uint32_t told(enum call_kind call, uint64_t sock)
{
    uint32_t times = 0;

    for (uint32_t i = 0; i < pair.log_count; i++)
        if (pair.log[i].kind == ACT_DONE && pair.log[i].done.call == call &&
            pair.log[i].done.sock == sock)
            times++;
    return times;
}

/* The device goes, and with it everything of it. */
static void lose_device(void)
{
    pair_write(&pair, PAIR_BACK, "state", "6");
    pair_run(&pair);
    assert_true(pair.gone);
}

/* ---- every order of the answers ----------------------------------------------------------------
 */

/* What waits for an answer: the listener's ACCEPT and POLL, its RELEASE, and the accept's, if the
 * application gave that up too. */
enum { ACCEPTED, POLLED, LISTENER_GONE, ACCEPTED_GONE, ANSWERS };

struct story {
    uint32_t place[ANSWERS]; /* which of the answers it is, from 0 */
    uint32_t count;          /* ANSWERS, or one less: the application keeps its accept */
    uint32_t cut;            /* after so many the device goes; more than `count`: it stays */
    int32_t accept, poll;    /* what those are answered */
};

static struct call_reply replies[ANSWERS];
static uint64_t sock_listening, sock_accepted, wire_accepted;

static bool is_given_up(const struct story *story)
{
    return story->count == ANSWERS;
}

/* Whether an answer comes at all, and before the listener's release is answered. */
static bool comes(const struct story *story, uint32_t which)
{
    return story->place[which] < story->cut;
}

static bool in_time(const struct story *story, uint32_t which)
{
    return comes(story, which) && story->place[which] < story->place[LISTENER_GONE];
}

/* What a call on the listener that has no answer in time ends with. */
static int32_t end_of(const struct story *story)
{
    return comes(story, LISTENER_GONE) ? -ERR_BADF : -ERR_CONNRESET;
}

static int32_t accept_told(const struct story *story)
{
    bool late = is_given_up(story) && story->place[ACCEPTED] > story->place[ACCEPTED_GONE];

    if (!in_time(story, ACCEPTED))
        return end_of(story);
    return late && story->accept == 0 ? -ERR_CONNABORTED : story->accept;
}

/* Whether the backend has a socket that nobody else will release: its RELEASE was answered before
 * it was made, or the application was told that it failed. */
static bool is_orphan(const struct story *story)
{
    uint32_t end = is_given_up(story) ? ACCEPTED_GONE : LISTENER_GONE;

    return story->accept == 0 && comes(story, ACCEPTED) && comes(story, end) &&
           story->place[ACCEPTED] > story->place[end];
}

static void begin(const struct story *story)
{
    struct call call;

    open_back();
    sock_listening = listener();
    sock_accepted = (uint64_t)pair_accept_begin(&pair, sock_listening);
    replies[ACCEPTED] = rogue_expect(&back, CALL_ACCEPT, &call, story->accept);
    wire_accepted = call.new_sockid;
    assert_int_equal(pair_poll_begin(&pair, sock_listening), 0);
    replies[POLLED] = rogue_expect(&back, CALL_POLL, &call, story->poll);
    if (is_given_up(story)) {
        assert_int_equal(pair_release(&pair, sock_accepted), 0);
        replies[ACCEPTED_GONE] = rogue_expect(&back, CALL_RELEASE, &call, 0);
    }
    assert_int_equal(pair_release(&pair, sock_listening), 0);
    replies[LISTENER_GONE] = rogue_expect(&back, CALL_RELEASE, &call, 0);
    pair_forget(&pair);
}

/* The answers in their order. The pages of the accept are here until it was answered. */
static void tell(const struct story *story)
{
    for (uint32_t at = 0; at < story->count && at < story->cut; at++) {
        uint32_t which = 0;
        while (story->place[which] != at)
            which++;
        rogue_answer(&back, &replies[which]);
        if (story->place[ACCEPTED] > at)
            assert_true(pair.front_hv->counters.grants_now > 1);
        if (story->place[LISTENER_GONE] == at)
            assert_int_equal(told(CALL_RELEASE, sock_listening), 1); /* nobody else is waited for */
        if (is_given_up(story) && story->place[ACCEPTED_GONE] == at &&
            (comes(story, LISTENER_GONE) && story->place[LISTENER_GONE] < at))
            assert_int_equal(told(CALL_RELEASE, sock_accepted), 1);
    }
}

/* What the application was told, each once. */
static void check_told(const struct story *story)
{
    assert_int_equal(told(CALL_ACCEPT, sock_accepted), 1);
    assert_int_equal(pair_done(&pair, CALL_ACCEPT, sock_accepted), accept_told(story));
    assert_int_equal(told(CALL_POLL, sock_listening), 1);
    assert_int_equal(pair_done(&pair, CALL_POLL, sock_listening),
                     !in_time(story, POLLED)    ? end_of(story)
                     : story->poll == -ERR_INTR ? -ERR_BADF /* not to be asked again */
                                                : story->poll);
    assert_int_equal(told(CALL_RELEASE, sock_listening), 1);
    assert_int_equal(told(CALL_RELEASE, sock_accepted), is_given_up(story) ? 1 : 0);
}

static void run_story(const struct story *story)
{
    bool lost = story->cut <= story->count;
    bool kept = !is_given_up(story) && in_time(story, ACCEPTED) && story->accept == 0;
    struct call call;

    begin(story);
    tell(story);
    if (story->cut >= story->count && is_orphan(story)) {
        assert_true(is_asked(&call));
        assert_int_equal(call.kind, CALL_RELEASE);
        assert_true(call.sockid == wire_accepted);
        assert_true(pair.front_hv->counters.grants_now > 1); /* until that is answered */
        if (!lost)
            rogue_answer(&back, &(struct call_reply){call.id, call.code, call.sockid, 0});
    }
    if (story->cut >= story->count)
        assert_false(is_asked(&call));
    if (lost)
        lose_device();
    check_told(story);
    assert_int_equal(pair_release(&pair, sock_accepted), kept ? 0 : -ERR_BADF);
    if (kept && !lost)
        rogue_serve(&back, CALL_RELEASE, 0);
    pair_run(&pair);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_fault_count, 0);
    rogue_back_close(&back);
}

/* Whether the digits of a number are the places of so many answers. */
static bool is_order(uint32_t number, struct story *story)
{
    uint32_t seen = 0;

    for (uint32_t i = 0; i < ANSWERS; i++, number /= ANSWERS) {
        story->place[i] = number % ANSWERS;
        seen |= 1u << story->place[i];
    }
    return seen == (1u << ANSWERS) - 1 &&
           (is_given_up(story) || story->place[ACCEPTED_GONE] == ACCEPTED_GONE);
}

static void every_order(uint32_t count)
{
    struct story story = {.count = count};
    uint32_t orders = 0;

    for (uint32_t number = 0; number < 256; number++) {
        if (!is_order(number, &story))
            continue;
        orders++;
        for (uint32_t pick = 0; pick < 4 * (count + 2); pick++) {
            story.accept = pick % 2 ? 0 : -ERR_MFILE;
            story.poll = pick / 2 % 2 ? 0 : -ERR_INTR;
            story.cut = pick / 4;
            run_story(&story);
        }
    }
    assert_int_equal(orders, count == ANSWERS ? 24 : 6);
}

static void answers_in_every_order(void **state)
{
    (void)state;
    every_order(ANSWERS - 1);
}

static void answers_and_two_releases_in_every_order(void **state)
{
    (void)state;
    every_order(ANSWERS);
}

/* ---- an accept given up ------------------------------------------------------------------------
 */

/* Its own RELEASE is answered first; the listener stays. */
static struct call_reply given_up(uint64_t *sock)
{
    struct call call;
    uint64_t from = listener();

    *sock = (uint64_t)pair_accept_begin(&pair, from);
    struct call_reply reply = rogue_expect(&back, CALL_ACCEPT, &call, 0);
    pair_forget(&pair);
    wire_accepted = call.new_sockid;
    sock_listening = from;
    assert_int_equal(pair_release(&pair, *sock), 0);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_string_equal(pair_told(&pair), "");
    return reply;
}

static void close_listener(void)
{
    assert_int_equal(pair_release(&pair, sock_listening), 0);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    assert_int_equal(pair.front_hv->counters.grants_now, 1);
}

static void accepted_after_its_release(void **state)
{
    uint64_t sock;

    (void)state;
    open_back();
    struct call_reply reply = given_up(&sock);
    rogue_answer(&back, &reply);
    assert_string_equal(pair_told(&pair), "ACCEPT -103");
    assert_true(rogue_serve(&back, CALL_RELEASE, -ERR_INVAL).sockid ==
                wire_accepted); /* whatever it says */
    assert_string_equal(pair_told(&pair), "ACCEPT -103, RELEASE 0");
    close_listener();
    rogue_back_close(&back);
}

static void failed_after_its_release(void **state)
{
    struct call call;
    uint64_t sock;

    (void)state;
    open_back();
    struct call_reply reply = given_up(&sock);
    reply.ret = -ERR_NOMEM;
    rogue_answer(&back, &reply);
    assert_string_equal(pair_told(&pair), "ACCEPT -12, RELEASE 0");
    assert_false(is_asked(&call));
    close_listener();
    rogue_back_close(&back);
}

/* The device goes before the late answer, and after it. */
static void device_goes_after_its_release(void **state)
{
    uint64_t sock;

    (void)state;
    for (uint32_t answered = 0; answered < 2; answered++) {
        open_back();
        struct call_reply reply = given_up(&sock);
        if (answered)
            rogue_answer(&back, &reply);
        lose_device();
        assert_int_equal(pair_done(&pair, CALL_ACCEPT, sock),
                         answered ? -ERR_CONNABORTED : -ERR_CONNRESET);
        assert_int_equal(told(CALL_ACCEPT, sock), 1);
        assert_int_equal(told(CALL_RELEASE, sock), 1);
        assert_int_equal(pair_release(&pair, sock_listening), 0);
        assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
        rogue_back_close(&back);
    }
}

/* Once more, after the second release: nobody asked. */
static void accepted_twice(void **state)
{
    struct call poll;
    uint64_t sock;

    (void)state;
    open_back();
    struct call_reply reply = given_up(&sock);
    assert_int_equal(pair_poll_begin(&pair, sock_listening), 0);
    rogue_expect(&back, CALL_POLL, &poll, 0); /* else no answer at all may come */
    rogue_answer(&back, &reply);
    rogue_serve(&back, CALL_RELEASE, 0);
    pair_forget(&pair);
    rogue_answer(&back, &reply);
    assert_int_equal(pair.front_fault_count, 1);
    assert_int_equal(pair.front_faults[0].reason, FAULT_RESPONSE_ID);
    lose_device();
    assert_string_equal(pair_told(&pair), "POLL -104, GONE");
    assert_int_equal(pair_release(&pair, sock_listening), 0);
    rogue_back_close(&back);
}

/* Its release still waits in the guest, for a full ring, when the listener's is answered. */
static void release_in_a_full_ring(void **state)
{
    uint32_t slots = cmdring_size(spoken->request_bytes);
    struct call_reply accepted, released;
    struct call call;

    (void)state;
    open_back();
    uint64_t other = listener(), from = listener();
    uint64_t sock = (uint64_t)pair_accept_begin(&pair, from);
    accepted = rogue_expect(&back, CALL_ACCEPT, &call, 0);
    for (uint32_t i = 0; i < slots - 3; i++)
        assert_true(pair_accept_begin(&pair, other) >= 0);
    pair_run(&pair);
    assert_true(pair_bind_begin(&pair, 80) >= 0);
    assert_int_equal(pair_release(&pair, from), 0);
    pair_forget(&pair);
    assert_int_equal(pair_release(&pair, sock), 0);
    do
        released = rogue_expect(&back, CALL_ACCEPT, &call, 0);
    while (back.cons - back.prod < slots - 2);
    (void)released;
    assert_true(is_asked(&call)); /* the bind, or its SOCKET */
    released = rogue_expect(&back, CALL_RELEASE, &call, 0);
    assert_false(is_asked(&call));
    rogue_answer(&back, &released);
    assert_string_equal(pair_told(&pair), "ACCEPT -9, RELEASE 0");
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT -9, RELEASE 0, RELEASE 0");
    rogue_answer(&back, &accepted);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT -9, RELEASE 0, RELEASE 0");
    lose_device();
    assert_int_equal(pair_release(&pair, other), 0);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_back_close(&back);
}

/* Each such accept costs its slot of the ring, as long as the device lives; what does not wait on a
 * listener still goes. */
static void forgotten_calls_use_the_ring_up(void **state)
{
    uint32_t most = cmdring_size(spoken->request_bytes) - 2;
    struct call call;

    (void)state;
    open_back();
    for (uint32_t i = 0; i < most; i++) {
        uint64_t from = listener();
        assert_true(pair_accept_begin(&pair, from) >= 0);
        rogue_expect(&back, CALL_ACCEPT, &call, 0);
        assert_int_equal(pair_release(&pair, from), 0);
        rogue_serve(&back, CALL_RELEASE, 0);
        assert_int_equal(fe_counters(pair.fe)->sockets_now, i + 1);
    }
    uint64_t last = listener();
    pair_forget(&pair);
    assert_true(pair_accept_begin(&pair, last) >= 0);
    assert_false(is_asked(&call));
    assert_int_equal(pair_release(&pair, last), 0);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "ACCEPT -9");
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT -9, RELEASE 0");
    lose_device();
    assert_string_equal(pair_told(&pair), "ACCEPT -9, RELEASE 0, GONE");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_back_close(&back);
}

/* ---- polls that are turned away ----------------------------------------------------------------
 */

/* A listener with an accept in the ring, its reply to come, and polls beside it of which the first,
 * and perhaps the others, were answered -EINTR: they are not asked again as long as it waits. */
static struct call_reply turned_away(uint32_t polls)
{
    struct call call;

    open_back();
    sock_listening = listener();
    sock_accepted = (uint64_t)pair_accept_begin(&pair, sock_listening);
    struct call_reply waiting = rogue_expect(&back, CALL_ACCEPT, &call, -ERR_MFILE);
    for (uint32_t i = 0; i < polls; i++) {
        assert_int_equal(pair_poll_begin(&pair, sock_listening), 0);
        for (uint32_t again = 0; again <= i && is_asked(&call); again++)
            rogue_answer(&back, &(struct call_reply){call.id, call.code, call.sockid, -ERR_INTR});
        assert_true(i > 0 || call.kind == CALL_POLL);
        assert_false(is_asked(&call));
    }
    pair_forget(&pair);
    return waiting;
}

static void turned_away_polls_wait_for_the_other(void **state)
{
    (void)state;
    struct call_reply waiting = turned_away(3);
    rogue_answer(&back, &waiting);
    assert_string_equal(pair_told(&pair), "ACCEPT -24");
    struct call call;
    struct call_reply first = rogue_expect(&back, CALL_POLL, &call, 0);
    rogue_serve(&back, CALL_POLL, -ERR_INTR);
    rogue_serve(&back, CALL_POLL, -ERR_INTR);
    assert_false(is_asked(&call));
    rogue_answer(&back, &first); /* one after the other */
    rogue_serve(&back, CALL_POLL, 0);
    rogue_serve(&back, CALL_POLL, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT -24, POLL 0, POLL 0, POLL 0");
    close_listener();
    rogue_back_close(&back);
}

/* With nothing of its listener in the ring a poll is asked again at once. */
static void a_lonely_poll_is_asked_again(void **state)
{
    (void)state;
    struct call_reply waiting = turned_away(0);
    rogue_answer(&back, &waiting);
    assert_int_equal(pair_poll_begin(&pair, sock_listening), 0);
    rogue_serve(&back, CALL_POLL, -ERR_INTR);
    rogue_serve(&back, CALL_POLL, -ERR_INTR);
    rogue_serve(&back, CALL_POLL, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT -24, POLL 0");
    close_listener();
    rogue_back_close(&back);
}

static void listener_released_while_polls_wait(void **state)
{
    (void)state;
    struct call_reply waiting = turned_away(2);
    assert_int_equal(pair_release(&pair, sock_listening), 0);
    pair_run(&pair);
    assert_string_equal(pair_told(&pair), "POLL -9, POLL -9");
    rogue_answer(&back, &waiting);
    rogue_serve(&back, CALL_RELEASE, 0);
    assert_string_equal(pair_told(&pair), "POLL -9, POLL -9, ACCEPT -24, RELEASE 0");
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_back_close(&back);
}

static void device_goes_while_polls_wait(void **state)
{
    (void)state;
    turned_away(2);
    lose_device();
    assert_int_equal(told(CALL_POLL, sock_listening), 2);
    assert_int_equal(told(CALL_ACCEPT, sock_accepted), 1);
    assert_int_equal(pair_release(&pair, sock_listening), 0);
    assert_int_equal(fe_counters(pair.fe)->sockets_now, 0);
    rogue_back_close(&back);
}

/* The accept that a poll waits for is given up: its answer is the poll's turn, whatever it is. */
static void other_is_given_up_while_polls_wait(void **state)
{
    (void)state;
    struct call call;
    struct call_reply waiting = turned_away(1);
    assert_int_equal(pair_release(&pair, sock_accepted), 0);
    struct call_reply released = rogue_expect(&back, CALL_RELEASE, &call, 0);
    assert_false(is_asked(&call));
    waiting.ret = -ERR_CONNABORTED;
    rogue_answer(&back, &waiting);
    rogue_answer(&back, &released);
    rogue_serve(&back, CALL_POLL, 0);
    assert_string_equal(pair_told(&pair), "ACCEPT -103, RELEASE 0, POLL 0");
    close_listener();
    rogue_back_close(&back);
}

/* The accept that another waits for ended with its listener: its late answer is that one's turn. */
static void turned_away_until_a_late_answer(void **state)
{
    struct call call;

    (void)state;
    for (uint32_t accepted = 0; accepted < 2; accepted++) {
        open_back();
        uint64_t ended = listener();
        sock_listening = listener();
        assert_true(pair_accept_begin(&pair, ended) >= 0);
        struct call_reply late = rogue_expect(&back, CALL_ACCEPT, &call, accepted ? 0 : -ERR_MFILE);
        assert_true(pair_accept_begin(&pair, sock_listening) >= 0);
        struct call_reply away = rogue_expect(&back, CALL_ACCEPT, &call, -ERR_INTR);
        assert_int_equal(pair_release(&pair, ended), 0);
        rogue_serve(&back, CALL_RELEASE, 0);
        pair_forget(&pair);
        rogue_answer(&back, &away);
        assert_false(is_asked(&call));
        rogue_answer(&back, &late);
        if (accepted)
            rogue_serve(&back, CALL_RELEASE, 0);
        rogue_serve(&back, CALL_ACCEPT, -ERR_NOMEM);
        assert_string_equal(pair_told(&pair), "ACCEPT -12");
        close_listener();
        rogue_back_close(&back);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_every_order),
        cmocka_unit_test(answers_and_two_releases_in_every_order),
        cmocka_unit_test(accepted_after_its_release),
        cmocka_unit_test(failed_after_its_release),
        cmocka_unit_test(device_goes_after_its_release),
        cmocka_unit_test(accepted_twice),
        cmocka_unit_test(release_in_a_full_ring),
        cmocka_unit_test(forgotten_calls_use_the_ring_up),
        cmocka_unit_test(turned_away_polls_wait_for_the_other),
        cmocka_unit_test(a_lonely_poll_is_asked_again),
        cmocka_unit_test(listener_released_while_polls_wait),
        cmocka_unit_test(device_goes_while_polls_wait),
        cmocka_unit_test(other_is_given_up_while_polls_wait),
        cmocka_unit_test(turned_away_until_a_late_answer),
    };

    int failed = 0;

    for (uint32_t i = 0; (spoken = dialect_at(i)); i++)
        failed += cmocka_run_group_tests_name(spoken->name, tests, NULL, NULL);
    return !!failed;
}
