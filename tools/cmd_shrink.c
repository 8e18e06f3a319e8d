/*
 * xensock shrink: the fewest events of a swarm's plan that still break the same rule.
 *
 * Delta debugging: leaves out ever smaller parts while the failure stays, then single events until
 * none can go; so the result is minimal in the sense that each of its events is needed.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "tools/cmd.h"
#include "tools/swarm_common.h"
#include "tools/swarm_jobs.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char help[] =
    "usage: xensock shrink [OPTION]... --seed N FILE\n"
    "\n"
    "Reduces the plan of a seed of which `xensock swarm` says that it fails to the fewest events\n"
    "that fail in the same way, prints them and the command that runs them.\n"
    "\n"
    "  --seed N           which seed\n"
    "  --set PATH=VALUE   change a value of the scenario; may be given often\n"
    "\n"
    "  xensock shrink --seed 17 scenarios/quickstart.yaml\n";

struct shrink {
    struct swarm_input input;
    uint64_t seed;
    bool seeded;
    struct swarm_plan plan;
    struct swarm_outcome outcome; /* of the smallest that fails */
    bool keep[SWARM_OPS_MAX];
    uint32_t runs;
};

static uint32_t kept(const struct shrink *shrink)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < shrink->plan.op_count; i++)
        count += shrink->keep[i] ? 1u : 0u;
    return count;
}

static bool run(struct shrink *shrink, const bool *keep, struct swarm_outcome *outcome)
{
    shrink->runs++;
    return swarm_jobs_one(&(struct swarm_config){.scenario = &shrink->input.scenario,
                                                 .costs = &shrink->input.model.costs,
                                                 .seed = shrink->seed,
                                                 .plan = &shrink->plan,
                                                 .keep = keep},
                          outcome);
}

/* Try without the kept events number `from` to `to` - 1, counted among the kept ones; true if it
 * still fails in the same way. */
static bool try_without(struct shrink *shrink, uint32_t from, uint32_t to)
{
    static struct swarm_outcome outcome;
    bool keep[SWARM_OPS_MAX];
    uint32_t number = 0;

    memcpy(keep, shrink->keep, sizeof(keep));
    for (uint32_t i = 0; i < shrink->plan.op_count; i++) {
        if (!keep[i])
            continue;
        keep[i] = number < from || number >= to;
        number++;
    }
    if (!run(shrink, keep, &outcome) || !outcome.failed ||
        strcmp(outcome.what, shrink->outcome.what) != 0)
        return false;
    memcpy(shrink->keep, keep, sizeof(keep));
    shrink->outcome = outcome;
    return true;
}

/* One pass with parts of so many events; true if any could go. */
static bool pass(struct shrink *shrink, uint32_t size)
{
    bool any = false;

    for (uint32_t from = 0; from < kept(shrink);) {
        if (try_without(shrink, from, from + size))
            any = true;
        else
            from += size;
    }
    return any;
}

static void reduce(struct shrink *shrink)
{
    for (uint32_t size = (kept(shrink) + 1) / 2; size > 1; size = (size + 1) / 2)
        pass(shrink, size);
    while (pass(shrink, 1))
        continue;
}

static int shrink_seed(struct shrink *shrink)
{
    char list[SWARM_LIST_BYTES];

    swarm_plan_make(&shrink->plan, &shrink->input.scenario, shrink->seed);
    memset(shrink->keep, true, sizeof(shrink->keep));
    if (!run(shrink, shrink->keep, &shrink->outcome)) {
        fprintf(stderr, "xensock shrink: error[E0606]: cannot start a process\n");
        return CMD_UNSUPPORTED;
    }
    if (!shrink->outcome.failed) {
        printf("seed %llu does not fail: there is nothing to reduce\n",
               (unsigned long long)shrink->seed);
        return CMD_FAILED;
    }
    reduce(shrink);
    printf("%u of %u events, after %u runs:\n", kept(shrink), shrink->plan.op_count, shrink->runs);
    swarm_print_plan(&shrink->plan, shrink->keep);
    swarm_list_text(shrink->keep, shrink->plan.op_count, list);
    swarm_print_failure(&shrink->input, shrink->seed, list, &shrink->outcome);
    return CMD_OK;
}

int cmd_shrink(int argc, char **argv)
{
    static const struct option long_options[] = {{"seed", required_argument, NULL, 'e'},
                                                 {"set", required_argument, NULL, 's'},
                                                 {"help", no_argument, NULL, 'h'},
                                                 {NULL, 0, NULL, 0}};
    static struct shrink shrink;
    int option;

    swarm_exec_hooked(argc, argv);
    while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == 'e' && cmd_number("--seed", optarg, INT64_MAX, &shrink.seed))
            shrink.seeded = true;
        else if (option != 's' || !cmd_set(&shrink.input.sets, optarg))
            return CMD_USAGE;
    }
    if (optind != argc - 1 || !shrink.seeded)
        return cmd_usage(help);
    if (!swarm_load(&shrink.input, argv[optind]))
        return CMD_SCENARIO;
    return shrink_seed(&shrink);
}
