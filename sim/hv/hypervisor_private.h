/*
 * The hypervisor's tables as its own files see them: hypervisor.c (domains, channels, devices) and
 * hypervisor_grants.c (runs and mappings). Nobody else includes this.
 */
#ifndef XENSOCK_SIM_HV_HYPERVISOR_PRIVATE_H
#define XENSOCK_SIM_HV_HYPERVISOR_PRIVATE_H

#include "sim/hv/hypervisor.h"
#include "sim/hv/slots.h"

#include <uthash.h>

enum { HYPERVISOR_DOMAINS = UINT16_MAX + 1 };

struct channel;
struct device;
struct mapping;
struct run;

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

struct hypervisor {
    struct hypervisor_config config;
    struct store *store;
    struct device *devices;
    uint32_t domains_end; /* above the largest domid there ever was */
    struct domain *domains[HYPERVISOR_DOMAINS];
};

/* A domain's part of the grant table: empty, and emptied at its death. */
void hypervisor_grants_init(struct hypervisor *hv, struct domain *domain);
void hypervisor_grants_fini(struct hypervisor *hv, struct domain *domain);

#endif
