/*
 * The store's sockets: xenstore's wire protocol (store_wire.h) for programs such as xenstore-ls.
 *
 * Belongs to no particular loop, and never waits. Being connected to a domain's socket is being
 * that domain. A client that breaks the wire, or lets more wait than it may, is dropped; it is not
 * its domain's death.
 */
#ifndef XENSOCK_SIM_HV_STORE_SERVER_H
#define XENSOCK_SIM_HV_STORE_SERVER_H

#include "sim/hv/hv_emu.h"
#include "sim/hv/store_wire.h"

struct store_server;

enum { STORE_SERVER_CLIENTS_MAX = 256 }; /* of a socket at once; the next wait for one to leave */

/* Without sockets. Of `config` each session has all but its domain. Loop and store outlive it. */
struct store_server *store_server_create(struct hv_loop *loop,
                                         const struct store_wire_config *config);

/* Drops all clients, closes all sockets. */
void store_server_destroy(struct store_server *server);

/* Accept clients as `domid` from a listening, non-blocking stream socket, which is the server's
 * then. 0 or -ERR_* of the loop: it is closed. */
int store_server_listen(struct store_server *server, int fd, uint16_t domid);

/* A descriptor became readable or, where asked for, writable. Whether it was one of ours.
 * store_server_turn is owed. */
bool store_server_ready(struct store_server *server, int fd);

/* Send what can be sent (events of the store are handed to their sessions before that), carry out
 * what waited for that, drop who is to be dropped. Returns whether it changed anything, so that
 * events are to be taken and it is to be called again. */
bool store_server_turn(struct store_server *server);

/* Drop a domain's clients: it died. */
void store_server_drop(struct store_server *server, uint16_t domid);

#endif
