/*
 * xenstore as a pure tree: nodes, values, watches. No wire format, no descriptors, no clock.
 *
 * Paths are absolute, made of [A-Za-z0-9-/_@]; "@releaseDomain" and the like are special names that
 * can be watched and fired. Changes queue watch events, taken with store_next: who writes several
 * nodes before events are taken has published them at once.
 * Source: Xen docs/misc/xenstore.txt for the semantics; data/xen-semantics.md for the verdicts.
 */
#ifndef XENSOCK_SIM_HV_STORE_H
#define XENSOCK_SIM_HV_STORE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_PATH_MAX = 255,   /* longest path we accept, bytes without terminator */
    STORE_VALUE_MAX = 2048, /* longest value, Xen's quota per node */
};

struct store;

/* A watch event: which domain's watch with which cookie fired, and the path that changed. */
struct store_event {
    uint16_t domid;
    uint64_t cookie;
    char path[STORE_PATH_MAX + 1];
};

/* An empty store; asserts that there is memory. */
struct store *store_create(void);

/* Free it with everything in it. */
void store_destroy(struct store *store);

/* The value of a node, terminated; NULL if there is no such node. Valid until the next change. */
const char *store_read(const struct store *store, const char *path);

/* Create or change a node, parents as needed. 0, -ERR_INVAL (path), -ERR_NOSPC (value too long). */
int store_write(struct store *store, const char *path, const char *value);

/* Check that a write would succeed, so that a publish can be all or nothing. */
int store_write_check(const char *path, const char *value);

/* Remove a node and all below; fires the watches above and at it with its path, and those of
 * removed nodes below with theirs. 0 or -ERR_NOENT, -ERR_INVAL. */
int store_remove(struct store *store, const char *path);

/* Names of a node's children, each terminated, in creation order, into `names` of `bytes` bytes;
 * returns how many, -ERR_NOENT, -ERR_NOSPC. `*used` is the bytes written. */
int store_list(const struct store *store, const char *path, char *names, uint32_t bytes,
               uint32_t *used);

/* Watch `path` and everything below for `domid`; fires once at once. 0, -ERR_INVAL, -ERR_EXIST
 * (same domain, path and cookie). */
int store_watch(struct store *store, uint16_t domid, const char *path, uint64_t cookie);

/* End the watches of a domain whose cookie equals `cookie`; returns how many. Events of theirs
 * that were queued are dropped. */
int store_unwatch(struct store *store, uint16_t domid, uint64_t cookie);

/* End every watch of a domain. */
void store_forget(struct store *store, uint16_t domid);

/* Fire the watches of a special name such as "@releaseDomain". */
void store_fire(struct store *store, const char *special);

/* Take the next watch event; false when there is none. An event equal to
 * the latest of its watch that is still queued is not queued again. */
bool store_next(struct store *store, struct store_event *event);

/* Counts for leak checks; the root is a node. */
uint32_t store_nodes(const struct store *store);
uint32_t store_watches(const struct store *store);

#endif
