/* The domains of a scenario. See scenario_domains.h. */
#include "sim/run/scenario_domains.h"

#include <stdio.h>
#include <string.h>

static uint32_t count_role(const struct scenario *scenario, uint32_t hosts, enum scenario_role role)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < hosts; i++)
        count += scenario->hosts[i].role == role ? scenario->hosts[i].count : 0;
    return count;
}

uint32_t scenario_backend_count(const struct scenario *scenario)
{
    return count_role(scenario, scenario->host_count, SCENARIO_BACKEND);
}

uint32_t scenario_guest_count(const struct scenario *scenario)
{
    return count_role(scenario, scenario->host_count, SCENARIO_FRONTEND);
}

/* The `index`-th domain of a host. */
static void describe(const struct scenario *scenario, uint32_t host_index, uint32_t index,
                     struct scenario_domain *domain)
{
    const struct scenario_host *host = &scenario->hosts[host_index];
    uint32_t number = count_role(scenario, host_index, host->role) + index;
    uint32_t backends = scenario_backend_count(scenario);
    bool guest = host->role == SCENARIO_FRONTEND;

    *domain = (struct scenario_domain){.domid = (uint16_t)(guest ? backends + number : number),
                                       .host = host_index,
                                       .role = host->role,
                                       .number = number};
    domain->backend =
        guest ? (uint16_t)count_role(scenario, host->backend, SCENARIO_BACKEND) : domain->domid;
    snprintf(domain->name, sizeof(domain->name), host->count > 1 ? "%s.%u" : "%s", host->name,
             index);
}

bool scenario_domain(const struct scenario *scenario, uint32_t domid,
                     struct scenario_domain *domain)
{
    uint32_t backends = scenario_backend_count(scenario);
    enum scenario_role role = domid < backends ? SCENARIO_BACKEND : SCENARIO_FRONTEND;
    uint32_t left = role == SCENARIO_BACKEND ? domid : domid - backends;

    for (uint32_t i = 0; i < scenario->host_count; i++) {
        const struct scenario_host *host = &scenario->hosts[i];
        if (host->role != role)
            continue;
        if (left < host->count) {
            describe(scenario, i, left, domain);
            return true;
        }
        left -= host->count;
    }
    return false;
}

bool scenario_domain_find(const struct scenario *scenario, const char *name,
                          struct scenario_domain *domain)
{
    uint32_t count = scenario_backend_count(scenario) + scenario_guest_count(scenario);

    for (uint32_t i = 0; i < count; i++)
        if (scenario_domain(scenario, i, domain) && strcmp(domain->name, name) == 0)
            return true;
    return false;
}
