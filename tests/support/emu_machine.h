/*
 * An emulated machine for tests: hypervisor and domains of hv_emu in one process, each with its own
 * loop, turned by the test. Everything waits with a deadline; nothing sleeps.
 */
#ifndef XENSOCK_TESTS_SUPPORT_EMU_MACHINE_H
#define XENSOCK_TESTS_SUPPORT_EMU_MACHINE_H

#include "sim/hv/emu_server.h"

#include <poll.h>

enum { EMU_LOOP_FDS = 1024, EMU_MACHINE_DOMAINS = 3 };

struct emu_loop {
    struct hv_loop hv; /* first */
    struct pollfd fds[EMU_LOOP_FDS];
    uint32_t count;
    uint32_t want_writes; /* how often "writable" was asked for */
};

struct emu_machine {
    char runtime[64];
    struct emu_loop loop; /* the server's */
    struct emu_server *server;
    struct emu_loop loops[EMU_MACHINE_DOMAINS];
    struct hv *domains[EMU_MACHINE_DOMAINS]; /* NULL: not open */
    uint32_t reports;
    char reason[128]; /* of the last report */
    uint32_t fds_before;
};

/* A fresh, empty runtime directory's name below /tmp; not created. */
void emu_machine_name(char name[static 64]);

/* A hypervisor that seats domains 0 to EMU_MACHINE_DOMAINS - 1, none open. */
void emu_machine_start(struct emu_machine *machine);

/* Close what is open, and check that no descriptor and no file is left. */
void emu_machine_stop(struct emu_machine *machine);

/* Open a domain while the hypervisor serves: as hv_emu_open with a second's patience. */
struct hv *emu_machine_open(struct emu_machine *machine, uint16_t domid, int *error);

/* Let every loop that has something to do do it, once, waiting at most `timeout_ms` for any. */
void emu_machine_turn(struct emu_machine *machine, int timeout_ms);

/* Turn until there is nothing more to do. */
void emu_machine_settle(struct emu_machine *machine);

/* Turn until the domain has an event, and take it. Fails the test after 5 s. */
struct ev emu_machine_await(struct emu_machine *machine, uint16_t domid);

/* emu_machine_await, and the event must be this one. */
struct ev emu_machine_expect(struct emu_machine *machine, uint16_t domid, enum ev_kind kind,
                             uint64_t token);

/* Settle; the domain must have no event. */
void emu_machine_silent(struct emu_machine *machine, uint16_t domid);

/* A raw connection to a domain's socket; hello is taken. */
int emu_machine_connect(struct emu_machine *machine, uint16_t domid);

/* Empty loop for a handle a test opens itself. */
void emu_loop_init(struct emu_loop *loop);

/* Open descriptors of this process. */
uint32_t emu_count_fds(void);

#endif
