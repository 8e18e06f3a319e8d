/*
 * A front and a back domain on an emulated machine (emu_machine.h), and the steps most tests of
 * hv_emu begin with. Each step fails the test if it does not succeed.
 */
#ifndef XENSOCK_TESTS_SUPPORT_EMU_PAIR_H
#define XENSOCK_TESTS_SUPPORT_EMU_PAIR_H

#include "tests/support/emu_machine.h"

enum { BACK = 0, FRONT = 1, THIRD = 2 };

extern struct emu_machine emu_pair;

/* For cmocka: all domains open, and nothing left over. */
int emu_pair_make(void **state);
int emu_pair_unmake(void **state);

/* emu_machine_expect. */
struct ev emu_pair_expect(uint16_t domid, enum ev_kind kind, uint64_t token);

/* What the tables hold of a domain, everything sent being done. */
struct hypervisor_usage emu_pair_usage(uint16_t domid);

/* Share from FRONT to BACK, under token 1; refs go to `refs`. */
struct ev_share emu_pair_share(uint32_t pages, uint32_t *refs);
void emu_pair_unshare(uint32_t handle);

/* Map at BACK, under token 2: the completion, which may be an error. */
struct ev emu_pair_map(const uint32_t *refs, uint32_t count);
void emu_pair_unmap(uint32_t handle);

/* A channel FRONT allocates under token 10 and BACK binds under token 20; BACK's first event is
 * taken and unmasked, and there is no other. */
void emu_pair_open_channel(uint32_t *front, uint32_t *back);

#endif
