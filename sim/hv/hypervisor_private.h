/*
 * The hypervisor's tables as its own files see them: hypervisor.c (domains, channels, devices),
 * hypervisor_grants.c (runs and mappings), hypervisor_look.c (reads all of it). Nobody else
 * includes this.
 */
#ifndef XENSOCK_SIM_HV_HYPERVISOR_PRIVATE_H
#define XENSOCK_SIM_HV_HYPERVISOR_PRIVATE_H

#include "sim/hv/hypervisor.h"
#include "sim/hv/slots.h"

#include <uthash.h>

enum { HYPERVISOR_DOMAINS = UINT16_MAX + 1 };

struct device;

/* Pages granted as one. */
struct run {
    struct domain *owner; /* NULL: died */
    void *backing;
    uint32_t pages;
    uint32_t holds; /* pieces of mappings that lie in it */
    uint16_t owner_domid;
    uint16_t peer;
    bool ended;
    uint32_t refs[];
};

/* One map, of refs of one owner. */
struct mapping {
    uint32_t handle; /* later ones have larger ones, and stand behind in `maps` */
    uint32_t pages;
    uint32_t piece_count;
    UT_hash_handle hh;
    struct run *runs[]; /* of each piece */
};

/* One end. It is offered to `remote` while the other end is closed, whoever closed it. */
struct channel_end {
    struct domain *domain; /* NULL: closed, or not bound yet */
    uint32_t port;         /* the last it had; 0: never bound */
    uint16_t remote;
};

struct channel {
    void *backing;
    struct channel_end ends[2];
};

/* What a ref stands for: a page of a run. */
struct grant {
    struct run *run;
    uint32_t page;
};

/* What a port stands for: an end (0 or 1) of a channel. */
struct port {
    struct channel *channel;
    uint32_t end;
};

struct domain {
    uint16_t domid;
    struct store_client *client;
    struct slots refs;    /* quarantined ones are taken too */
    struct grant *grants; /* by ref, */
    uint32_t grant_room;  /* so many */
    uint32_t quarantined; /* refs of ended runs that are still mapped */
    struct mapping *maps; /* by handle */
    uint32_t next_map;
    struct slots ports;
    struct port *port_table; /* by port, */
    uint32_t port_room;      /* so many */
};

/* What is known of a domid, whether or not there is such a domain now. */
struct history {
    bool expected; /* hypervisor_domain_expect */
    struct hypervisor_limits limits;
    uint32_t lives;      /* how often it was added */
    uint32_t held_pages; /* of its runs that outlived it, by the peers' mappings of them */
};

struct hypervisor {
    struct hypervisor_config config;
    struct store *store;
    struct device *devices;
    uint32_t domains_end; /* above the largest domid there ever was, or is expected */
    struct domain *domains[HYPERVISOR_DOMAINS];
    struct history *history; /* by domid, */
    uint32_t history_room;   /* so many */
};

/* A domain's part of the grant table: empty, and emptied at its death. */
void hypervisor_grants_init(struct domain *domain, uint32_t grants_max);
void hypervisor_grants_fini(struct hypervisor *hv, struct domain *domain);

#endif
