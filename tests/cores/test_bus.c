/* The backend's bus over hv_mem: devices that appear and go, a second frontend of a domain, and
 * what it cannot list or serve. */
#include "backend/bus.h"
#include "ringlib/xenbus.h"
#include "sim/hv/hv_mem.h"
#include "sim/run/exec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { BACK = 0, TOLD_MAX = 64 };

static struct {
    struct hv_mem *machine;
    struct hv *back;
    struct exec *exec;
    struct bus *bus;
    struct act told[TOLD_MAX]; /* DEVICE_NEW, DEVICE_GONE, FAULT, oldest first */
    uint32_t told_count;
} world;

static void step(void *core, const struct ev *ev, struct step_out *out)
{
    bus_step(core, ev, out);
}

static void tell(void *self, const struct act *act)
{
    (void)self;
    assert_true(world.told_count < TOLD_MAX);
    world.told[world.told_count++] = *act;
}

static int open_world(void **state)
{
    struct bus_config config = {.max_devices = 16};
    struct exec_core core = {
        .step = step, .upcall = tell, .observe = tell, .own = "/local/domain/0/backend/xensock"};

    (void)state;
    memset(&world, 0, sizeof(world));
    world.machine = hv_mem_create(&(struct hypervisor_config){0});
    world.back = hv_mem_domain(world.machine, BACK);
    world.exec = exec_create(&(struct exec_config){.hv = world.back, .max_devices = 1});
    core.core = malloc(bus_size(&config));
    world.bus = bus_init(core.core, &config);
    assert_int_equal(exec_add(world.exec, &core), 0);
    exec_post(world.exec, 0, EV_START);
    return 0;
}

static int close_world(void **state)
{
    (void)state;
    exec_destroy(world.exec);
    hv_close(world.back);
    hv_mem_destroy(world.machine);
    free(world.bus);
    return 0;
}

static void add(uint16_t front, uint16_t devid)
{
    assert_int_equal(
        hypervisor_device_add(hv_mem_tables(world.machine), "xensock", front, BACK, devid), 0);
}

static void turn(void)
{
    world.told_count = 0;
    while (exec_turn(world.exec, 0))
        ;
}

static uint32_t told(enum act_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world.told_count; i++)
        count += world.told[i].kind == kind ? 1u : 0u;
    return count;
}

static uint32_t told_faults(enum fault_reason reason)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < world.told_count; i++)
        if (world.told[i].kind == ACT_FAULT && world.told[i].fault.reason == reason)
            count++;
    return count;
}

static void assert_told(uint32_t i, enum act_kind kind, uint16_t domid, uint16_t devid)
{
    assert_true(i < world.told_count);
    assert_int_equal(world.told[i].kind, kind);
    assert_int_equal(world.told[i].device.domid, domid);
    assert_int_equal(world.told[i].device.devid, devid);
}

static void finds_what_is_there_and_what_comes(void **state)
{
    (void)state;
    add(1, 0);
    turn();
    assert_int_equal(world.told_count, 1);
    assert_told(0, ACT_DEVICE_NEW, 1, 0);
    add(7, 3);
    add(9, 0);
    turn();
    assert_int_equal(world.told_count, 2);
    assert_told(0, ACT_DEVICE_NEW, 7, 3);
    assert_told(1, ACT_DEVICE_NEW, 9, 0);
    turn();
    assert_int_equal(world.told_count, 0);
}

static void sees_devices_go_and_return(void **state)
{
    struct hv *front = hv_mem_domain(world.machine, 1);

    (void)state;
    add(1, 0);
    add(2, 0);
    turn();
    assert_int_equal(world.told_count, 2);
    hv_close(front); /* the toolstack removes the device of a dead domain */
    turn();
    assert_int_equal(world.told_count, 1);
    assert_told(0, ACT_DEVICE_GONE, 1, 0);
    front = hv_mem_domain(world.machine, 1); /* and makes it again when the domain is back */
    turn();
    assert_int_equal(world.told_count, 1);
    assert_told(0, ACT_DEVICE_NEW, 1, 0);
    hv_close(front);
}

/* protocol.md 7 (26): one frontend a domain; the second is a fault, once. */
static void refuses_a_second_front(void **state)
{
    (void)state;
    add(1, 0);
    turn();
    add(1, 1);
    turn();
    assert_int_equal(world.told_count, 1);
    assert_int_equal(world.told[0].kind, ACT_FAULT);
    assert_int_equal(world.told[0].fault.reason, FAULT_SECOND_FRONT);
    assert_int_equal(world.told[0].fault.index, 1);
    assert_int_equal(world.told[0].fault.value, 1);
    add(2, 0);
    turn();
    assert_int_equal(world.told_count, 1);
    assert_told(0, ACT_DEVICE_NEW, 2, 0);
}

/* The second of a domain is served when the first has gone. */
static void serves_the_second_after_the_first(void **state)
{
    struct store *store = hypervisor_store(hv_mem_tables(world.machine));

    (void)state;
    add(1, 0);
    add(1, 1);
    turn();
    assert_int_equal(told(ACT_DEVICE_NEW), 1);
    assert_int_equal(told_faults(FAULT_SECOND_FRONT), 1);
    assert_int_equal(store_cut(store, "/local/domain/0/backend/xensock/1/0"), 0);
    turn();
    assert_int_equal(world.told_count, 2);
    assert_told(0, ACT_DEVICE_GONE, 1, 0);
    assert_told(1, ACT_DEVICE_NEW, 1, 1);
    add(2, 0);
    turn();
    assert_int_equal(world.told_count, 1); /* not the second of domain 1 once more */
    assert_told(0, ACT_DEVICE_NEW, 2, 0);
}

/* That a directory could not be listed says nothing of the devices in it, be it the one of all
 * domains or of one. */
static void keeps_devices_when_a_listing_fails(void **state)
{
    (void)state;
    add(1, 0);
    add(2, 0);
    turn();
    assert_int_equal(told(ACT_DEVICE_NEW), 2);
    for (uint16_t fails = 0; fails < 2; fails++) {
        hv_mem_fail(world.back, EV_STORE_LIST, fails, -ERR_NOBUFS);
        add((uint16_t)(3 + 2 * fails), 0);
        turn();
        assert_int_equal(told(ACT_DEVICE_GONE), 0);
        uint32_t known = told(ACT_DEVICE_NEW);
        assert_true(known == 1 || fails == 1); /* a change during the failure starts it over */
        add((uint16_t)(4 + 2 * fails), 0);     /* the next change is listed */
        turn();
        assert_int_equal(told(ACT_DEVICE_GONE), 0);
        assert_int_equal(known + told(ACT_DEVICE_NEW), 2);
    }
}

/* Names that are no domain's or device's are passed over; more domains than it has room for are
 * passed over too, and reported. */
static void passes_over_what_it_cannot_serve(void **state)
{
    struct store *store = hypervisor_store(hv_mem_tables(world.machine));

    (void)state;
    assert_int_equal(store_put(store, "/local/domain/0/backend/xensock/x/0/state", "1"), 0);
    assert_int_equal(store_put(store, "/local/domain/0/backend/xensock/5/y", "1"), 0);
    for (uint16_t front = 1; front <= 20; front++)
        if (front != 5)
            add(front, 0);
    turn();
    assert_int_equal(told(ACT_DEVICE_NEW), 15);      /* domain 5 takes a place in the list of 16 */
    assert_int_equal(told_faults(FAULT_DEVICES), 1); /* once, not for each of the four */
    assert_int_equal(told_faults(FAULT_DEVICES), told(ACT_FAULT));
    assert_int_equal(told(ACT_DEVICE_GONE), 0);
}

/* A device without a place in the table is reported by name. */
static void reports_devices_beyond_its_table(void **state)
{
    (void)state;
    for (uint16_t devid = 0; devid < 16; devid++)
        add(1, devid);
    turn();
    assert_int_equal(told(ACT_DEVICE_NEW), 1);
    assert_int_equal(told_faults(FAULT_SECOND_FRONT), 15);
    assert_int_equal(told_faults(FAULT_DEVICES), 0);
    add(1, 16);
    turn();
    assert_int_equal(told_faults(FAULT_DEVICES), 1);
    assert_int_equal(told_faults(FAULT_DEVICES), world.told_count);
    assert_int_equal(world.told[0].fault.index, 1);
    assert_int_equal(world.told[0].fault.value, 16);
}

/* By hand: the answer to a listing, names as STORE_LIST has them, and what the bus does then. */
static const struct act *answer(struct bus *bus, struct step_out *out, const char *names,
                                int32_t count)
{
    uint16_t domid = out->acts[out->count - 1].store.domid;
    const struct ev ev = {.kind = EV_STORE_LIST,
                          .ret = count,
                          .store = {.side = STEP_OWN, .domid = domid, .names = names}};

    assert_int_equal(out->acts[out->count - 1].kind, ACT_STORE_LIST);
    out->count = 0;
    bus_step(bus, &ev, out);
    return &out->acts[0];
}

static void change(struct bus *bus, struct step_out *out)
{
    uint32_t count = out->count;

    bus_step(bus, &(struct ev){.kind = EV_STORE}, out);
    assert_int_equal(out->count, count); /* a listing is under way */
}

static void assert_new(const struct act *act, uint16_t domid)
{
    assert_int_equal(act->kind, ACT_DEVICE_NEW);
    assert_int_equal(act->device.domid, domid);
}

/* Something changes during each listing of a domain: those listed after it are found all the same,
 * and only then all is listed again. */
static void changes_do_not_starve_the_last_domains(void **state)
{
    static const char three[] = {'7', 0, '2', 0, '9', 0};
    static struct step_out out;

    (void)state;
    out.count = 0;
    bus_step(world.bus, &(struct ev){.kind = EV_STORE}, &out);
    answer(world.bus, &out, three, 3);
    for (int i = 0; i < 3; i++) {
        static const uint16_t domids[] = {7, 2, 9};
        change(world.bus, &out);
        assert_int_equal(out.acts[out.count - 1].store.domid, domids[i]);
        assert_new(answer(world.bus, &out, "0", 1), domids[i]);
    }
    assert_int_equal(out.acts[1].store.domid, 0xffff); /* again; who is not met is not gone yet, */
    change(world.bus, &out);
    answer(world.bus, &out, "7", 1);
    answer(world.bus, &out, "0", 1);
    assert_int_equal(out.count, 1);
    answer(world.bus, &out, "7", 1); /* but is after one without a change */
    const struct act *acts = answer(world.bus, &out, "0", 1);
    assert_int_equal(out.count, 2);
    assert_int_equal(acts[0].kind, ACT_DEVICE_GONE);
    assert_int_equal(acts[0].device.domid, 2);
    assert_int_equal(acts[1].kind, ACT_DEVICE_GONE);
    assert_int_equal(acts[1].device.domid, 9);
}

/* A bus by hand, with places for more devices than a step has actions. */
static struct bus *wide_bus(struct step_out *out, uint32_t devices)
{
    struct bus_config config = {.max_devices = devices};
    struct bus *bus = bus_init(calloc(1, bus_size(&config)), &config);

    out->count = 0;
    bus_step(bus, &(struct ev){.kind = EV_STORE}, out);
    return bus;
}

static uint32_t count_of(const struct step_out *out, enum act_kind kind)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < out->count; i++)
        count += out->acts[i].kind == kind ? 1u : 0u;
    return count;
}

/* A change after a listing that failed, and after which nothing changed, is listed. A directory
 * that is not there any more is empty, which is no failure. */
static void lists_again_after_a_failure(void **state)
{
    static struct step_out out;
    struct bus *bus = wide_bus(&out, 4);

    (void)state;
    answer(bus, &out, "", -ERR_NOBUFS);
    assert_int_equal(out.count, 0);
    bus_step(bus, &(struct ev){.kind = EV_STORE}, &out);
    answer(bus, &out, "7", 1);
    assert_new(answer(bus, &out, "0", 1), 7);
    out.count = 0;
    bus_step(bus, &(struct ev){.kind = EV_STORE}, &out);
    answer(bus, &out, "7", 1);
    answer(bus, &out, "", -ERR_NOENT);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.acts[0].kind, ACT_DEVICE_GONE);
    free(bus);
}

/* 0xffff names all domains, so a directory of that name must not be listed as one of them. */
static void all_domains_is_no_domain(void **state)
{
    static const char names[] = "65535\0"
                                "32752\0"
                                "32751";
    static struct step_out out;
    struct bus *bus = wide_bus(&out, 4);

    (void)state;
    answer(bus, &out, names, 3);
    assert_int_equal(out.count, 1);
    assert_int_equal(out.acts[0].store.domid, 32751);
    assert_new(answer(bus, &out, "65535", 1), 32751); /* of devices it is one as any other */
    assert_int_equal(out.acts[0].device.devid, 65535);
    assert_int_equal(out.count, 1);
    free(bus);
}

/* More go at once than a step can tell: the rest by the next listing, each once. */
static void more_go_than_a_step_can_tell(void **state)
{
    enum { DEVICES = 150 };
    static struct step_out out;
    struct bus *bus = wide_bus(&out, DEVICES);
    char names[8 * DEVICES], *next = names;
    uint32_t told = 0;

    (void)state;
    for (uint32_t domid = 1; domid <= DEVICES; domid++) {
        xenbus_print(next, domid);
        next += strlen(next) + 1;
    }
    answer(bus, &out, names, DEVICES);
    for (uint32_t domid = 1; domid <= DEVICES; domid++) {
        answer(bus, &out, "0", 1);
        told += count_of(&out, ACT_DEVICE_NEW);
    }
    assert_int_equal(told, DEVICES);
    bus_step(bus, &(struct ev){.kind = EV_STORE}, &out);
    for (told = 0; count_of(&out, ACT_STORE_LIST) > 0;) {
        answer(bus, &out, "", 0);
        told += count_of(&out, ACT_DEVICE_GONE);
    }
    assert_int_equal(told, DEVICES);
    free(bus);
}

/* Who was not served is not told as gone; that there is no room is told anew after there was. */
static void unserved_go_in_silence(void **state)
{
    struct store *store = hypervisor_store(hv_mem_tables(world.machine));

    (void)state;
    for (uint16_t devid = 300; devid < 317; devid++)
        add(1, devid);
    turn();
    assert_int_equal(told(ACT_DEVICE_NEW), 1);
    assert_told(world.told_count - 1, ACT_DEVICE_NEW, 1, 300); /* upcalls come last */
    assert_int_equal(told_faults(FAULT_DEVICES), 1);
    assert_int_equal(store_cut(store, "/local/domain/0/backend/xensock/1/305"), 0);
    turn();
    assert_int_equal(told(ACT_DEVICE_GONE), 0);
    add(1, 320); /* the place that came free is the seventeenth's */
    turn();
    assert_int_equal(told_faults(FAULT_SECOND_FRONT), 1);
    assert_int_equal(told_faults(FAULT_DEVICES), 1);
    assert_int_equal(world.told[1].fault.value, 320);
    add(1, 321);
    turn();
    assert_int_equal(world.told_count, 0);
}

/* Without its watch it finds nobody, and says so rather than nothing. */
static void tells_that_it_cannot_watch(void **state)
{
    (void)state;
    hv_mem_fail(world.back, EV_STORE_WATCH, 0, -ERR_2BIG);
    turn();
    assert_int_equal(world.told_count, 1);
    assert_int_equal(told_faults(FAULT_STORE), 1);
    assert_int_equal(world.told[0].fault.index, EV_STORE_WATCH);
    assert_int_equal(world.told[0].fault.value, ERR_2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_what_is_there_and_what_comes, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(sees_devices_go_and_return, open_world, close_world),
        cmocka_unit_test_setup_teardown(refuses_a_second_front, open_world, close_world),
        cmocka_unit_test_setup_teardown(serves_the_second_after_the_first, open_world, close_world),
        cmocka_unit_test_setup_teardown(keeps_devices_when_a_listing_fails, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(passes_over_what_it_cannot_serve, open_world, close_world),
        cmocka_unit_test_setup_teardown(reports_devices_beyond_its_table, open_world, close_world),
        cmocka_unit_test_setup_teardown(changes_do_not_starve_the_last_domains, open_world,
                                        close_world),
        cmocka_unit_test_setup_teardown(tells_that_it_cannot_watch, open_world, close_world),
        cmocka_unit_test(lists_again_after_a_failure),
        cmocka_unit_test(all_domains_is_no_domain),
        cmocka_unit_test(more_go_than_a_step_can_tell),
        cmocka_unit_test_setup_teardown(unserved_go_in_silence, open_world, close_world),
    };

    return !!cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
