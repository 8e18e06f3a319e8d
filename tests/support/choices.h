/*
 * What a guest that is made of bytes writes where it may write anything: addresses, values of store
 * nodes. Half of each is what an honest one would.
 */
#ifndef XENSOCK_TESTS_SUPPORT_CHOICES_H
#define XENSOCK_TESTS_SUPPORT_CHOICES_H

#include "tests/support/seams.h"

/* Half of the addresses are allowed; the others are next to it, or where guests like to go. */
void choices_address(uint8_t choice, struct call_addr *addr);

/* A number, with or without what makes it none; `value` has STEP_VALUE_BYTES. */
void choices_value(struct fuzz_input *input, char *value);

#endif
