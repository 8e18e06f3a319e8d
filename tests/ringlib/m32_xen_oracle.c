/* Our rings against Xen's headers in a 32-bit build: see xen_oracle.h. */
#ifdef XENSOCK_XEN_HEADERS

#include "tests/ringlib/xen_oracle_numbers.h"

int main(void)
{
    _Static_assert(sizeof(void *) == 4, "built with -m32");

    oracle_numbers();
    oracle_layouts();
    oracle_states();
    oracle_command_rings(0, 100000);
    oracle_command_rings(0xffffff00u, 100000);
    for (uint32_t order = 1; order <= 9; order++)
        for (uint32_t which = 0; which < 4; which++)
            oracle_data_ring(order, which & 1, which >> 1);
    return 0;
}

#else

int main(void)
{
    return 77; /* libxen-dev is missing */
}

#endif
