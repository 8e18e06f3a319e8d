/* Room in a guest's tables: how many sockets, and which table was full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/hv/hypervisor.h"
#include "sim/run/guest_room.h"

static struct scenario scenario;

static const struct hypervisor_limits usual = {HYPERVISOR_GRANTS, HYPERVISOR_PORTS},
                                      many = {HYPERVISOR_GRANTS, HYPERVISOR_PORTS_FIFO};

static void guest(const char *dialect, uint32_t order, enum scenario_mode mode)
{
    scenario.mode = mode;
    scenario.host_count = 1;
    strcpy(scenario.hosts[0].protocol.dialect, dialect);
    scenario.hosts[0].protocol.order = order;
}

/* The reserved refs and the command ring's page leave 32,759 grants; its port and 0 leave 4,094. */
static void sockets(void **state)
{
    struct guest_room room = guest_room(&dialect_xensock1, 6, usual);

    (void)state;
    assert_int_equal(room.sockets, 32759 / 64);
    assert_false(room.of_ports);
    assert_int_equal(guest_room(&dialect_pvcalls1, 6, usual).sockets, 32759 / 65);
    room = guest_room(&dialect_pvcalls1, 1, usual);
    assert_int_equal(room.sockets, 4094);
    assert_true(room.of_ports);
    room = guest_room(&dialect_pvcalls1, 1, many);
    assert_int_equal(room.sockets, 32759 / 3);
    assert_false(room.of_ports);
}

static void orders(void **state)
{
    (void)state;
    assert_int_equal(guest_room_order(&dialect_xensock1, 511, usual), 6);
    assert_int_equal(guest_room_order(&dialect_xensock1, 512, usual), 5);
    assert_int_equal(guest_room_order(&dialect_pvcalls1, 63, usual), 9);
    assert_int_equal(guest_room_order(&dialect_pvcalls1, 4094, usual), 2);
    assert_int_equal(guest_room_order(&dialect_pvcalls1, 4095, usual), 0);
    assert_int_equal(guest_room_order(&dialect_pvcalls1, 32759 / 3 + 1, many), 0);
}

static void assert_words(uint64_t grants_peak, uint64_t ports_peak, const char *words)
{
    const struct hv_counters used = {.grants_peak = grants_peak, .ports_peak = ports_peak};
    char text[GUEST_ROOM_WORDS];

    guest_room_words(text, &scenario, 0, &used);
    assert_string_equal(text, words);
}

static void words(void **state)
{
    (void)state;
    guest("xensock1-compact", 6, SCENARIO_EMULATED);
    assert_words(32760 - 64, 9,
                 "grants: at order 6 of xensock1-compact there is room for 503 sockets");
    assert_words(32760 - 65, 9,
                 "pages that the backend still maps, of room for 503 sockets; or its ports");
    guest("pvcalls1", 1, SCENARIO_EMULATED);
    assert_words(9, 4095, "event channel ports: there is room for 4094 sockets");
    assert_words(9, 4094,
                 "pages that the backend still maps, of room for 4094 sockets; or its ports");
    guest("pvcalls1", 1, SCENARIO_VIRTUAL);
    assert_words(9, 4095,
                 "pages that the backend still maps, of room for 10919 sockets; or its ports");
}

/* A guest's own tables are the smaller ones: two frames have 1024 - 8 - 1 grants for sockets. */
static void limits(void **state)
{
    (void)state;
    guest("xensock1", 6, SCENARIO_EMULATED);
    scenario.hosts[0].role = SCENARIO_FRONTEND;
    scenario.hosts[0].grant_frames = 2;
    assert_words(1016 - 63, 9, "grants: at order 6 of xensock1 there is room for 15 sockets");
    assert_words(1016 - 64, 9,
                 "pages that the backend still maps, of room for 15 sockets; or its ports");
    scenario.hosts[0].ports = 12;
    assert_words(9, 11, "event channel ports: there is room for 10 sockets");
    struct hypervisor_limits own = guest_room_limits(&scenario, 0);
    assert_true(own.grants_max == 1024 && own.ports_max == 12);
    scenario.hosts[0].role = SCENARIO_BACKEND;
    own = guest_room_limits(&scenario, 0);
    assert_true(own.grants_max == 0 && own.ports_max == 0);
    own = guest_room_tables(&scenario, 0);
    assert_true(own.grants_max == HYPERVISOR_GRANTS && own.ports_max == HYPERVISOR_PORTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sockets), cmocka_unit_test(orders),
                                       cmocka_unit_test(words), cmocka_unit_test(limits)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
