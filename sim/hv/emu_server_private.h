/*
 * The hypervisor's serving side as its own files see it: emu_server.c (connections, what waits, who
 * is dropped) and emu_server_requests.c (what a message asks of the tables).
 */
#ifndef XENSOCK_SIM_HV_EMU_SERVER_PRIVATE_H
#define XENSOCK_SIM_HV_EMU_SERVER_PRIVATE_H

#include "sim/hv/emu_queue.h"
#include "sim/hv/emu_runtime.h"
#include "sim/hv/emu_server.h"
#include "sim/hv/store_server.h"

enum { EMU_REASON_BYTES = 128 };

/* A place a domain can take. `queue.socket` is -1 while none has. */
struct emu_seat {
    struct emu_seat *next;
    uint16_t domid;
    int listener;
    struct emu_queue queue;
    struct emu_message in;
    bool wants_write;
    bool leaving;                  /* the connection is to be closed at the end of this call */
    char reason[EMU_REASON_BYTES]; /* to report then; empty: it just went away */
};

struct emu_server {
    struct emu_server_config config;
    struct emu_runtime *runtime;
    struct hypervisor *tables;
    struct store_server *store; /* xenstore.sock and the domains' */
    struct emu_seat *seats;
    /* One message at a time: its seat's `in`, and room for what the answer is made of. */
    struct emu_message *in;
    union emu_body out;
    struct hypervisor_piece pieces[HV_REFS_MAX];
};

/* Have the domain dropped at the end of this call; the first reason stays. */
__attribute__((format(printf, 2, 3))) void emu_seat_drop(struct emu_seat *seat, const char *format,
                                                         ...);

/* Send to the domain, or drop it if it does not read. */
void emu_seat_send(struct emu_seat *seat, const void *bytes, uint32_t length,
                   struct emu_file *const *files, uint32_t file_count);

/* Carry out the message in server->in, which keeps what it does not use of the descriptors. */
void emu_server_request(struct emu_server *server, struct emu_seat *seat);

/* For the tables' `release_run` and `release_channel`. */
void emu_server_release_run(void *self, void *backing);
void emu_server_release_channel(void *self, void *backing);

#endif
