/*
 * Seeds of a swarm in child processes, so that a failed assert is an outcome like any other, and
 * several run side by side.
 */
#ifndef XENSOCK_TOOLS_SWARM_JOBS_H
#define XENSOCK_TOOLS_SWARM_JOBS_H

#include "sim/run/swarm.h"

/* Run one seed; a child that dies is a failure "crash". False if there can be no child. */
bool swarm_jobs_one(const struct swarm_config *config, struct swarm_outcome *outcome);

struct swarm_jobs {
    const struct scenario *scenario;
    const struct costs *costs;
    uint64_t first, last; /* seeds, both included, at most SWARM_SEEDS_MAX of them */
    uint32_t jobs;        /* 1 to SWARM_JOBS_MAX */
    /* After each seed, in no order; may be NULL. */
    void (*done)(void *self, uint64_t done, uint64_t failed);
    void *self;
};

enum { SWARM_JOBS_MAX = 64, SWARM_SEEDS_MAX = 50000000 };

/* What came of all of them. */
struct swarm_sum {
    uint64_t seeds;               /* that were run */
    bool failed;                  /* then the lowest that did: */
    uint64_t seed;                /* which, */
    struct swarm_outcome outcome; /* and how */
    uint64_t events, records, requests, bytes, intrusions;
    uint64_t virtual_ns;
    uint64_t excused;                 /* of the seeds: see swarm_outcome */
    char trace[TRACE_LOG_HASH_BYTES]; /* hash of all hashes, in the order of the seeds */
};

/* Run them; seeds behind one that failed are not begun any more. False if there can be no child. */
bool swarm_jobs_run(const struct swarm_jobs *jobs, struct swarm_sum *sum);

#endif
