/*
 * A second guest at the backend of a pair (pair.h): honest, with one open socket. Whatever the
 * first one does, this one is served, and what it has stays as it is.
 */
#ifndef XENSOCK_TESTS_SUPPORT_WITNESS_H
#define XENSOCK_TESTS_SUPPORT_WITNESS_H

#include "tests/support/pair.h"

enum { WITNESS = 2 }; /* its domain */

struct witness {
    struct pair *pair;
    struct hv *hv;
    struct exec *exec; /* the guest's; its backend's is the pair's */
    struct fe *fe;
    struct be *be;
    uint64_t sock, token; /* in the guest, and at the net */
    uint32_t up, done, count;
};

/* Join the pair's machine, in its dialect and order, and connect. The backend's executor must have
 * room for a second device. */
void witness_open(struct witness *witness, struct pair *pair);

/* A byte goes to the net and one comes back. */
void witness_check(struct witness *witness);

/* Release, leave in good order; nothing of it is left. Before pair_close. */
void witness_close(struct witness *witness);

#endif
