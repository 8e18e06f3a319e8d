/* xensock plan: the runs of a study, and which shard makes which. */
#include "sim/run/grid.h"
#include "sim/run/study_result.h"
#include "tools/cmd.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "usage: xensock plan [OPTION]... FILE\n"
    "\n"
    "Lists the points of the scenario FILE and how often each is run. Nothing is run.\n"
    "\n"
    "  --set PATH=VALUE   change a value of the scenario; may be given often\n"
    "  --shards N         say also which of N shards makes which runs\n"
    "  --json             print it as JSON\n"
    "\n"
    "  xensock plan scenarios/ring-sizes.yaml\n"
    "  xensock plan --shards 4 --json scenarios/ring-sizes.yaml\n";

/* The runs of a shard: [[point, repeat], ...]. */
static json_t *shard_json(const struct study *study, uint32_t shard, uint32_t shards)
{
    uint32_t all = study->point_count * study->repeat_count, repeats = study->repeat_count;
    json_t *runs = json_array();

    for (uint32_t run = shard - 1; run < all; run += shards) /* as study_part_has has it */
        json_array_append_new(runs,
                              json_pack("[i, i]", (int)(run / repeats), (int)(run % repeats)));
    return runs;
}

/* How long a run measures at least, in its own time; 0 where workloads end by what they do. */
static uint64_t duration_ns(const struct scenario *scenario)
{
    bool bounded = true;

    for (uint32_t i = 0; i < scenario->host_count; i++)
        bounded &= scenario->hosts[i].role != SCENARIO_FRONTEND || scenario_bounds(scenario, i);
    return bounded ? 0 : scenario->warmup_ns + scenario->duration_ns;
}

/* Of all runs together, and of one: 0 if they are not all as long. */
static uint64_t durations_ns(struct study *study, uint64_t *run_ns)
{
    static struct scenario scenario;
    uint64_t sum_ns = 0;

    *run_ns = duration_ns(&study->first);
    for (uint32_t point = 0; point < study->point_count; point++) {
        study_scenario(study, point, 0, &scenario);
        uint64_t one_ns = duration_ns(&scenario);
        if (one_ns != *run_ns)
            *run_ns = 0;
        sum_ns += one_ns; /* 10000 days fit */
    }
    return sum_ns > UINT64_MAX / study->repeat_count ? UINT64_MAX : sum_ns * study->repeat_count;
}

static void print_json(struct study *study, uint32_t shards)
{
    uint64_t run_ns, all_ns = durations_ns(study, &run_ns);
    json_t *points = json_array(), *of_shards = json_array();
    json_t *plan;

    for (uint32_t point = 0; point < study->point_count; point++)
        json_array_append_new(points, study_point_json(study, point));
    for (uint32_t i = 1; i <= shards; i++)
        json_array_append_new(of_shards, shard_json(study, i, shards));
    plan = json_pack(
        "{s:s, s:s, s:s, s:i, s:i, s:I, s:I, s:o}", "schema", "xensock/plan/1", "name",
        study->first.name, "mode", study->first.mode == SCENARIO_VIRTUAL ? "virtual" : "emulated",
        "repeats", (int)study->repeat_count, "runs",
        (int)(study->point_count * study->repeat_count), "run_ns", (json_int_t)run_ns, "all_ns",
        (json_int_t)(all_ns < INT64_MAX ? all_ns : INT64_MAX), "points", points);
    if (shards > 0)
        json_object_set(plan, "shards", of_shards);
    json_decref(of_shards);
    json_dumpf(plan, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(plan);
}

/* "3 points" */
static struct units_text counted(uint32_t count, const char *noun)
{
    struct units_text out;

    snprintf(out.text, sizeof(out.text), "%" PRIu32 " %s%s", count, noun, count == 1 ? "" : "s");
    return out;
}

static void print_text(struct study *study, uint32_t shards)
{
    json_t *grid = json_array(), *row = grid_row(grid, "point");
    uint32_t runs = study->point_count * study->repeat_count;
    uint64_t run_ns, all_ns = durations_ns(study, &run_ns);
    char text[24];

    for (uint32_t i = 0; i < study->axis_count; i++)
        grid_text(row, study->axes[i].name);
    for (uint32_t point = 0; point < study->point_count; point++) {
        snprintf(text, sizeof(text), "%" PRIu32, point);
        row = grid_row(grid, text);
        for (uint32_t i = 0; i < study->axis_count; i++)
            grid_text(row, study_text(study, i, study_value(study, point, i)));
    }
    if (study->axis_count > 0)
        grid_print(stdout, grid);
    else
        json_decref(grid);
    printf("%s x %s = %s", counted(study->point_count, "point").text,
           counted(study->repeat_count, "repeat").text, counted(runs, "run").text);
    if (run_ns > 0 && runs > 1)
        printf(", %s each", units_format_duration(run_ns).text);
    if (all_ns > 0)
        printf(", %s of %s time", units_format_latency(all_ns).text,
               study->first.mode == SCENARIO_VIRTUAL ? "virtual" : "real");
    putchar('\n');
    for (uint32_t i = 1; i <= shards; i++)
        printf("--shard %" PRIu32 "/%" PRIu32 ": %s\n", i, shards,
               counted(runs / shards + (i - 1 < runs % shards), "run").text);
}

int cmd_plan(int argc, char **argv)
{
    static const struct option options[] = {{"set", required_argument, NULL, 's'},
                                            {"shards", required_argument, NULL, 'n'},
                                            {"json", no_argument, NULL, 'j'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    static struct study study;
    static struct diag_list diags;
    static struct cmd_sets sets;
    uint64_t shards = 0;
    bool json = false;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h')
            return cmd_help(help);
        if (option == '?' || (option == 's' && !cmd_set(&sets, optarg)) ||
            (option == 'n' && !cmd_count("--shards", optarg, STUDY_POINTS_MAX, &shards)))
            return CMD_USAGE;
        json |= option == 'j';
    }
    if (optind != argc - 1)
        return cmd_usage(help);
    diag_init(&diags);
    if (study_load(&study, argv[optind], sets.list, sets.count, &diags) < 0) {
        diag_print(&diags, stderr, isatty(2) && !getenv("NO_COLOR"));
        diag_fini(&diags);
        return CMD_SCENARIO;
    }
    if (json)
        print_json(&study, (uint32_t)shards);
    else
        print_text(&study, (uint32_t)shards);
    study_fini(&study);
    diag_fini(&diags);
    return CMD_OK;
}
