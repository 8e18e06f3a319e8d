/* Links and scheduling of a scenario: what good files give, what is said about bad ones, to the
 * letter, and what is noted where they have no effect. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tests/sim/run/scenario_fixture.h"

static void bad(void **state)
{
    (void)state;
    assert_int_equal(load("bad-links.yaml"), -1);
    assert_printed("bad-links.txt");
}

/* A link's values go where they belong, an override's by where the link leads; what it does not
 * say is as between hosts without a link. Nothing is noted in the mode that has links. */
static void good(void **state)
{
    const struct net_link *first = &scenario.links[0].link, *second = &scenario.links[1].link;
    struct net_link preset = scenario_link_preset();

    (void)state;
    assert_int_equal(load_with("good-links.yaml", "topology.links.caller.delay=7ms"), 0);
    assert_int_equal(diags.count, 0);
    assert_int_equal(scenario.link_count, 2);
    assert_int_equal(scenario.links[0].peer, 0);
    assert_int_equal(scenario.links[1].peer, 1);
    assert_string_equal(scenario.links[1].from, "dom0");
    assert_true(first->delay_ns == 1 && first->jitter_ns == 2 && first->rate_bytes_per_s == 3000);
    assert_true(first->loss_ppm == 4 && first->retransmit_ns == 5 && first->connect_ns == 6);
    assert_true(first->segment_bytes == 7 && first->send_buffer_bytes == 8);
    assert_true(first->receive_buffer_bytes == 9);
    assert_true(second->delay_ns == 7000000);
    preset.delay_ns = second->delay_ns;
    assert_memory_equal(second, &preset, sizeof(preset));
    assert_true(preset.rate_bytes_per_s == 0 && preset.loss_ppm == 0 && preset.jitter_ns == 0);
    assert_true(preset.retransmit_ns == 200000000 && preset.connect_ns == 0);
    assert_int_equal(preset.segment_bytes, 65536);
    assert_int_equal(preset.send_buffer_bytes, 524288);
    assert_int_equal(preset.receive_buffer_bytes, 131072);
    assert_int_equal(scenario.scheduling, SCENARIO_RUN_UNTIL_BLOCK);
}

/* One note for each, and no error, where they have no effect. */
static void emulated(void **state)
{
    (void)state;
    assert_int_equal(load_with("good-links.yaml", "mode=emulated"), 0);
    assert_int_equal(diags.errors, 0);
    char *text = printed(false);
    assert_string_equal(text,
                        "good-links.yaml:12:3: note: 'links' has no effect in mode 'emulated'\n"
                        "   12 |   links:\n"
                        "      |   ^^^^^\n");
    free(text);
}

/* Each end of a range is in it; its neighbours are not. */
static void ranges(void **state)
{
    static const struct {
        const char *set;
        int result;
    } all[] = {{"delay=10s", 0},
               {"delay=10001ms", -1},
               {"jitter=10s", 0},
               {"jitter=10001ms", -1},
               {"rate=8kbit/s", 0},
               {"rate=999B/s", -1},
               {"rate=8000Gbit/s", 0},
               {"rate=8001Gbit/s", -1},
               {"rate=unlimited", 0},
               {"rate=0B/s", -1},
               {"loss=0%", 0},
               {"loss=50%", 0},
               {"loss=500001ppm", -1},
               {"retransmit=0s", 0},
               {"retransmit=10001ms", -1},
               {"connect=10s", 0},
               {"connect=10001ms", -1},
               {"segment=1", 0},
               {"segment=1MiB", 0},
               {"segment=1048577", -1},
               {"send_buffer=1", 0},
               {"send_buffer=0", -1},
               {"send_buffer=64MiB", 0},
               {"send_buffer=65MiB", -1},
               {"receive_buffer=64MiB", 0},
               {"receive_buffer=65MiB", -1},
               {"to=nobody", -1},
               {"to=caller", -1}, /* two links */
               {"from=dom0", 0},
               {"from=web", -1}};
    char set[64];

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        snprintf(set, sizeof(set), "topology.links.echo.%s", all[i].set);
        if (load_with("good-links.yaml", set) != all[i].result)
            fail_msg("%s", set);
        finish(state);
    }
    assert_int_equal(load_with("good-links.yaml", "topology.scheduling=preempt-on-wake"), 0);
    assert_int_equal(scenario.scheduling, SCENARIO_PREEMPT_ON_WAKE);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bad, start, finish),
        cmocka_unit_test_setup_teardown(good, start, finish),
        cmocka_unit_test_setup_teardown(emulated, start, finish),
        cmocka_unit_test_setup_teardown(ranges, start, finish),
    };

    return !!cmocka_run_group_tests_name("scenario_links", tests, NULL, NULL);
}
