/*
 * Which domains a scenario is made of: their numbers, names and backends.
 *
 * Backends have the domids 0 to B - 1 in the order of the file, guests those from B on, host by
 * host. A host that stands for several guests has their number behind its name: "web.1". In every
 * mode the same; nothing is started here.
 */
#ifndef XENSOCK_SIM_RUN_SCENARIO_DOMAINS_H
#define XENSOCK_SIM_RUN_SCENARIO_DOMAINS_H

#include "sim/run/scenario.h"

enum { SCENARIO_DOMAIN_NAME_BYTES = SCENARIO_NAME_BYTES + 8 };

struct scenario_domain {
    uint16_t domid;
    uint32_t host; /* of the scenario's */
    enum scenario_role role;
    uint32_t number;  /* among all backends, or among all guests, from 0 */
    uint16_t backend; /* the domid of a guest's backend; a backend's own */
    char name[SCENARIO_DOMAIN_NAME_BYTES];
};

/* How many there are: at least one of each. */
uint32_t scenario_backend_count(const struct scenario *scenario);
uint32_t scenario_guest_count(const struct scenario *scenario);

/* The domain of a number; false if there is none. */
bool scenario_domain(const struct scenario *scenario, uint32_t domid,
                     struct scenario_domain *domain);

/* The domain of a name; false if there is none. */
bool scenario_domain_find(const struct scenario *scenario, const char *name,
                          struct scenario_domain *domain);

#endif
