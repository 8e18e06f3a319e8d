/* What flame.c (reading, the table) and flame_svg.c (the picture) share. */
#ifndef XENSOCK_SIM_RUN_FLAME_PRIVATE_H
#define XENSOCK_SIM_RUN_FLAME_PRIVATE_H

#include "sim/run/flame.h"

#include <uthash.h>

/* A function, once for all places where it is called. */
struct flame_name {
    UT_hash_handle hh;
    uint64_t own, all; /* for the table */
    uint32_t open;     /* how often it stands above, while the tree is walked */
    char text[];
};

struct flame_node {
    struct flame_name *name; /* NULL: the root */
    struct flame_node *next, *children;
    uint64_t own, total;
};

struct flame {
    struct flame_node root;
    struct flame_name *names;
    uint32_t depth; /* of the deepest stack */
};

/* Per cent with one digit, rounded. */
struct flame_share {
    unsigned whole, tenth;
};
struct flame_share flame_share(uint64_t part, uint64_t all);

#endif
