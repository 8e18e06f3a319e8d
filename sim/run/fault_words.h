/*
 * A core's FAULT in words, with the code it is told under: E0502 where the other side broke the
 * protocol, E0608 where an operation of the domain itself was refused, which nobody else is to
 * blame for.
 */
#ifndef XENSOCK_SIM_RUN_FAULT_WORDS_H
#define XENSOCK_SIM_RUN_FAULT_WORDS_H

#include "ringlib/step.h"

struct fault_words {
    const char *code;
    char text[320];
};

/* What `domid` tells of its device whose other end is `other`, named for people. */
void fault_words(struct fault_words *words, const struct act_fault *fault, uint16_t domid,
                 const char *other);

#endif
