/* What the commands of the swarm share. See swarm_common.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/swarm_common.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

void swarm_exec_hooked(int argc, char **argv)
{
    char program[4096];
    size_t bytes = sizeof(program) - sizeof("-hooked");

    if (swarm_hooked() || uv_exepath(program, &bytes) < 0)
        return;
    memcpy(program + bytes, "-hooked", sizeof("-hooked"));
    if (access(program, X_OK) != 0)
        return;
    char **args = calloc((size_t)argc + 2, sizeof(*args));
    if (!args)
        return;
    args[0] = program;
    memcpy(args + 1, argv, (size_t)argc * sizeof(*args));
    args[1] = strrchr(argv[0], ' ') ? strrchr(argv[0], ' ') + 1 : argv[0]; /* "xensock swarm" */
    execv(program, args);
    free(args); /* it goes on without */
}

bool swarm_load(struct swarm_input *input, const char *file)
{
    static struct diag_list diags;

    input->file = file;
    diag_init(&diags);
    bool loaded =
        scenario_load(&input->scenario, file, input->sets.list, input->sets.count, &diags) == 0 &&
        model_load(&input->model, input->scenario.cost_model, file, &diags) == 0;
    diag_print(&diags, stderr, isatty(2) && !getenv("NO_COLOR"));
    diag_fini(&diags);
    return loaded;
}

bool swarm_parse_list(const char *text, uint32_t count, bool *keep)
{
    const char *at = text;

    memset(keep, 0, SWARM_OPS_MAX * sizeof(*keep));
    if (strcmp(text, "none") == 0)
        return true;
    for (;;) {
        char *end;
        unsigned long first = strtoul(at, &end, 10), last = first;
        bool number = at[0] >= '0' && at[0] <= '9';
        if (number && *end == '-' && end[1] >= '0' && end[1] <= '9')
            last = strtoul(end + 1, &end, 10);
        if (!number || first > last || last >= count || (*end != ',' && *end != '\0')) {
            fprintf(stderr,
                    "xensock: error: --only takes numbers of events, 0 to %" PRIu32
                    ", as \"3,5-9\", not '%s'\n",
                    count - 1, text);
            return false;
        }
        for (unsigned long i = first; i <= last; i++)
            keep[i] = true;
        if (*end == '\0')
            return true;
        at = end + 1;
    }
}

void swarm_list_text(const bool *keep, uint32_t count, char text[SWARM_LIST_BYTES])
{
    size_t used = 0;

    snprintf(text, SWARM_LIST_BYTES, "none");
    for (uint32_t i = 0; i < count; i++) {
        uint32_t first = i;
        if (!keep[i])
            continue;
        while (i + 1 < count && keep[i + 1])
            i++;
        used += (size_t)snprintf(text + used, SWARM_LIST_BYTES - used, "%s%" PRIu32,
                                 used > 0 ? "," : "", first);
        if (i > first)
            used += (size_t)snprintf(text + used, SWARM_LIST_BYTES - used, "-%" PRIu32, i);
    }
}

void swarm_print_plan(const struct swarm_plan *plan, const bool *keep)
{
    static const char *const costs[] = {"the model's", "none", "none for sockets"};
    char text[160];

    printf("order %" PRIu32 ", costs: %s, %" PRIu32 " guests of %" PRIu32
           " sockets, one access in %" PRIu32 " interleaved, quiet from %" PRIu64 " ns\n",
           plan->order, costs[plan->costs], plan->guests, plan->sockets, plan->every,
           plan->rest_ns);
    printf("network: delay %" PRIu64 " ns, rate %" PRIu64 " B/s, loss %" PRIu32
           " ppm, segments of %" PRIu32 " B, buffers of %" PRIu32 " B\n",
           plan->delay_ns, plan->rate_bytes_per_s, plan->loss_ppm, plan->segment_bytes,
           plan->buffer_bytes);
    for (uint32_t i = 0; i < plan->op_count; i++) {
        if (keep && !keep[i])
            continue;
        swarm_op_text(&plan->ops[i], text, sizeof(text));
        printf("%4" PRIu32 "  %s\n", i, text);
    }
}

static void print_sets(const struct swarm_input *input)
{
    for (uint32_t i = 0; i < input->sets.count; i++)
        printf(" --set '%s'", input->sets.list[i]);
}

void swarm_print_failure(const struct swarm_input *input, uint64_t seed, const char *only,
                         const struct swarm_outcome *outcome)
{
    printf("seed %" PRIu64 ": %s at virtual %" PRIu64 ".%09" PRIu64 " s\n   %s\n", seed,
           outcome->what, outcome->virtual_ns / 1000000000, outcome->virtual_ns % 1000000000,
           outcome->text);
    printf("   reproduce: xensock swarm --seeds %" PRIu64 "..%" PRIu64, seed, seed);
    if (only)
        printf(" --only %s", only);
    print_sets(input);
    printf(" %s\n", input->file);
    if (!only) {
        printf("   reduce:    xensock shrink --seed %" PRIu64, seed);
        print_sets(input);
        printf(" %s\n", input->file);
    }
    if (outcome->trace[0])
        printf("trace %s\n", outcome->trace);
}

bool swarm_can_write(const char *path)
{
    FILE *file = fopen(path, "ab");

    if (!file) {
        fprintf(stderr, "xensock: error[E0704]: cannot write the trace %s: %s\n", path,
                strerror(errno));
        return false;
    }
    fclose(file);
    return true;
}
