/*
 * That a core called its peer broken: in words, and noted in the errors of a run, of which there
 * are few however often it happens. The same in every mode.
 *
 * An error here is {"code": "E0502", "message", "times", "after"}; verdict.c has it worded. Faults
 * that are a domain's own (fault_words.h) are noted alike, by their code.
 */
#ifndef XENSOCK_SIM_RUN_PEER_FAULT_H
#define XENSOCK_SIM_RUN_PEER_FAULT_H

#include "ringlib/dialect.h"
#include "ringlib/step.h"

#include <jansson.h>

#define PEER_FAULT_CODE "E0502"

enum {
    PEER_FAULT_MAX = 8, /* of different words that are kept; the others are counted */
    PEER_FAULT_BYTES = 128,
};

/* What `fault` says; a store node by its name. */
void peer_fault_text(char text[PEER_FAULT_BYTES], const struct act_fault *fault,
                     const struct dialect *dialect);

/* Add it to `errors`: of a code the same message once, with how often, and what had happened before
 * the first of them (`after`, may be empty). */
void peer_fault_note(json_t *errors, const char *code, const char *message, const char *after);

/* What the result says of a noted one; the caller's. */
json_t *peer_fault_words(const json_t *error);

#endif
