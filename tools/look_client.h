/*
 * A client of xenstore's wire protocol, for the commands that look into a running testbed.
 *
 * It asks one thing at a time and waits for the answer, so long; watch events that come meanwhile
 * are kept in order, equal ones once. It knows Xen's protocol and a runtime directory, no command
 * and no output. It never writes into the store.
 * Invariants: after a fault other than LOOK_CLIENT_REFUSED the connection is of no use any more.
 * Source: Xen docs/misc/xenstore.txt.
 */
#ifndef XENSOCK_TOOLS_LOOK_CLIENT_H
#define XENSOCK_TOOLS_LOOK_CLIENT_H

#include "sim/hv/store_wire.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    LOOK_CLIENT_PAYLOAD_MAX = STORE_WIRE_PAYLOAD_MAX,
    LOOK_CLIENT_TEXT_BYTES = 512,
};

enum look_client_fault {
    LOOK_CLIENT_FINE,
    LOOK_CLIENT_REFUSED,  /* xenstore said no; `refusal` has the errno's name */
    LOOK_CLIENT_UNUSABLE, /* the runtime directory: it is not there, or not ours alone */
    LOOK_CLIENT_ABSENT,   /* nobody serves there, or not this domain */
    LOOK_CLIENT_GONE,     /* the other side closed the connection */
    LOOK_CLIENT_LATE,     /* no answer in time */
    LOOK_CLIENT_BROKEN,   /* what came is not xenstore's protocol */
};

struct look_client_event;

struct look_client {
    int fd;
    uint32_t timeout_ms;
    uint32_t request; /* number of the last one */
    enum look_client_fault fault;
    char message[LOOK_CLIENT_TEXT_BYTES]; /* the fault in words, for people */
    char refusal[32];                     /* "ENOENT" */
    struct look_client_event *events;
    /* The last answer, valid until the next request; a NUL stands behind it. */
    uint32_t answer_bytes;
    char answer[LOOK_CLIENT_PAYLOAD_MAX + 1];
};

/* False, with the fault that this hypervisor has no such domain: however that was found out. */
bool look_client_no_domain(struct look_client *client, const char *runtime, int32_t domid);

/* Connect to the xenstore of the hypervisor in `runtime`: as a tool of domain 0 (`domid` -1), or as
 * domain `domid`, with its rights. Each answer may take `timeout_ms`. False with a fault. Undo,
 * also then: look_client_close. */
bool look_client_open(struct look_client *client, const char *runtime, int32_t domid,
                      uint32_t timeout_ms);
void look_client_close(struct look_client *client);

/* Each asks and waits; false with a fault. The value, the permissions ("n0", "r1", each with its
 * NUL) or the text are the answer. */
bool look_client_read(struct look_client *client, const char *path);
bool look_client_permissions(struct look_client *client, const char *path);
bool look_client_control(struct look_client *client, const char *words, uint32_t bytes);

/* Watch `path`; `token` comes back with each event, the first of which comes at once. */
bool look_client_watch(struct look_client *client, const char *path, const char *token);

/* The names of a node's children, each with its NUL, `*bytes` in all, however many there are: the
 * caller's to free. NULL with a fault. */
char *look_client_list(struct look_client *client, const char *path, uint32_t *bytes);

/* Wait, however long, until a watch fires, whose path is then the answer, or until `stop` is
 * readable:
 * `*stopped`. False with a fault. */
bool look_client_next(struct look_client *client, int stop, bool *stopped);

#endif
