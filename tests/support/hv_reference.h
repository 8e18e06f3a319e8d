/*
 * What the hypervisor's tables must hold, kept a second time from its answers alone: who shared
 * what with whom, which mapping holds which run, who has which end of which channel, who watches.
 *
 * Says of each message what a domain that sends it deserves, takes up the answer, and stops the
 * process (FUZZ_CHECK) where the hypervisor gives more, less or something else than that. Shares no
 * code with sim/hv: its rules are those of emu_wire.h and hypervisor.h, written again. Does not
 * know the tree of xenstore, only who watches.
 */
#ifndef XENSOCK_TESTS_SUPPORT_HV_REFERENCE_H
#define XENSOCK_TESTS_SUPPORT_HV_REFERENCE_H

#include "sim/hv/emu_wire.h"
#include "sim/hv/hypervisor.h"

enum {
    HV_REFERENCE_DOMAINS = 3,
    HV_REFERENCE_GRANTS = 1024, /* largest `grants_max` */
    HV_REFERENCE_PORTS = 64,    /* and `ports_max` */
    HV_REFERENCE_THINGS = 100,  /* runs, mappings, channels and watches: each of these, ever */
};

enum hv_deserves {
    HV_DROPPED, /* and reported */
    HV_LEAVES,  /* what it sent looks as if it had closed: no report */
    HV_NOTHING, /* one way; dropped if the handle is not its own: hv_reference_is_lie */
    HV_ANSWER,
};

/* A message as the hypervisor reads it. */
struct hv_asked {
    enum hv_deserves deserves;
    enum emu_kind kind;
    uint64_t id;
    uint32_t domid;
    uint32_t value; /* pages, port, handle, or count of refs */
    uint64_t cookie;
    uint64_t inode; /* of the memory of a SHARE */
    bool guarded;   /* a PUBLISH of nothing outside the domains' own directories */
    uint32_t refs[HV_REFS_MAX];
};

/* What is sent with a message: how many, and of the first what makes it memory to share. */
struct hv_asked_fds {
    uint32_t count;
    uint32_t pages; /* 0: no memory that is sealed as it must be */
    uint64_t inode;
};

/* Nobody is there; the quotas are those of struct hypervisor_config. */
void hv_reference_start(uint32_t grants_max, uint32_t ports_max);

/* A domain connects, or is gone with all it had. */
void hv_reference_enter(uint16_t domid);
void hv_reference_leave(uint16_t domid);
bool hv_reference_is_there(uint16_t domid);

/* Read a message of `length` bytes. */
void hv_reference_read(struct hv_asked *asked, const union emu_body *body, uint32_t length,
                       const struct hv_asked_fds *fds);

/* Whether a one-way message gives back what is not its sender's. */
bool hv_reference_is_lie(uint16_t domid, const struct hv_asked *asked);

/* A one-way message that is none was carried out. */
void hv_reference_give_back(uint16_t domid, const struct hv_asked *asked);

/* What a domain asked was answered; `short_of_fds`: the hypervisor may have had no descriptor left.
 * Takes the descriptors of the answer. */
void hv_reference_answer(uint16_t domid, const struct hv_asked *asked, struct emu_message *answer,
                         bool short_of_fds);

/* A watch of the domain fired. */
void hv_reference_event(uint16_t domid, const struct emu_message *event);

/* The tables hold exactly this. */
void hv_reference_compare(const struct hypervisor *tables);

/* The handle of a run, a mapping or the number of a port: of any domain, the `which`-th, around the
 * end; any number if there is none. */
uint32_t hv_reference_pick(enum emu_kind kind, uint32_t which);

#endif
