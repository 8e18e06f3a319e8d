/* What every implementation of the hypervisor seam shares: counting. See hv.h. */
#include "sim/hv/hv.h"

static void count(uint64_t *now, uint64_t *peak, int32_t delta)
{
    *now = (uint64_t)((int64_t)*now + delta);
    if (*now > *peak)
        *peak = *now;
}

void hv_count_grants(struct hv *hv, int32_t pages)
{
    *(pages > 0 ? &hv->counters.shares : &hv->counters.unshares) += 1;
    count(&hv->counters.grants_now, &hv->counters.grants_peak, pages);
}

void hv_count_ports(struct hv *hv, int32_t ports)
{
    *(ports > 0 ? &hv->counters.ports_opened : &hv->counters.ports_closed) += 1;
    count(&hv->counters.ports_now, &hv->counters.ports_peak, ports);
}

void hv_count_mapped(struct hv *hv, int32_t pages)
{
    uint64_t ignored = 0;

    *(pages > 0 ? &hv->counters.maps : &hv->counters.unmaps) += 1;
    count(&hv->counters.mapped_pages_now, &ignored, pages);
}
