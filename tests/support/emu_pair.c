/* A front and a back domain. See emu_pair.h. */
#include "tests/support/emu_pair.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct emu_machine emu_pair;

int emu_pair_make(void **state)
{
    int error = 0;

    (void)state;
    emu_machine_start(&emu_pair);
    for (int d = 0; d < EMU_MACHINE_DOMAINS; d++)
        assert_non_null(emu_machine_open(&emu_pair, (uint16_t)d, &error));
    return 0;
}

int emu_pair_unmake(void **state)
{
    (void)state;
    emu_machine_stop(&emu_pair);
    return 0;
}

struct ev emu_pair_expect(uint16_t domid, enum ev_kind kind, uint64_t token)
{
    return emu_machine_expect(&emu_pair, domid, kind, token);
}

struct hypervisor_usage emu_pair_usage(uint16_t domid)
{
    struct hypervisor_usage u;

    emu_machine_settle(&emu_pair);
    hypervisor_usage(emu_server_tables(emu_pair.server), domid, &u);
    return u;
}

struct ev_share emu_pair_share(uint32_t pages, uint32_t *refs)
{
    struct ev ev;

    hv_share(emu_pair.domains[FRONT], 1, BACK, pages);
    ev = emu_pair_expect(FRONT, EV_SHARE, 1);
    assert_int_equal(ev.ret, 0);
    assert_int_equal(ev.share.area.pages, pages);
    memcpy(refs, ev.share.refs, pages * sizeof(*refs));
    return ev.share;
}

struct ev emu_pair_map(const uint32_t *refs, uint32_t count)
{
    hv_map(emu_pair.domains[BACK], 2, FRONT, refs, count);
    return emu_pair_expect(BACK, EV_MAP, 2);
}

void emu_pair_unshare(uint32_t handle)
{
    hv_unshare(emu_pair.domains[FRONT], 3, handle);
    assert_int_equal(emu_pair_expect(FRONT, EV_UNSHARE, 3).ret, 0);
}

void emu_pair_unmap(uint32_t handle)
{
    hv_unmap(emu_pair.domains[BACK], 4, handle);
    assert_int_equal(emu_pair_expect(BACK, EV_UNMAP, 4).ret, 0);
}

void emu_pair_open_channel(uint32_t *front, uint32_t *back)
{
    struct ev ev;

    hv_port_alloc(emu_pair.domains[FRONT], 10, BACK);
    ev = emu_pair_expect(FRONT, EV_PORT_ALLOC, 10);
    assert_int_equal(ev.ret, 0);
    *front = ev.port;
    hv_port_bind(emu_pair.domains[BACK], 20, FRONT, *front);
    ev = emu_pair_expect(BACK, EV_PORT_BIND, 20);
    assert_int_equal(ev.ret, 0);
    *back = ev.port;
    assert_int_equal(emu_pair_expect(BACK, EV_PORT, 20).port, *back);
    hv_unmask(emu_pair.domains[BACK], *back);
    emu_machine_silent(&emu_pair, BACK);
    emu_machine_silent(&emu_pair, FRONT);
}
