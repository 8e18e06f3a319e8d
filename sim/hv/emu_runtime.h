/*
 * The runtime directory of an emulated run: who may use it, whose it is now, where its sockets are.
 *
 * A directory only we can enter (0700, ours, no symbolic link), with `hypervisor.pid`, locked as
 * long as its hypervisor lives: a crashed one's directory can be used again, a live one's cannot.
 * Source: architecture 3, 11.
 */
#ifndef XENSOCK_SIM_HV_EMU_RUNTIME_H
#define XENSOCK_SIM_HV_EMU_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emu_runtime;
struct sockaddr_un;

/* Take `path` as the runtime directory of this process, creating it if need be (not its parents).
 * NULL with a text for people in `error` that names the path, and the process that has it. */
struct emu_runtime *emu_runtime_take(const char *path, char *error, size_t error_bytes);

/* Remove the pid file, and the directory if emu_runtime_take created it and it is empty. */
void emu_runtime_release(struct emu_runtime *runtime);

/* A listening, non-blocking socket `domain-N.sock` (0600); a leftover of that name is removed. The
 * descriptor, or -ERR_* with a text. Undo: close it and emu_runtime_unlink. */
int emu_runtime_listen(struct emu_runtime *runtime, uint16_t domid, char *error,
                       size_t error_bytes);
void emu_runtime_unlink(struct emu_runtime *runtime, uint16_t domid);

/* The same for a stream socket of the store: `xenstore.sock` for domain 0, `xenstore-N.sock`. */
int emu_runtime_listen_store(struct emu_runtime *runtime, uint16_t domid, char *error,
                             size_t error_bytes);
void emu_runtime_unlink_store(struct emu_runtime *runtime, uint16_t domid);

/* Whether `path` is a directory as above, seen from a domain: 0, -ERR_NOENT, -ERR_ACCES. */
int emu_runtime_check(const char *path);

/* The address of a domain's socket; false if the path is too long for one. */
bool emu_runtime_address(const char *path, uint16_t domid, struct sockaddr_un *address);

/* The same of the store's. */
bool emu_runtime_address_store(const char *path, uint16_t domid, struct sockaddr_un *address);

#endif
