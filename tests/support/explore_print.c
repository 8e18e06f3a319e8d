/* The explorer's schedules, for people. See explore.h. */
#include "tests/support/explore_private.h"

#ifdef XENSOCK_HOOKED
#include <stdio.h>

enum { PRINTED = 100 }; /* of a long schedule: its first and its last steps */

static void print_place(const struct step *step)
{
    if (step->place)
        fprintf(stderr, "%s", step->place->name);
    if (!step->place || step->place->writer == EXPLORE_NOBODY)
        fprintf(stderr, " bytes %u..%u", step->offset, step->offset + step->bytes - 1);
}

static void print_step(uint32_t number, const struct step *step)
{
    const char *access = step->access == SHARED_READ ? "read" : "write";

    fprintf(stderr, "%5u  %-8s", number, engine.what->side_names[step->side]);
    switch (step->kind) {
    case STEP_WORD: fprintf(stderr, "%ss ", access); break;
    case STEP_BEGIN: fprintf(stderr, "begins to %s ", access); break;
    case STEP_END: fprintf(stderr, "ends to %s ", access); break;
    case STEP_POINT: fprintf(stderr, "%s", step->what); break;
    case STEP_CHOICE:
        fprintf(stderr, "%s: %u of %u", step->what, step->value, step->choices);
        break;
    case STEP_WAIT: fprintf(stderr, "wakes up"); break;
    case STEP_RETURN: fprintf(stderr, "begins"); break;
    }
    if (step->kind <= STEP_END)
        print_place(step);
    if (step->kind == STEP_WORD && step->access == SHARED_READ)
        fprintf(stderr, " = 0x%x", step->value);
    fputc('\n', stderr);
}

void explore_print(const struct step *steps, uint32_t count, const char *why)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i < PRINTED || i + PRINTED >= count)
            print_step(i + 1, &steps[i]);
        else if (i == PRINTED)
            fprintf(stderr, "       ...\n");
    }
    fprintf(stderr, "       %s\n", why);
}
#endif
