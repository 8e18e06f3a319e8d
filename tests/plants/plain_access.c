/*
 * A planted defect: shared memory read past the door of ringlib/shared.h.
 *
 * One thread publishes through shared.h, another reads the same word with a plain load. Built with
 * -fsanitize=thread in every preset; race.sh passes only if ThreadSanitizer reports the race. With
 * the argument "door" the reader uses the door too, and no race may be reported: so it is the plain
 * access that is found, and not something else.
 */
#include "ringlib/shared.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

enum { ROUNDS = 1000 };

static alignas(SHARED_PAGE_BYTES) unsigned char page[SHARED_PAGE_BYTES];
static const struct shared_area area = {.base = (struct shared_memory *)page, .pages = 1};
static bool through_the_door;
static uint32_t seen; /* keeps the loads alive; main reads it after the join */

static void *publish(void *unused)
{
    for (uint32_t i = 1; i <= ROUNDS; i++)
        shared_store(&area, 0, i);
    return unused;
}

static void *look(void *unused)
{
    const uint32_t *word = (const uint32_t *)(const void *)page;

    for (uint32_t i = 0; i < ROUNDS; i++)
        seen += through_the_door ? shared_load(&area, 0) : word[0];
    return unused;
}

int main(int argc, char **argv)
{
    pthread_t writer, reader;

    through_the_door = argc > 1 && strcmp(argv[1], "door") == 0;
    if (pthread_create(&writer, NULL, publish, NULL) != 0 ||
        pthread_create(&reader, NULL, look, NULL) != 0)
        return 1;
    if (pthread_join(writer, NULL) != 0 || pthread_join(reader, NULL) != 0)
        return 1;
    return seen > UINT32_MAX - 1;
}
