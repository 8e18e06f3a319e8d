/*
 * The FAULT that is nobody else's: an operation of a domain itself was refused, since it has used
 * up a quota, say. What the other side breaks is peer_fault.h's.
 */
#ifndef XENSOCK_SIM_RUN_FAULT_WORDS_H
#define XENSOCK_SIM_RUN_FAULT_WORDS_H

#include "ringlib/step.h"

#define FAULT_WORDS_CODE "E0608"

enum { FAULT_WORDS_BYTES = 320 };

/* What `domid` tells of its device whose other end is `other`, named for people; false if the fault
 * is the other's. */
bool fault_words(char text[FAULT_WORDS_BYTES], const struct act_fault *fault, uint16_t domid,
                 const char *other);

#endif
