/*
 * hv_mem as its own files see it: hv_mem.c (queue, event channels, handles), hv_mem_grants.c (the
 * memory file, runs, mappings), hv_mem_store.c. Nobody else includes this.
 */
#ifndef XENSOCK_SIM_HV_HV_MEM_PRIVATE_H
#define XENSOCK_SIM_HV_HV_MEM_PRIVATE_H

#include "ringlib/err.h"
#include "sim/hv/hv_mem.h"
#include "sim/hv/slots.h"

#include <pthread.h>
#include <uthash.h>

enum { HV_MEM_DOMAINS = UINT16_MAX + 1 };

/* What one of our handles, of a run or of a mapping, stands for. */
struct mem_area {
    uint32_t handle;
    uint32_t pages;
    void *alias; /* a mapping of its own, for scattered refs; else NULL */
    UT_hash_handle hh;
};

/* An event that waits to be taken. */
struct queued {
    struct ev ev;
    uint64_t due_ns;       /* 0 without time */
    void *payload;         /* from malloc: what the event points to; freed with the entry */
    struct mem_port *port; /* the port this entry is part of, else NULL */
    struct queued *prev, *next;
};

struct mem_port {
    uint32_t port;
    bool queued;      /* its entry is in the queue */
    bool masked;      /* delivered and not unmasked yet */
    bool pending;     /* notified while masked */
    uint32_t serial;  /* tells it from an earlier port of the same number */
    uint64_t born_ns; /* its domain knows of it from then on: none of its events is due before */
    struct queued entry;
};

struct mem_watch {
    uint64_t cookie;
    uint64_t token;
    struct hv_tag tag;
    UT_hash_handle hh;       /* by cookie */
    UT_hash_handle by_token; /* which several can have */
};

struct mem_fault {
    bool armed;
    uint32_t after;
    int32_t ret;
};

struct mem_domain {
    struct hv hv; /* first */
    struct hv_mem *machine;
    struct queued *queue;
    struct queued *taken; /* the last completion taken, whose payload is still valid */
    struct mem_area *shares;
    struct mem_area *maps;
    struct mem_port **ports; /* by number; NULL: none */
    uint32_t port_room;
    struct mem_watch *watches;
    struct mem_watch *watches_by_token;
    uint64_t next_cookie;
    uint32_t next_serial;
    struct mem_fault faults[EV_STORE_UNWATCH + 1];
};

struct hv_mem {
    pthread_mutex_t lock; /* around everything here: each handle may have a thread */
    struct hypervisor *tables;
    const struct hv_mem_time *time; /* NULL: everything is due at once */
    int fd;                         /* of the memory file, */
    size_t bytes;
    unsigned char *base;
    struct slots pages;   /* which of its pages are part of a run */
    struct queued *spare; /* through `next`: entries of no queue, to be used again */
    uint32_t domain_count;
    struct mem_domain *domains[HV_MEM_DOMAINS];
};

/* Lock the machine and bring the queues up to date; every op begins with it, */
struct mem_domain *hv_mem_enter(struct hv *hv);

/* and ends with it. */
void hv_mem_leave(struct mem_domain *d);

/* The completion, queued, of a submission that was chosen to fail; NULL if it was not. */
struct ev *hv_mem_injected(struct mem_domain *d, enum ev_kind kind, uint64_t token);

/* Queue a completion, whose particulars the caller fills in; `payload`, from malloc or NULL, is
 * freed after the event was taken. */
struct ev *hv_mem_complete(struct mem_domain *d, enum ev_kind kind, uint64_t token, int ret,
                           void *payload);

/* An op is carried out that concerns so many pages: it takes its time. */
void hv_mem_spend(const struct mem_domain *d, enum ev_kind kind, uint32_t pages);

/* Drop what is queued of a token's watches. */
void hv_mem_drop_store(struct mem_domain *d, uint64_t token);

/* The memory file and its one mapping, its pages all free; false without resources. */
bool hv_mem_memory_open(struct hv_mem *machine, uint32_t pages);
void hv_mem_memory_close(struct hv_mem *machine);

/* The tables' release: a run's pages are free again. */
void hv_mem_release_run(void *self, void *backing);

/* Forget a dying domain's runs, mappings and watches, before the tables do. */
void hv_mem_areas_free(struct mem_domain *d);
void hv_mem_watches_free(struct mem_domain *d);

/* Ops of struct hv_ops. */
void hv_mem_share(struct hv *hv, uint64_t token, uint16_t domid, uint32_t pages);
void hv_mem_unshare(struct hv *hv, uint64_t token, uint32_t handle);
void hv_mem_map(struct hv *hv, uint64_t token, uint16_t domid, const uint32_t *refs,
                uint32_t count);
void hv_mem_unmap(struct hv *hv, uint64_t token, uint32_t handle);
void hv_mem_store_read(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path);
void hv_mem_store_list(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path);
void hv_mem_store_publish(struct hv *hv, uint64_t token, const struct hv_node *nodes,
                          uint32_t count);
void hv_mem_store_watch(struct hv *hv, uint64_t token, const struct hv_tag *tag, const char *path);
void hv_mem_store_unwatch(struct hv *hv, uint64_t token);

#endif
