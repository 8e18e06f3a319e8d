/* A link of the modelled network: scenarios describe it, net_virtual.h lays it. */
#ifndef XENSOCK_SIM_NET_NET_LINK_H
#define XENSOCK_SIM_NET_NET_LINK_H

#include <stdint.h>

/* What lies between two hosts, each way. */
struct net_link {
    uint64_t delay_ns;
    uint64_t jitter_ns;         /* up to so much is added; order is kept */
    uint64_t rate_bytes_per_s;  /* 0: unlimited */
    uint32_t loss_ppm;          /* of segments, and of attempts to connect */
    uint64_t retransmit_ns;     /* what a loss costs; doubled each time the same segment is lost */
    uint64_t connect_ns;        /* of the handshake, beside the delay there and back */
    uint32_t segment_bytes;     /* largest segment, 1.. */
    uint32_t send_buffer_bytes; /* 1.. */
    uint32_t receive_buffer_bytes;
};

#endif
