/*
 * A machine of three domains over each implementation of hv.h, so that one test holds them all to
 * the same contract: hv_mem, hv_virtual, and hv_emu with a hypervisor and domains that speak over
 * real descriptors (in one process; that they may be several is what tests/run is for).
 *
 * Nothing sleeps: whatever is under way is brought to its end before an event is asked for.
 */
#ifndef XENSOCK_TESTS_SUPPORT_HV_WORLDS_H
#define XENSOCK_TESTS_SUPPORT_HV_WORLDS_H

#include "sim/hv/hypervisor.h"

enum { WORLD_BACK, WORLD_FRONT, WORLD_THIRD, WORLD_DOMAINS, WORLD_NOBODY = 4711 };

struct hv_world {
    const char *name;
    int (*start)(void **state); /* for cmocka; with all three domains */
    int (*stop)(void **state);
    struct hv *(*domain)(uint16_t domid);
    /* Have the domain do something, in its turn where it has one. */
    void (*act)(uint16_t domid, void (*what)(struct hv *hv, void *with), void *with);
    /* Bring everything to its end. */
    void (*settle)(void);
    /* Settle, then take the domain's next event; false if there is none. Refs of EV_SHARE are valid
     * until the next call. */
    bool (*next)(uint16_t domid, struct ev *ev);
    void (*kill)(uint16_t domid);
    const struct hypervisor *(*tables)(void);
};

extern const struct hv_world hv_world_mem, hv_world_virtual, hv_world_emu;

#endif
