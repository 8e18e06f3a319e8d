/*
 * The memory of a run between processes: made and sealed by its owner, checked by the hypervisor
 * and again by who maps it.
 *
 * A run is one memory file of exactly its pages; who holds the descriptor can map all of it.
 * Mappings are never populated in advance (that halved the rate of connections).
 * Chosen at link time. emu_memory_linux.c: sealed, so that nobody can shrink or grow it, nor take
 * write access from others. emu_memory_posix.c: there are no seals, and who shrinks a run kills who
 * maps it.
 * Source: architecture 3 ("A grant is a page of a sealed memfd").
 */
#ifndef XENSOCK_SIM_HV_EMU_MEMORY_H
#define XENSOCK_SIM_HV_EMU_MEMORY_H

#include "sim/hv/emu_wire.h"

/* A mapping of ours: what to look at, and what to give back. */
struct emu_memory {
    struct shared_area area;
    void *start;
    size_t bytes;
};

/* Create, seal and map a run of `pages` (1..HV_REFS_MAX) zeroed pages. The descriptor, which the
 * caller owns beside the mapping, or -ERR_MFILE, -ERR_NFILE, -ERR_NOMEM, with nothing left over. */
int emu_memory_create(uint32_t pages, struct emu_memory *memory);

/* Memory of `bytes` zeroed bytes for one process alone: the descriptor of an unsealed file without
 * a name, or -ERR_* as above. */
int emu_memory_file(size_t bytes);

/* Whether a stranger's descriptor is what a run of `pages` must be: ordinary shared memory, open
 * for reading and writing, of that size, and sealed where the host has seals. 0 or -ERR_INVAL. */
int emu_memory_check(int fd, uint32_t pages);

/* Map `count` pieces of runs (`fds[piece.run]`), which lie within their runs and have `pages` pages
 * in all, contiguously and in order, all or nothing. The descriptors may be closed afterwards. 0;
 * -ERR_NOMEM, -ERR_MFILE, -ERR_NFILE; -ERR_INVAL: several pieces, and the host's page is larger
 * than 4096. */
int emu_memory_map(const int *fds, const struct emu_piece *pieces, uint32_t count, uint32_t pages,
                   struct emu_memory *memory);

/* Undo emu_memory_create's mapping or emu_memory_map. */
void emu_memory_unmap(struct emu_memory *memory);

#endif
