/*
 * xenstore as Xen 4.17 has it, as a pure tree: nodes with owners and permissions, quotas,
 * transactions, watches. No wire format (store_wire.h), no descriptors, no clock.
 *
 * Who acts is a client: a connection of a domain. It owns its watches and transactions, which end
 * with it. Domain 0 is privileged: it passes every permission and quota. What a change fires is
 * queued as events, taken with store_next: who writes several nodes before events are taken, or in
 * a transaction, has published them at once.
 * A path is absolute, or relative to the client's /local/domain/N. "@releaseDomain" and
 * "@introduceDomain" can be watched.
 * Errors of all calls on a path: -ERR_INVAL (no path), -ERR_ACCES (also instead of -ERR_NOENT,
 * where the nearest directory that exists may not be used so), -ERR_NODEV (the domain was
 * released). With a transaction: -ERR_NOENT (the client has none of that id), -ERR_NOSPC (it is too
 * large). Memory: what a domain can make us keep is bounded by its quotas; so running out of it
 * ends the process. Source: Xen 4.17 docs/misc/xenstore.txt, tools/xenstore; data/xen-semantics.md
 * for the verdicts.
 */
#ifndef XENSOCK_SIM_HV_STORE_H
#define XENSOCK_SIM_HV_STORE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    STORE_PATH_MAX = 3072,     /* XENSTORE_ABS_PATH_MAX: longest path, bytes without terminator */
    STORE_RELATIVE_MAX = 2048, /* XENSTORE_REL_PATH_MAX: of it below /local/domain/N/, or in all */
    /* Quotas of a domain that is not privileged, and Xen's comparison with each. */
    STORE_NODES_MAX = 1000,      /* that it owns */
    STORE_WATCHES_MAX = 128,     /* more than these: so it has one more */
    STORE_TRANSACTIONS_MAX = 10, /* more than these, likewise */
    STORE_TOUCHED_MAX = 1024,    /* nodes a transaction looked at or changed */
    STORE_PERMS_MAX = 5,         /* of a node */
    STORE_NODE_MAX = 2048,       /* a node has less bytes than that: */
    STORE_NODE_BYTES = 24,       /* for itself, */
    STORE_PERM_BYTES = 8,        /* for each permission; then value and names of children */
    STORE_OUTSTANDING_MAX = 20,  /* answers a client has not taken: kept by who sends them */
};

struct store;
struct store_client;

enum store_access { STORE_NONE = 0, STORE_READ = 1, STORE_WRITE = 2, STORE_BOTH = 3 };

/* The first of a node is its owner, who may do everything, with what all others may. */
struct store_perm {
    uint16_t domid;
    enum store_access access;
};

/* A watch event: whose watch fired, and the path that changed, as it is written where the watch's
 * was. Valid until the next call of store_next. */
struct store_event {
    struct store_client *client;
    void *owner; /* as given to store_connect */
    const char *path;
    const void *token;
    uint32_t token_bytes;
};

/* What a domain has of what quotas count. */
struct store_usage {
    uint32_t nodes, watches, transactions;
};

/* The names of a node's children in order of creation, each terminated; valid until the next call
 * on the store. */
struct store_names {
    const char *text;
    uint32_t bytes; /* with the terminators */
    uint32_t count;
    uint64_t generation; /* of the node: another one means that the list may have changed */
};

/* A store of the nodes that xenstored begins with; asserts that there is memory. */
struct store *store_create(void);

/* Free it with everything in it but clients, of which none may be left. */
void store_destroy(struct store *store);

/* ---- clients and domains ---- */

/* A connection of a domain; `owner` comes back in events. Ends with store_disconnect. */
struct store_client *store_connect(struct store *store, uint16_t domid, void *owner);

/* End it with its watches, their events and its transactions. */
void store_disconnect(struct store_client *client);

/* Who acts. */
uint16_t store_domid(const struct store_client *client);
bool store_privileged(const struct store_client *client);

/* A domain may use the store; fires @introduceDomain. Domain 0 always may, and one nobody
 * introduced or released too. */
void store_introduce(struct store *store, uint16_t domid);

/* A domain died, or is not to use the store any more: its clients lose watches and transactions
 * and are answered with -ERR_NODEV until it is introduced again; nodes it owns go with all below,
 * without events; what others granted it means nothing to a later domain of the number. Fires
 * @releaseDomain. Domain 0 keeps its nodes. */
void store_release(struct store *store, uint16_t domid);

/* Whether it was introduced, and not released since. */
bool store_introduced(const struct store *store, uint16_t domid);

/* Whether somebody is connected as that domain, or it was introduced. */
bool store_present(const struct store *store, uint16_t domid);

/* From now on the domain has the rights of another as well, until it is released: XS_SET_TARGET. */
void store_set_target(struct store *store, uint16_t domid, uint16_t target);

/* What a domain has, whether it was ever named here or not. */
void store_usage(const struct store *store, uint16_t domid, struct store_usage *usage);

/* ---- nodes: as `client`, in `transaction` or, with 0, at once ---- */

/* The value of a node, with a terminator behind it that is not counted. Valid until the next call
 * on the store. */
int store_read(struct store_client *client, uint32_t transaction, const char *path,
               const void **value, uint32_t *bytes);

/* Names of a node's children. */
int store_list(struct store_client *client, uint32_t transaction, const char *path,
               struct store_names *names);

/* Create or change a node, with the parents it lacks. What is created inherits its parent's
 * permissions, with the creator as owner unless that is privileged. -ERR_NOSPC: a quota. */
int store_write(struct store_client *client, uint32_t transaction, const char *path,
                const void *value, uint32_t bytes);

/* Create a node without a value, if there is none: then nothing happens. Otherwise as
 * store_write. */
int store_mkdir(struct store_client *client, uint32_t transaction, const char *path);

/* Remove a node and all below; fires the watches above and at it, and those at each removed node
 * below. 0 also if it is not there but its parent is. -ERR_INVAL for the root. */
int store_remove(struct store_client *client, uint32_t transaction, const char *path);

/* The permissions of a node, at least one; those of domains that died left out. Returns how many.
 * Valid until the next call on the store. */
int store_get_perms(struct store_client *client, uint32_t transaction, const char *path,
                    const struct store_perm **perms);

/* Change them, for the owner. -ERR_PERM: he gives it to another. -ERR_NOSPC: more than the quota.
 * A special name's, for domain 0: who is told of it. */
int store_set_perms(struct store_client *client, uint32_t transaction, const char *path,
                    const struct store_perm *perms, uint32_t count);

/* ---- transactions ---- */

/* Begin one: its id (>= 1), or -ERR_NOSPC (quota). What it looks at it sees as it was when it first
 * looked; what it changes others see when it ends well. */
int64_t store_begin(struct store_client *client);

/* End it: with `commit`, all it changed takes effect at once; otherwise, and with an error, nothing
 * of it. -ERR_NOENT: no such. -ERR_AGAIN: something it looked at was changed meanwhile.
 * -ERR_NOMEM: one of its calls failed in a way that cannot be undone. -ERR_NOSPC: quota of nodes.
 */
int store_end(struct store_client *client, uint32_t transaction, bool commit);

/* Whether a client has a transaction of that id. */
bool store_in_transaction(const struct store_client *client, uint32_t transaction);

/* ---- watches ---- */

/* Watch `path` and everything below; fires once at once. `token` comes back in events. -ERR_EXIST
 * (the same path and token), -ERR_2BIG (quota). Who may read neither a node nor its parent hears
 * nothing of it. */
int store_watch(struct store_client *client, const char *path, const void *token,
                uint32_t token_bytes);

/* End a watch, with its events that were not taken. -ERR_NOENT. */
int store_unwatch(struct store_client *client, const char *path, const void *token,
                  uint32_t token_bytes);

/* End all watches of a token, whatever their paths; returns how many. */
int store_unwatch_token(struct store_client *client, const void *token, uint32_t token_bytes);

/* End all watches and transactions of a client. */
void store_reset(struct store_client *client);

/* Take the next event; false when there is none. An event equal to the latest of its watch that is
 * still queued is not queued again. */
bool store_next(struct store *store, struct store_event *event);

/* ---- the toolstack's, which is domain 0 within the machine ---- */

/* Its client, for what has no shorthand here. */
struct store_client *store_toolstack(struct store *store);

/* A node's value as a text; NULL if there is no such node. Valid until the next call. */
const char *store_text(struct store *store, const char *path);

/* Write a text; remove a node (-ERR_NOENT: there is none). */
int store_put(struct store *store, const char *path, const char *text);
int store_cut(struct store *store, const char *path);

/* Counts for leak checks; the root is a node. */
uint32_t store_nodes(const struct store *store);
uint32_t store_watches(const struct store *store);

#endif
