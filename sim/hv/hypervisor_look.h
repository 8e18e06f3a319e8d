/*
 * Looking into the hypervisor's tables: as text, a page at a time, for tools.
 *
 * It reads and changes nothing, and knows no tool: `xensock ps`, `grants` and `ports` ask over
 * XS_CONTROL, so an answer has room in one xenstore message. What it shows is what Xen shows with
 * its debug keys 'g' (grants) and 'e' (event channels), lsevtchn and `xl list`.
 * Invariants: a line is one entry, of words and decimal numbers with one space between them; an
 * answer that could not hold all ends with "next FROM", with which the rest is asked for. Between
 * two answers the tables go on: each entry is true when it is written, the whole need not be.
 *
 * Commands and their lines:
 *
 *   domains [FROM]
 *     domain DOMID STATE LIVES GRANTS QUARANTINED GRANTS_MAX PORTS PORTS_MAX MAPS HELD NODES
 *            WATCHES TRANSACTIONS
 *       STATE: connected; dead (was there); expected (never was). LIVES: how often it came.
 *       GRANTS: refs in use, QUARANTINED ones among them: no longer granted and still mapped.
 *       MAPS: maps it made. HELD: pages of its earlier lives that others still map.
 *       NODES, WATCHES, TRANSACTIONS: of xenstore, as quotas count them.
 *   grants DOMID [FROM]
 *     grant FIRST LAST RUN PAGE PEER STATE HOLDS
 *       Consecutive refs of consecutive pages of a run, which begins at ref RUN; PAGE is the one of
 *       FIRST. STATE: granted, mapped, or quarantined. HOLDS: pieces of PEER's maps in that run.
 *     held MAPPER MAP PAGES
 *       Map number MAP of domain MAPPER: pages of an earlier life of DOMID, which have no refs.
 *   ports DOMID [FROM]
 *     port PORT STATE REMOTE REMOTE_PORT
 *       STATE: interdomain; unbound (REMOTE may bind it; REMOTE_PORT is 0); closed (as unbound, and
 *       REMOTE_PORT is what the other end was).
 *
 * Source: Xen docs/misc/xenstore.txt (CONTROL), lsevtchn(8); the words are our own.
 */
#ifndef XENSOCK_SIM_HV_HYPERVISOR_LOOK_H
#define XENSOCK_SIM_HV_HYPERVISOR_LOOK_H

#include "sim/hv/hypervisor.h"

enum {
    HYPERVISOR_LOOK_MAX = 4096, /* bytes of an answer: the payload of a xenstore message */
    HYPERVISOR_LOOK_MIN = 256,  /* bytes that there must be room for */
};

/* Answer a command of `count` words with at most `bytes` (at least HYPERVISOR_LOOK_MIN) bytes of
 * text, not terminated. Returns the text's length; -ERR_INVAL: no such command, or its words are
 * wrong; -ERR_NOENT: DOMID never was there, and is not expected. */
int hypervisor_look(const struct hypervisor *hv, const char *const *words, uint32_t count,
                    char *text, uint32_t bytes);

#endif
