/*
 * Requests of a domain to its hypervisor, made from a supply of choices: of the right form, and
 * often for something that exists (hv_reference.h), be it the domain's or another's.
 */
#ifndef XENSOCK_TESTS_SUPPORT_HV_MESSAGES_H
#define XENSOCK_TESTS_SUPPORT_HV_MESSAGES_H

#include "sim/hv/emu_wire.h"
#include "tests/fuzz/fuzz.h"

/* Make the request whose head is there, all else of it zero, and return its length; that of a HELLO
 * for what is no request. `*memory_at` becomes the index in fds_to_send of what a SHARE shares. */
uint32_t hv_messages_make(struct fuzz_input *input, union emu_body *body, uint32_t *memory_at);

#endif
