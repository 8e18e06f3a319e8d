/* The tables as text: each state of a domain, a ref and a port, pages of an answer, bad words. */
#include "sim/hv/hypervisor_look.h"

#include "ringlib/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { BACK = 0, FRONT = 5, OTHER = 6, GRANTS = 8 + 400, PORTS = 1 + 300 };

static int backing; /* of every run and channel: what it is, nobody here asks */

static void release(void *self, void *of)
{
    (void)self;
    assert_ptr_equal(of, &backing);
}

static int make(void **state)
{
    struct hypervisor *hv = hypervisor_create(&(struct hypervisor_config){
        .grants_max = GRANTS, .ports_max = PORTS, .release_run = release});

    *state = hv;
    hypervisor_domain_add(hv, BACK);
    hypervisor_domain_add(hv, FRONT);
    return 0;
}

static int unmake(void **state)
{
    hypervisor_destroy(*state);
    return 0;
}

/* The answer to a command, whose words are given with a space between them; valid until the next.
 */
static char text[HYPERVISOR_LOOK_MAX + 1];

static int ask_for(const struct hypervisor *hv, const char *command, uint32_t bytes)
{
    char line[64], *rest;
    const char *words[8];
    uint32_t count = 0;

    snprintf(line, sizeof(line), "%s", command);
    for (char *at = line; at; at = rest) {
        rest = strchr(at, ' ');
        if (rest)
            *rest++ = '\0';
        words[count++] = at;
    }
    int got = hypervisor_look(hv, words, count, text, bytes);
    text[got > 0 ? got : 0] = '\0';
    return got;
}

static const char *answer(const struct hypervisor *hv, const char *command)
{
    int length = ask_for(hv, command, HYPERVISOR_LOOK_MAX);

    assert_int_equal(length, strlen(text));
    return text;
}

static uint32_t share(struct hypervisor *hv, uint32_t pages)
{
    uint32_t refs[HV_REFS_MAX];

    assert_true(hypervisor_share(hv, FRONT, BACK, pages, &backing, refs) >= 0);
    return refs[0];
}

static uint32_t map(struct hypervisor *hv, uint32_t first, uint32_t count)
{
    static struct hypervisor_piece pieces[HV_REFS_MAX];
    uint32_t refs[HV_REFS_MAX], piece_count;

    for (uint32_t i = 0; i < count; i++)
        refs[i] = first + i;
    int64_t handle = hypervisor_map(hv, BACK, FRONT, refs, count, pieces, &piece_count);
    assert_true(handle >= 0);
    return (uint32_t)handle;
}

static void a_domain_is_connected_or_dead_or_expected(void **state)
{
    struct hypervisor *hv = *state;

    hypervisor_domain_expect(hv, FRONT);
    hypervisor_domain_expect(hv, 9);
    assert_string_equal(answer(hv, "domains"), "domain 0 connected 1 0 0 400 0 300 0 0 9 0 0\n"
                                               "domain 5 connected 1 0 0 400 0 300 0 0 1 0 0\n"
                                               "domain 9 expected 0 0 0 400 0 300 0 0 0 0 0\n");
    hypervisor_domain_remove(hv, FRONT);
    assert_string_equal(answer(hv, "domains 1"), "domain 5 dead 1 0 0 400 0 300 0 0 0 0 0\n"
                                                 "domain 9 expected 0 0 0 400 0 300 0 0 0 0 0\n");
    hypervisor_domain_add(hv, FRONT);
    hypervisor_domain_add(hv, 9);
    assert_string_equal(answer(hv, "domains 5"), "domain 5 connected 2 0 0 400 0 300 0 0 1 0 0\n"
                                                 "domain 9 connected 1 0 0 400 0 300 0 0 1 0 0\n");
}

static void a_domain_has_counts(void **state)
{
    struct hypervisor *hv = *state;

    share(hv, 4);
    uint32_t ended = share(hv, 3);
    map(hv, ended, 2);
    map(hv, ended + 1, 2);
    hypervisor_unshare(hv, FRONT, ended);
    hypervisor_port_alloc(hv, FRONT, BACK, &backing);
    assert_string_equal(answer(hv, "domains"), "domain 0 connected 1 0 0 400 0 300 2 0 9 0 0\n"
                                               "domain 5 connected 1 7 3 400 1 300 0 0 1 0 0\n");
}

static void a_domain_has_nodes_watches_and_transactions(void **state)
{
    struct hypervisor *hv = *state;
    struct store_client *front = hypervisor_client(hv, FRONT);

    assert_int_equal(store_write(front, 0, "data/a/b", "x", 1), 0);
    assert_int_equal(store_watch(front, "data", "t", 1), 0);
    assert_int_equal(store_watch(front, "@releaseDomain", "t", 1), 0);
    for (int i = 0; i < 3; i++)
        assert_true(store_begin(front) > 0);
    assert_string_equal(answer(hv, "domains 5"), "domain 5 connected 1 0 0 400 0 300 0 0 3 2 3\n");
    hypervisor_domain_remove(hv, FRONT);
    assert_string_equal(answer(hv, "domains 5"), "domain 5 dead 1 0 0 400 0 300 0 0 0 0 0\n");
}

static void a_ref_is_granted_or_mapped_or_quarantined(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t refs[1];

    share(hv, 2);
    uint32_t mapped = share(hv, 3);
    map(hv, mapped, 3);
    map(hv, mapped + 1, 1);
    hypervisor_domain_add(hv, OTHER);
    hypervisor_share(hv, FRONT, OTHER, 1, &backing, refs);
    uint32_t ended = share(hv, 1);
    uint32_t handle = map(hv, ended, 1);
    hypervisor_unshare(hv, FRONT, ended);
    assert_string_equal(answer(hv, "grants 5"), "grant 8 9 8 0 0 granted 0\n"
                                                "grant 10 12 10 0 0 mapped 2\n"
                                                "grant 13 13 13 0 6 granted 0\n"
                                                "grant 14 14 14 0 0 quarantined 1\n");
    hypervisor_unmap(hv, BACK, handle);
    assert_string_equal(answer(hv, "grants 5 13"), "grant 13 13 13 0 6 granted 0\n");
    assert_string_equal(answer(hv, "grants 0"), "");
}

/* Every second ref is free when a run of five comes. */
static void a_run_of_scattered_refs_has_a_line_each_piece(void **state)
{
    struct hypervisor *hv = *state;
    uint32_t single[GRANTS];

    for (uint32_t i = 0; i < GRANTS - HV_REFS_RESERVED; i++)
        single[i] = share(hv, 1);
    for (uint32_t i = 0; i < 4; i++)
        hypervisor_unshare(hv, FRONT, single[2 * i]);
    hypervisor_unshare(hv, FRONT, single[7]);
    assert_int_equal(share(hv, 5), 8);
    hypervisor_unshare(hv, FRONT, single[9]); /* 17: what follows is no part of the run */
    assert_true(ask_for(hv, "grants 5", HYPERVISOR_LOOK_MIN) > 0);
    assert_string_equal(text, "grant 8 8 8 0 0 granted 0\n"
                              "grant 9 9 9 0 0 granted 0\n"
                              "grant 10 10 8 1 0 granted 0\n"
                              "grant 11 11 11 0 0 granted 0\n"
                              "grant 12 12 8 2 0 granted 0\n"
                              "grant 13 13 13 0 0 granted 0\n"
                              "grant 14 15 8 3 0 granted 0\n"
                              "grant 16 16 16 0 0 granted 0\n"
                              "next 18\n");
    assert_memory_equal(answer(hv, "grants 5 15"), "grant 15 15 8 4 0 ", 18);
    assert_memory_equal(answer(hv, "grants 5 18"), "grant 18 18 18 0 0 ", 19);
}

/* The refs of a run go round: its last page's stands before its first one's. */
static void refs_that_follow_each_other_may_be_of_other_pages(void **state)
{
    struct hypervisor *hv = *state;

    uint32_t single[GRANTS - HV_REFS_RESERVED];
    for (uint32_t i = 0; i < GRANTS - HV_REFS_RESERVED; i++)
        single[i] = share(hv, 1);
    hypervisor_unshare(hv, FRONT, single[1]);
    assert_int_equal(share(hv, 1), 9); /* so that the next search begins at 10 */
    hypervisor_unshare(hv, FRONT, 9);
    hypervisor_unshare(hv, FRONT, single[2]);
    hypervisor_unshare(hv, FRONT, single[12]);
    assert_int_equal(share(hv, 3), 10);
    assert_memory_equal(answer(hv, "grants 5 9"), "grant 9 9 10 2 0 granted 0\ngrant 10 10 10 0 0 ",
                        46);
}

static void pages_that_outlive_their_owner_are_held(void **state)
{
    struct hypervisor *hv = *state;

    uint32_t first = share(hv, 4);
    uint32_t one = map(hv, first, 4);
    uint32_t two = map(hv, first, 2);
    share(hv, 7); /* nobody mapped it: it goes */
    hypervisor_domain_remove(hv, FRONT);
    assert_string_equal(answer(hv, "domains 5"), "domain 5 dead 1 0 0 400 0 300 0 4 0 0 0\n");
    assert_string_equal(answer(hv, "grants 5"), "held 0 0 4\nheld 0 1 2\n");
    hypervisor_domain_add(hv, FRONT);
    map(hv, share(hv, 1), 1); /* of this life: not held */
    assert_string_equal(answer(hv, "grants 5"),
                        "grant 8 8 8 0 0 mapped 1\nheld 0 0 4\nheld 0 1 2\n");
    hypervisor_unmap(hv, BACK, one);
    assert_string_equal(answer(hv, "grants 5 4294967296"), "held 0 1 2\n");
    assert_string_equal(answer(hv, "domains 5"), "domain 5 connected 2 1 0 400 0 300 0 4 1 0 0\n");
    hypervisor_unmap(hv, BACK, two);
    assert_string_equal(answer(hv, "grants 5"), "grant 8 8 8 0 0 mapped 1\n");
    assert_string_equal(answer(hv, "domains 5"), "domain 5 connected 2 1 0 400 0 300 0 0 1 0 0\n");
}

static void what_is_held_is_of_its_owner_alone(void **state)
{
    struct hypervisor *hv = *state;
    struct hypervisor_piece pieces[1];
    uint32_t ref, count;

    hypervisor_domain_add(hv, OTHER);
    map(hv, share(hv, 2), 2);
    hypervisor_share(hv, OTHER, BACK, 1, &backing, &ref);
    assert_int_equal(hypervisor_map(hv, BACK, OTHER, &ref, 1, pieces, &count), 1);
    hypervisor_domain_remove(hv, FRONT);
    hypervisor_domain_remove(hv, OTHER);
    assert_string_equal(answer(hv, "grants 5"), "held 0 0 2\n");
    assert_string_equal(answer(hv, "grants 6"), "held 0 1 1\n");
}

static void held_pages_go_with_the_last_who_mapped_them(void **state)
{
    struct hypervisor *hv = *state;

    map(hv, share(hv, 4), 4);
    hypervisor_domain_remove(hv, FRONT);
    hypervisor_domain_remove(hv, BACK);
    assert_string_equal(answer(hv, "domains 5"), "domain 5 dead 1 0 0 400 0 300 0 0 0 0 0\n");
    assert_string_equal(answer(hv, "grants 5"), "");
}

static void a_port_is_unbound_or_interdomain_or_closed(void **state)
{
    struct hypervisor *hv = *state;
    void *got;

    int64_t first = hypervisor_port_alloc(hv, FRONT, BACK, &backing);
    hypervisor_port_alloc(hv, BACK, OTHER, &backing);
    hypervisor_port_alloc(hv, FRONT, OTHER, &backing);
    assert_string_equal(answer(hv, "ports 5"), "port 1 unbound 0 0\nport 2 unbound 6 0\n");
    assert_int_equal(hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)first, &got), 2);
    assert_string_equal(answer(hv, "ports 5"), "port 1 interdomain 0 2\nport 2 unbound 6 0\n");
    assert_string_equal(answer(hv, "ports 0"), "port 1 unbound 6 0\nport 2 interdomain 5 1\n");
    hypervisor_port_close(hv, BACK, 2);
    assert_string_equal(answer(hv, "ports 5"), "port 1 closed 0 2\nport 2 unbound 6 0\n");
    assert_int_equal(hypervisor_port_bind(hv, BACK, FRONT, (uint32_t)first, &got), 3);
    hypervisor_domain_remove(hv, FRONT);
    assert_string_equal(answer(hv, "ports 0"), "port 1 unbound 6 0\nport 3 closed 5 1\n");
    assert_string_equal(answer(hv, "ports 0 2"), "port 3 closed 5 1\n");
    assert_string_equal(answer(hv, "ports 5"), "");
}

/* Ask page by page; what comes together, and in how many pages. */
static uint32_t pages_of(const struct hypervisor *hv, const char *command, char *all)
{
    char asked[64], *end;
    uint32_t pages = 0;

    snprintf(asked, sizeof(asked), "%s", command);
    for (size_t length = 0; asked[0]; pages++) {
        length += (size_t)sprintf(all + length, "%s", answer(hv, asked));
        end = strstr(all, "next ");
        asked[0] = '\0';
        if (end)
            snprintf(asked, sizeof(asked), "%s %.*s", command, (int)strlen(end) - 6, end + 5);
        length = end ? (size_t)(end - all) : length;
        all[length] = '\0';
    }
    return pages;
}

static void ports_and_refs_over_a_message_come_in_pages(void **state)
{
    struct hypervisor *hv = *state;
    static char all[32768], want[32768];
    char *at = want;

    for (uint32_t i = 0; i < 300; i++)
        at += sprintf(at, "port %u unbound 0 0\n",
                      (uint32_t)hypervisor_port_alloc(hv, FRONT, BACK, &backing));
    assert_int_equal(pages_of(hv, "ports 5", all), 2);
    assert_string_equal(all, want);

    at = want;
    for (uint32_t i = 0; i < 200; i++) {
        uint32_t first = share(hv, 2);
        at += sprintf(at, "grant %u %u %u 0 0 %s %u\n", first, first + 1, first,
                      i % 2 ? "mapped" : "granted", i % 2);
        if (i % 2)
            map(hv, first, 2);
    }
    assert_int_equal(pages_of(hv, "grants 5", all), 2);
    assert_string_equal(all, want);
}

static void held_pages_and_domains_over_a_message_come_in_pages(void **state)
{
    struct hypervisor *hv = *state;
    static char all[32768], want[32768];
    char *at = want;

    for (uint32_t i = 0; i < 100; i++)
        map(hv, share(hv, 2), 2);
    hypervisor_domain_remove(hv, FRONT);
    for (uint32_t i = 0; i < 100; i++)
        at += sprintf(at, "held 0 %u 2\n", i);
    assert_int_equal(pages_of(hv, "grants 5", all), 1);
    assert_string_equal(all, want);
    assert_true(ask_for(hv, "grants 5 4294967300", HYPERVISOR_LOOK_MIN) > 0);
    assert_memory_equal(text, "held 0 4 2\n", 11); /* 6 of 11 bytes and 12 of 12 leave 20 */
    assert_non_null(strstr(text, "held 0 22 2\nnext 4294967319\n"));

    at = want + sprintf(want, "domain 0 connected 1 0 0 400 0 300 100 0 7 0 0\n"
                              "domain 5 dead 1 0 0 400 0 300 0 200 0 0 0\n");
    for (uint32_t i = 0; i < 300; i++) {
        hypervisor_domain_expect(hv, (uint16_t)(100 + i));
        at += sprintf(at, "domain %u expected 0 0 0 400 0 300 0 0 0 0 0\n", 100 + i);
    }
    assert_int_equal(pages_of(hv, "domains", all), 4);
    assert_string_equal(all, want);
}

static void wrong_words_are_refused(void **state)
{
    struct hypervisor *hv = *state;
    static const char *const wrong[] = {
        "",          "domain",    "domains x",   "domains 1 2",
        "grants",    "grants -1", "grants 5 x",  "grants 5 18446744073709551616",
        "grants 5 ", "ports",     "ports 5 1 1", "ports 0x5",
        "logfile 5", "ports 5 1/"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(ask_for(hv, wrong[i], HYPERVISOR_LOOK_MAX), -ERR_INVAL);
    assert_int_equal(hypervisor_look(hv, NULL, 0, text, sizeof(text)), -ERR_INVAL);
    assert_int_equal(ask_for(hv, "ports 5 18446744073709551615", HYPERVISOR_LOOK_MAX), 0);
}

static void a_domain_nobody_knows_is_refused(void **state)
{
    struct hypervisor *hv = *state;

    assert_int_equal(ask_for(hv, "grants 4", HYPERVISOR_LOOK_MAX), -ERR_NOENT);
    assert_int_equal(ask_for(hv, "ports 6", HYPERVISOR_LOOK_MAX), -ERR_NOENT);
    assert_int_equal(ask_for(hv, "ports 65541", HYPERVISOR_LOOK_MAX), -ERR_NOENT);
    hypervisor_domain_expect(hv, OTHER);
    assert_int_equal(ask_for(hv, "ports 6", HYPERVISOR_LOOK_MAX), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_domain_is_connected_or_dead_or_expected),
        TEST(a_domain_has_counts),
        TEST(a_domain_has_nodes_watches_and_transactions),
        TEST(a_ref_is_granted_or_mapped_or_quarantined),
        TEST(a_run_of_scattered_refs_has_a_line_each_piece),
        TEST(refs_that_follow_each_other_may_be_of_other_pages),
        TEST(what_is_held_is_of_its_owner_alone),
        TEST(pages_that_outlive_their_owner_are_held),
        TEST(held_pages_go_with_the_last_who_mapped_them),
        TEST(a_port_is_unbound_or_interdomain_or_closed),
        TEST(ports_and_refs_over_a_message_come_in_pages),
        TEST(held_pages_and_domains_over_a_message_come_in_pages),
        TEST(wrong_words_are_refused),
        TEST(a_domain_nobody_knows_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
