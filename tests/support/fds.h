/*
 * Descriptors for tests that send them to a hypervisor: memory as it should be and as it should
 * not, and what is no memory; how many this process has open, and how many it may have.
 */
#ifndef XENSOCK_TESTS_SUPPORT_FDS_H
#define XENSOCK_TESTS_SUPPORT_FDS_H

#include <stdint.h>

enum { FDS_TO_SEND = 18 };

struct fds_to_send {
    int fd;
    uint32_t pages; /* of memory that is sealed as it must be; 0: it is not, or no memory */
    uint64_t inode; /* of that */
};

/* What there is to send; the first ones are proper memory. */
extern struct fds_to_send fds_to_send[FDS_TO_SEND];

/* Make them. They stay. */
void fds_make(void);

/* How many descriptors are open. */
uint32_t fds_count(void);

/* Let so many be opened beside those that are open; -1: as many as before. */
void fds_limit(int room);

#endif
