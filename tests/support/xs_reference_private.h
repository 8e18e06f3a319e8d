/*
 * The reference of xenstore as its own files see it: xs_reference.c (clients: transactions,
 * watches, events) and xs_reference_tree.c (nodes and permissions). Nobody else includes this.
 */
#ifndef XENSOCK_TESTS_SUPPORT_XS_REFERENCE_PRIVATE_H
#define XENSOCK_TESTS_SUPPORT_XS_REFERENCE_PRIVATE_H

#include "tests/support/xs_reference.h"

#include "tests/fuzz/fuzz.h"

/* Numbers of the protocol, from its documentation: the tested code has its own. */
enum {
    DIRECTORY = 1,
    READ = 2,
    GET_PERMS = 3,
    WATCH = 4,
    UNWATCH = 5,
    TRANSACTION_START = 6,
    TRANSACTION_END = 7,
    GET_DOMAIN_PATH = 10,
    WRITE = 11,
    MKDIR = 12,
    RM = 13,
    SET_PERMS = 14,
    WATCH_EVENT = 15,
    ERROR = 16,
    IS_DOMAIN_INTRODUCED = 17,
    RESET_WATCHES = 21,
    DIRECTORY_PART = 22,
};

enum {
    NODES_QUOTA = 1000, /* Xen's defaults, of an unprivileged domain */
    WATCHES_QUOTA = 128,
    TRANSACTIONS_QUOTA = 10,
    PERMS_QUOTA = 5,
    NODE_QUOTA = 2048, /* bytes: a node takes less than these, */
    NODE_BYTES = 24,   /* for itself, */
    PERM_BYTES = 8,    /* for each permission, and for value and names of children */
    PAYLOAD_MAX = 4096,
    PERMS_MAX = 128, /* more than fit into a request of the harness */
    PATH_BYTES = 4200,
    MAY_READ = 1,
    MAY_WRITE = 2,
    MAY_ALL = 3,
};

struct xs_perm {
    uint16_t domid;
    uint8_t may;
};

struct xs_node {
    char *path;
    uint8_t *value;
    uint32_t bytes, perm_count;
    struct xs_perm perms[PERMS_MAX];
};

/* In the order of creation. */
struct xs_world {
    struct xs_node *nodes;
    uint32_t count, room;
};

/* An answer to be: an error's name, or a payload. */
struct xs_reply {
    const char *error;
    uint32_t bytes;
    uint8_t payload[PAYLOAD_MAX + 1];
};

/* A request of a domain on a world. */
struct xs_doing {
    struct xs_world *world;
    uint16_t domid;
    bool changed;
    /* A node was written, or goes next; `before` as it was, where its permissions changed. `exact`:
     * to those who watch this very node. */
    void (*tell)(const struct xs_doing *doing, const struct xs_node *node,
                 const struct xs_node *before, bool exact);
};

/* Do it; what is to be answered. */
void xs_do_tree(struct xs_doing *doing, const struct xs_said *asked, struct xs_reply *reply);

void *xs_copy_of(const void *from, size_t bytes); /* with a zero behind */
void xs_copy_path(char to[PATH_BYTES], const char *path);
struct xs_node *xs_find(const struct xs_world *world, const char *path);
struct xs_node *xs_add(struct xs_world *world, const char *path);
struct xs_world xs_world_copy(const struct xs_world *from);
void xs_world_fini(struct xs_world *world);
uint32_t xs_owned(const struct xs_world *world, uint16_t domid);
uint8_t xs_allowed(uint16_t domid, const struct xs_node *node);
bool xs_read_perm(const char *text, struct xs_perm *perm);
bool xs_is_below(const char *path, const char *above);

/* Whether a domain learns of a change of a node: it may read it, or its parent. */
bool xs_may_see(const struct xs_world *world, uint16_t domid, const struct xs_node *node);

/* The absolute form of a path as a client gives it; false if it is none. */
bool xs_absolute(uint16_t domid, const char *given, char path[PATH_BYTES]);

/* How many strings the payload is made of; -1 if the last is not terminated. */
int xs_strings(const struct xs_said *said);

void xs_put_text(struct xs_reply *reply, const char *text);

#endif
