/* What messages of every transport have in common: names, and an end. See emu_wire.h. */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "sim/hv/emu_wire.h"

#include <sys/socket.h>
#include <unistd.h>

const char *emu_wire_name(uint32_t kind)
{
    static const char *const names[] = {
#define X(name) #name,
        EMU_KINDS(X)
#undef X
    };

    return kind < EMU_KIND_COUNT ? names[kind] : "?";
}

void emu_wire_end(int socket)
{
    shutdown(socket, SHUT_RDWR);
}

void emu_wire_dismiss(struct emu_message *message)
{
    for (uint32_t i = 0; i < message->fd_count; i++)
        close(message->fds[i]);
    message->fd_count = 0;
    message->received = 0;
}
