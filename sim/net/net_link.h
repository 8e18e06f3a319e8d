/* A link of the modelled network: scenarios describe it, net_virtual.h lays it. */
#ifndef XENSOCK_SIM_NET_NET_LINK_H
#define XENSOCK_SIM_NET_NET_LINK_H

#include <stdint.h>

/* What lies between two hosts, each way; all their connections share it. Times are at most 2^44 ns,
 * the rate 2^48. */
struct net_link {
    uint64_t delay_ns;
    uint64_t jitter_ns;         /* up to so much is added; order is kept */
    uint64_t rate_bytes_per_s;  /* 0: unlimited */
    uint32_t loss_ppm;          /* of segments, and of attempts to connect; 0..1,000,000 */
    uint64_t retransmit_ns;     /* what a loss costs; doubled each time the same segment is lost,
                                   which is at most 15 times */
    uint64_t connect_ns;        /* of the handshake, beside the delay there and back */
    uint32_t segment_bytes;     /* largest segment, 1..2^30 */
    uint32_t send_buffer_bytes; /* 1..2^30, and so is the other: */
    uint32_t receive_buffer_bytes;
};

#endif
