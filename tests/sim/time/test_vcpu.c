/*
 * vcpu: turns and what they cost, whose turn it is, wake-ups, slices, preemption, context switches,
 * idle times, disturbances. Every time is computed by hand from constant costs.
 */
#include "sim/time/vcpu.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ACTORS = 4, LOG_MAX = 256, SWITCH_NS = 5, SLICE_NS = 1000 };

static const uint64_t NS = 1000; /* in ps */

/* A vCPU whose every turn costs the same, until it has had enough of them. */
struct actor {
    struct world *world;
    struct vcpu *vcpu;
    char name;
    uint64_t cost_ns;
    uint32_t left; /* turns of its own accord, after the one it was woken for */
    void (*within)(struct actor *actor);
};

struct world {
    struct vclock *clock;
    struct costs costs;
    struct vcpus *vcpus;
    struct actor actors[ACTORS];
    char ran[LOG_MAX];
    uint64_t at_ns[LOG_MAX];
    uint32_t count;
};

static bool run(void *self, uint64_t now_ns)
{
    struct actor *actor = self;
    struct world *world = actor->world;

    assert_in_range(world->count, 0, LOG_MAX - 2);
    assert_int_equal(now_ns, vclock_now_ns(world->clock));
    world->at_ns[world->count] = now_ns;
    world->ran[world->count++] = actor->name;
    if (actor->within)
        actor->within(actor);
    vcpu_charge(actor->vcpu, COST_TURN, actor->cost_ns);
    return actor->left > 0 && actor->left--;
}

static struct world *new_world(bool preempt)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->clock = vclock_create();
    world->costs.rows[COST_TURN].low_ps = NS;
    world->costs.rows[COST_STEP].low_ps = 7 * NS;
    world->costs.rows[COST_COPY_BYTE].low_ps = 300;
    world->costs.rows[COST_CONTEXT_SWITCH].low_ps = SWITCH_NS * NS;
    world->costs.slice_ns = SLICE_NS;
    world->vcpus = vcpus_create(&(struct vcpus_config){world->clock, &world->costs, 1, preempt});
    return world;
}

static struct actor *add(struct world *world, uint32_t i, int32_t cpu, uint64_t cost_ns)
{
    struct actor *actor = &world->actors[i];

    *actor = (struct actor){.world = world, .name = (char)('a' + i), .cost_ns = cost_ns};
    actor->vcpu = vcpu_add(world->vcpus, &(struct vcpu_config){"actor", cpu, actor, run});
    return actor;
}

static int set_up(void **state)
{
    *state = new_world(false);
    return 0;
}

static int set_up_preempt(void **state)
{
    *state = new_world(true);
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    vcpus_destroy(world->vcpus);
    vclock_destroy(world->clock);
    free(world);
    return 0;
}

static void settle(struct world *world)
{
    while (vclock_step(world->clock))
        ;
}

static void step_until(struct world *world, uint64_t at_ns)
{
    while (vclock_next_ns(world->clock) <= at_ns)
        vclock_step(world->clock);
}

static void assert_ran(const struct world *world, const char *who)
{
    assert_string_equal(world->ran, who);
}

/* Each row's share of what it was busy with; there is nothing else. */
static void assert_costs(const struct actor *actor, uint64_t turn_ns, uint64_t step_ns,
                         uint64_t copy_ns)
{
    const struct vcpu_counters *counters = vcpu_counters(actor->vcpu);
    uint64_t sum_ns = 0;

    for (uint32_t row = 0; row < COST_ROWS_COUNT; row++)
        sum_ns += counters->cost_ns[row];
    assert_int_equal(sum_ns, counters->busy_ns);
    assert_int_equal(counters->cost_ns[COST_TURN], turn_ns);
    assert_int_equal(counters->cost_ns[COST_STEP], step_ns);
    assert_int_equal(counters->cost_ns[COST_COPY_BYTE], copy_ns);
}

/* ---- a turn ---- */

static void charge_and_look(struct actor *actor)
{
    uint64_t start_ns = vclock_now_ns(actor->world->clock);

    assert_int_equal(vcpu_now_ns(actor->vcpu), start_ns);
    vcpu_charge(actor->vcpu, COST_STEP, 1);
    assert_int_equal(vcpu_now_ns(actor->vcpu), start_ns + 7);
    vcpu_charge(actor->vcpu, COST_COPY_BYTE, 9); /* 2.7 ns: parts of a ns add up */
    assert_int_equal(vcpu_now_ns(actor->vcpu), start_ns + 9);
    vcpu_charge(actor->vcpu, COST_COPY_BYTE, 1);
    assert_int_equal(vcpu_now_ns(actor->vcpu), start_ns + 10);
    assert_int_equal(vcpu_draw_ns(actor->vcpu, COST_STEP), 7); /* draws and charges nothing */
    assert_int_equal(vcpu_now_ns(actor->vcpu), start_ns + 10);
    assert_int_equal(vclock_now_ns(actor->world->clock), start_ns);
}

static void test_costs_in_program_order(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, -1, 90);

    a->within = charge_and_look;
    a->left = 1;
    vcpu_wake(a->vcpu, 50);
    settle(world);
    assert_ran(world, "aa");
    assert_int_equal(world->at_ns[0], 50);
    assert_int_equal(world->at_ns[1], 150);
    assert_int_equal(vclock_now_ns(world->clock), 250);
    assert_int_equal(vcpu_counters(a->vcpu)->busy_ns, 200);
    assert_costs(a, 2 * 90, 2 * 7, 2 * 3);
    assert_int_equal(vcpu_counters(a->vcpu)->turns, 2);
    assert_int_equal(vcpu_counters(a->vcpu)->switches, 0);
    assert_int_equal(vcpu_now_ns(a->vcpu), 250);
}

static void test_cost_outside_a_turn_is_owed(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, -1, 100);

    vcpu_charge(a->vcpu, COST_STEP, 10);
    assert_int_equal(vcpu_now_ns(a->vcpu), 0);
    vcpu_wake(a->vcpu, 20);
    assert_costs(a, 0, 0, 0); /* not paid yet */
    settle(world);
    assert_int_equal(vclock_now_ns(world->clock), 20 + 70 + 100);
    assert_costs(a, 100, 70, 0);
}

static void test_a_turn_takes_time(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, -1, 0);

    a->left = 3;
    vcpu_wake(a->vcpu, 10);
    settle(world);
    assert_ran(world, "aaaa");
    assert_int_equal(vclock_now_ns(world->clock), 14);
    assert_int_equal(vcpu_counters(a->vcpu)->busy_ns, 4);
    assert_costs(a, 4, 0, 0); /* for being turns */
}

/* What a model asks may be more than 64 bits of picoseconds: the turn is long then, not short. */
static void test_a_turn_costs_a_day_at_most(void **state)
{
    const uint64_t day_ns = UINT64_C(86400) * 1000000000;
    struct world *world = *state;
    struct actor *a = add(world, 0, -1, 0);

    world->costs.rows[COST_COPY_BYTE].low_ps = UINT64_C(1000000000000);
    vcpu_charge(a->vcpu, COST_COPY_BYTE, UINT64_C(1) << 24);
    vcpu_charge(a->vcpu, COST_COPY_BYTE, UINT64_C(1) << 25);
    vcpu_charge(a->vcpu, COST_STEP, 1);
    vcpu_wake(a->vcpu, 10);
    settle(world);
    assert_int_equal(vclock_now_ns(world->clock), 10 + day_ns);
    assert_costs(a, 0, 0, day_ns);
}

/* ---- waking ---- */

static void test_runs_until_it_blocks(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 100), *b = add(world, 1, 0, 10);

    a->left = 2; /* within its slice */
    vcpu_wake(a->vcpu, 0);
    vcpu_wake(b->vcpu, 1);
    settle(world);
    assert_ran(world, "aaab");
    assert_int_equal(world->at_ns[3], 300);
}

static void test_first_come_first_served(void **state)
{
    struct world *world = *state;

    for (uint32_t i = 0; i < ACTORS; i++)
        add(world, i, 0, 10);
    vcpu_wake(world->actors[2].vcpu, 0);
    vcpu_wake(world->actors[1].vcpu, 3);
    vcpu_wake(world->actors[3].vcpu, 3);
    vcpu_wake(world->actors[0].vcpu, 4);
    vcpu_wake(world->actors[1].vcpu, 5); /* it waits already */
    settle(world);
    assert_ran(world, "cbda");
    assert_int_equal(world->at_ns[1], 10);
    assert_int_equal(world->at_ns[2], 10 + 15); /* b paid for the switch to it */
    assert_int_equal(world->at_ns[3], 10 + 30);
}

static void wake_me_now(struct actor *actor)
{
    actor->within = NULL;
    vcpu_wake(actor->vcpu, vclock_now_ns(actor->world->clock));
}

static void test_woken_while_it_runs(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, -1, 100);

    vcpu_wake(a->vcpu, 0);
    vcpu_wake(a->vcpu, 0);
    vcpu_wake(a->vcpu, 99); /* three wake-ups, one more turn */
    settle(world);
    assert_ran(world, "aa");
    assert_int_equal(world->at_ns[1], 100);
    a->within = wake_me_now;
    vcpu_wake(a->vcpu, 1000);
    settle(world);
    assert_ran(world, "aaaa");
    assert_int_equal(world->at_ns[3], 1100);
}

static void test_cpus_are_apart(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 3, 100), *b = add(world, 1, 4, 100);
    struct actor *c = add(world, 2, -1, 100), *d = add(world, 3, -1, 100);

    vcpu_wake(d->vcpu, 0);
    vcpu_wake(c->vcpu, 0);
    vcpu_wake(b->vcpu, 0);
    vcpu_wake(a->vcpu, 0);
    settle(world);
    assert_ran(world, "dcba");
    assert_int_equal(world->at_ns[3], 0);
    assert_int_equal(vclock_now_ns(world->clock), 100);
}

/* ---- sharing a CPU ---- */

static void test_context_switch_is_charged(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 10), *b = add(world, 1, 0, 20);

    vcpu_wake(a->vcpu, 0);
    vcpu_wake(a->vcpu, 100); /* its own CPU still has it */
    vcpu_wake(b->vcpu, 200);
    vcpu_wake(a->vcpu, 300);
    settle(world);
    assert_ran(world, "aaba");
    assert_int_equal(vcpu_counters(a->vcpu)->switches, 1);
    assert_int_equal(vcpu_counters(a->vcpu)->busy_ns, 30 + SWITCH_NS);
    assert_int_equal(vcpu_counters(a->vcpu)->cost_ns[COST_CONTEXT_SWITCH], SWITCH_NS);
    assert_int_equal(vcpu_counters(b->vcpu)->switches, 1);
    assert_int_equal(vcpu_counters(b->vcpu)->busy_ns, 20 + SWITCH_NS);
    assert_int_equal(vclock_now_ns(world->clock), 300 + 10 + SWITCH_NS);
}

static void test_slice(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 400), *b = add(world, 1, 0, 300);

    a->left = 6;
    b->left = 3;
    vcpu_wake(a->vcpu, 0);
    vcpu_wake(b->vcpu, 100);
    settle(world);
    /* a turn is not cut short, so a slice of 1000 is 3 turns of a, or 4 of b with its switch */
    assert_ran(world, "aaabbbbaaaa");
    assert_int_equal(world->at_ns[3], 1200);
    assert_int_equal(world->at_ns[7], 1200 + SWITCH_NS + 4 * 300);
    assert_int_equal(vcpu_counters(a->vcpu)->switches, 1);
}

static void test_preemption_at_the_end_of_the_turn(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 100), *b = add(world, 1, 0, 10), *c = add(world, 2, 0, 10);

    a->left = 3;
    vcpu_wake(a->vcpu, 0);
    vcpu_wake(b->vcpu, 150);
    vcpu_wake(c->vcpu, 160); /* they jump the queue, and keep their order */
    settle(world);
    assert_ran(world, "aabcaa");
    assert_int_equal(world->at_ns[2], 200);
    assert_int_equal(world->at_ns[3], 215);
    assert_int_equal(world->at_ns[4], 230);
}

/* ---- what it does now ---- */

static void assert_state(const struct actor *actor, enum vcpu_state expected, uint64_t idle_ns)
{
    uint64_t is_ns;

    assert_int_equal(vcpu_state(actor->vcpu, &is_ns), expected);
    assert_int_equal(is_ns, idle_ns);
}

static void test_states_and_idle_time(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 100), *b = add(world, 1, 0, 100);

    vcpu_wake(a->vcpu, 50);
    assert_state(a, VCPU_IDLE, 0);
    step_until(world, 50);
    assert_state(a, VCPU_RUNNING, 0);
    assert_state(b, VCPU_CONTENDED, 0); /* it has nothing to do, but no CPU either */
    vcpu_wake(b->vcpu, 120);
    step_until(world, 120);
    assert_state(b, VCPU_CONTENDED, 0);
    step_until(world, 150);
    assert_state(a, VCPU_CONTENDED, 0);
    assert_state(b, VCPU_RUNNING, 0);
    vcpu_wake(a->vcpu, 1000); /* only to have time pass */
    step_until(world, 255);
    assert_state(a, VCPU_IDLE, 0);
    vcpu_stall(a->vcpu, 2000);
    step_until(world, 1000);
    assert_state(a, VCPU_IDLE, 745);
    assert_state(b, VCPU_IDLE, 745);
    step_until(world, 2000);
    assert_state(a, VCPU_RUNNING, 0);
}

/* ---- disturbances ---- */

static void test_stall(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 100), *b = add(world, 1, 0, 10);

    a->left = 1;
    vcpu_wake(a->vcpu, 0);
    step_until(world, 0);
    vcpu_stall(a->vcpu, 500);
    vcpu_stall(a->vcpu, 300); /* the longer one counts */
    vcpu_wake(b->vcpu, 20);
    vcpu_wake(a->vcpu, 200);
    settle(world);
    assert_ran(world, "abaa"); /* its turn was not cut short; the CPU went to b meanwhile */
    assert_int_equal(world->at_ns[1], 100);
    assert_int_equal(world->at_ns[2], 500);
}

static void test_stalled_in_the_queue(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 100), *b = add(world, 1, 0, 10), *c = add(world, 2, 0, 10);

    vcpu_wake(a->vcpu, 0);
    vcpu_wake(b->vcpu, 1);
    vcpu_wake(c->vcpu, 2);
    vcpu_stall(b->vcpu, 1000);
    settle(world);
    assert_ran(world, "acb");
    assert_int_equal(world->at_ns[2], 1000);
}

static void test_retired(void **state)
{
    struct world *world = *state;
    struct actor *a = add(world, 0, 0, 100), *b = add(world, 1, 0, 10), *c = add(world, 2, 0, 10);

    a->left = 5;
    vcpu_wake(a->vcpu, 0);
    vcpu_wake(b->vcpu, 1);
    vcpu_wake(c->vcpu, 2);
    step_until(world, 10);
    vcpu_retire(a->vcpu);
    vcpu_retire(b->vcpu);
    vcpu_stall(b->vcpu, 400); /* it stays retired */
    vcpu_wake(b->vcpu, 500);
    settle(world);
    assert_ran(world, "ac");
    assert_int_equal(vclock_now_ns(world->clock), 500);
}

/* ---- random costs ---- */

/* The times at which the turns of "actor" begin, where another vCPU was added before it or not. */
static void turns_of(bool other, uint64_t seed, uint64_t times[8])
{
    struct world *world = new_world(false);
    struct actor *a;

    vcpus_destroy(world->vcpus);
    world->costs.rows[COST_TURN] =
        (struct cost){.shape = COST_UNIFORM, .low_ps = NS, .high_ps = 1000000 * NS};
    world->vcpus = vcpus_create(&(struct vcpus_config){world->clock, &world->costs, seed, false});
    if (other) {
        struct actor *b = &world->actors[1];
        *b = (struct actor){.world = world, .name = 'b', .cost_ns = 1, .left = 7};
        b->vcpu = vcpu_add(world->vcpus, &(struct vcpu_config){"other", -1, b, run});
        vcpu_wake(b->vcpu, 0);
    }
    a = add(world, 0, -1, 1);
    a->left = 7;
    vcpu_wake(a->vcpu, 0);
    settle(world);
    for (uint32_t i = 0, k = 0; i < world->count; i++)
        if (world->ran[i] == 'a')
            times[k++] = world->at_ns[i];
    tear_down((void **)&world);
}

static void test_random_numbers_are_its_own(void **state)
{
    uint64_t alone[8], together[8], otherwise[8];

    (void)state;
    turns_of(false, 1, alone);
    turns_of(true, 1, together);
    turns_of(false, 2, otherwise);
    assert_memory_equal(alone, together, sizeof(alone));
    assert_memory_not_equal(alone, otherwise, sizeof(alone));
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_costs_in_program_order),
        TEST(test_cost_outside_a_turn_is_owed),
        TEST(test_a_turn_takes_time),
        TEST(test_a_turn_costs_a_day_at_most),
        TEST(test_runs_until_it_blocks),
        TEST(test_first_come_first_served),
        TEST(test_woken_while_it_runs),
        TEST(test_cpus_are_apart),
        TEST(test_context_switch_is_charged),
        TEST(test_slice),
        cmocka_unit_test_setup_teardown(test_preemption_at_the_end_of_the_turn, set_up_preempt,
                                        tear_down),
        TEST(test_states_and_idle_time),
        TEST(test_stall),
        TEST(test_stalled_in_the_queue),
        TEST(test_retired),
        cmocka_unit_test(test_random_numbers_are_its_own),
    };
#undef TEST

    return cmocka_run_group_tests(tests, NULL, NULL);
}
