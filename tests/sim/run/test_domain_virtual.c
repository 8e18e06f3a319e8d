/* When a domain in virtual time is woken: at its deadlines, once for each, however often it asks.
 */
#include "sim/run/domain_virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { FAR_NS = 1000000, NEAR_NS = 10, TURNS = 1000 };

struct world {
    struct vclock *clock;
    struct domain_virtual *domain;
    uint64_t turns, last_ns;
};

/* Something is due soon in most turns, and the far end in all of them. */
static uint64_t turned(void *self, uint64_t now_ns)
{
    struct world *world = self;

    world->last_ns = now_ns;
    world->turns++;
    if (now_ns >= FAR_NS)
        return STEP_NEVER;
    return world->turns % 10 != 0 && world->turns < TURNS ? now_ns + NEAR_NS : FAR_NS;
}

static void a_far_deadline_is_armed_once(void **state)
{
    static const struct costs costs = {.slice_ns = 1};
    struct world world = {.clock = vclock_create()};
    struct vcpus *vcpus = vcpus_create(&(struct vcpus_config){world.clock, &costs, 1, false});
    struct hv_virtual *machine = hv_virtual_create(
        &(struct hv_virtual_config){.clock = world.clock, .costs = &costs, .pages = 8});

    (void)state;
    world.domain = domain_virtual_open(&(struct domain_virtual_config){.clock = world.clock,
                                                                       .vcpus = vcpus,
                                                                       .machine = machine,
                                                                       .name = "guest",
                                                                       .domid = 1,
                                                                       .cpu = -1,
                                                                       .max_devices = 1,
                                                                       .self = &world,
                                                                       .turned = turned});
    for (uint32_t i = 0; i < TURNS; i += 10) { /* each tenth turn waits for the far end */
        domain_virtual_kick(world.domain);
        while (vclock_next_ns(world.clock) < FAR_NS)
            vclock_step(world.clock);
        assert_int_equal(world.turns, i + 10);
        assert_int_equal(vclock_pending(world.clock), 1);
    }
    while (vclock_step(world.clock)) {
    }
    assert_int_equal(world.turns, TURNS + 1);
    assert_int_equal(world.last_ns, FAR_NS);
    domain_virtual_close(world.domain);
    hv_virtual_destroy(machine);
    vcpus_destroy(vcpus);
    vclock_destroy(world.clock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_far_deadline_is_armed_once)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
