/*
 * The store as its own files see it: store.c (clients, domains, paths), store_nodes.c (the tree),
 * store_transactions.c (what a transaction sees instead), store_ops.c (who may do what),
 * store_watches.c (what fires). Nobody else includes this.
 */
#ifndef XENSOCK_SIM_HV_STORE_PRIVATE_H
#define XENSOCK_SIM_HV_STORE_PRIVATE_H

#include "ringlib/err.h"
#include "sim/hv/store.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

enum {
    STORE_OWNER = 4,    /* beside STORE_READ and STORE_WRITE: may set permissions */
    STORE_SPECIALS = 2, /* "@introduceDomain", "@releaseDomain" */
};

/* What a node holds, in the tree or in a transaction. The value is terminated. */
struct store_record {
    char *value;
    uint32_t bytes;
    uint32_t perm_count;
    struct store_perm *perms;
    uint32_t names_bytes; /* of its children, with terminators */
    uint64_t generation;  /* of its last change; never 0 */
};

struct store_node {
    struct store_record record;
    struct store_node *parent;
    struct store_node *children; /* in order of creation */
    struct store_node *prev, *next;
    struct store_node *prev_owned, *next_owned;
    UT_hash_handle hh;
    char path[];
};

/* A domain that was named to us, as one that acts or as an owner. Kept for good: `died` must be. */
struct store_domain {
    uint16_t domid;
    bool introduced;
    bool released;
    bool has_target;
    uint16_t target;          /* whose rights it has too: XS_SET_TARGET */
    uint64_t died;            /* the store's generation then: older grants are not for this life */
    struct store_node *owned; /* through prev_owned, next_owned */
    struct store_usage usage;
    struct store_client *clients;
    UT_hash_handle hh;
};

struct store_client {
    struct store *store;
    struct store_domain *domain;
    void *owner;
    uint64_t id; /* never used again */
    uint32_t next_transaction;
    struct store_watch *watches;
    struct store_transaction *transactions;
    struct store_client *prev, *next; /* of its domain */
};

struct store {
    struct store_node *root;
    struct store_node *by_path;
    uint64_t generation;
    struct store_domain *domains;
    struct store_client *toolstack;
    uint64_t next_client;
    struct store_record specials[STORE_SPECIALS]; /* permissions only */
    struct store_watched *watched;                /* by path */
    struct store_watch *by_token;
    uint64_t next_serial;
    struct store_queued *events;
    struct store_queued *taken;  /* the one store_next gave last */
    struct store_match *matches; /* of the change under way */
    uint32_t match_count, match_room;
    char *names; /* the list store_list gave last */
    uint32_t names_room;
};

/* What an operation sees and changes: the tree, or a transaction over it. */
struct store_view {
    struct store_client *client;
    struct store_transaction *transaction; /* NULL: the tree */
    int error;                             /* why a find failed otherwise than by finding nothing */
};

/* ---- store.c ---- */

/* A struct of `bytes`, zeroed, followed by a terminated copy of `length` characters. */
void *store_alloc(size_t bytes, const void *text, size_t length);

/* A domain's entry, made if there is none. */
struct store_domain *store_domain_of(struct store *store, uint16_t domid);

/* The absolute path in `out` of STORE_PATH_MAX + 1 bytes: its length, or -ERR_INVAL. */
int store_path_resolve(const struct store_client *client, const char *path, char *out);

/* Length of the parent's path. */
size_t store_path_parent(const char *path, size_t length);

/* Which special name that is; -1: none of ours. */
int store_special(const char *name);

/* What a client may do with a node: a set of enum store_access and STORE_OWNER. */
unsigned store_access_of(const struct store_client *client, const struct store_record *record);

/* Copy what is granted and not to a domain that died since; returns how many. */
uint32_t store_perms_live(struct store *store, const struct store_record *record,
                          struct store_perm *live);

/* ---- store_nodes.c: the tree, without a question who may ---- */

/* The node of a path of that length; NULL: none. */
struct store_node *store_node_find(const struct store *store, const char *path, size_t length);

/* Add a node below its parent, which must exist, with these permissions and no value. */
struct store_node *store_node_add(struct store *store, const char *path, size_t length,
                                  const struct store_perm *perms, uint32_t count);

/* The names of its children, terminated each, in order of creation: record.names_bytes of them. */
void store_node_names(const struct store_node *node, char *names);

/* Change a node's value or permissions. */
void store_node_set_value(struct store *store, struct store_node *node, const void *value,
                          uint32_t bytes);
void store_node_set_perms(struct store *store, struct store_node *node,
                          const struct store_perm *perms, uint32_t count);

/* Remove a node with all below. */
void store_node_remove(struct store *store, struct store_node *node);

/* Remove all nodes of a domain with all below them. */
void store_nodes_of_remove(struct store *store, struct store_domain *domain);

/* Give a record a value, or permissions, of its own. */
void store_record_set_value(struct store_record *record, const void *value, uint32_t bytes);
void store_record_set_perms(struct store_record *record, const struct store_perm *perms,
                            uint32_t count);
void store_record_free(struct store_record *record);

/* ---- store_transactions.c: the same as a transaction sees it ---- */

/* The transaction of that id; NULL: none. */
struct store_transaction *store_transaction_find(const struct store_client *client, uint32_t id);

/* A node as it was when the transaction first looked; NULL: none, or view->error. */
struct store_record *store_transaction_look(struct store_view *view, const char *path,
                                            size_t length);

/* The same changes as in the tree. Removal can fail with -ERR_NOSPC. */
struct store_record *store_transaction_add(struct store_view *view, const char *path, size_t length,
                                           const struct store_perm *perms, uint32_t count);
void store_transaction_set_value(struct store_view *view, const char *path, const void *value,
                                 uint32_t bytes);
void store_transaction_set_perms(struct store_view *view, const char *path,
                                 const struct store_perm *perms, uint32_t count);
int store_transaction_remove(struct store_view *view, const char *path);

/* Names of the children of a node it looked at; record->names_bytes of them. */
const char *store_transaction_names(struct store_view *view, const char *path);

/* The node's watches are to fire when it ends well. */
void store_transaction_fire(struct store_view *view, const char *path);

/* It can only fail from now on. */
void store_transaction_spoil(struct store_transaction *transaction);

/* Nodes that the acting domain will own more of. */
int32_t store_transaction_growth(const struct store_transaction *transaction);

/* End all of a client. */
void store_transactions_end(struct store_client *client);

/* ---- store_watches.c ---- */

/* Fire those at the path and above; `old`, if not NULL, may have been readable to who is not to see
 * the node any more. */
void store_watches_fire(struct store *store, const char *path, const struct store_record *old);

/* Fire those at this very path. */
void store_watches_fire_exact(struct store *store, const char *path,
                              const struct store_record *old);

/* A node is about to be removed with all below: fire those at it and above, and at what is below.
 */
void store_watches_fire_removal(struct store *store, const struct store_node *node);

/* Fire a special name's. */
void store_watches_fire_special(struct store *store, const char *name);

/* End all of a client. */
void store_watches_end(struct store_client *client);

#endif
