/* Stages as histograms. See stages_hist.h. */
#include "sim/run/stages_hist.h"

#include "ringlib/err.h"
#include "sim/run/record.h"

#include <assert.h>
#include <stdlib.h>

/* All of a path stands behind its stages. */
enum { WHOLE = STAGES_MARKS_MAX - 1, PARTS };

struct part {
    struct metrics_hist *hist; /* NULL: nothing yet */
    uint64_t sum_ns;
};

struct stages_hist {
    struct stages_window window;
    struct part paths[STAGES_COMMAND][PARTS];
    struct part commands[CALL_KINDS + 1][PARTS];
};

struct stages_hist *stages_hist_create(const struct stages_window *window)
{
    struct stages_hist *hist = calloc(1, sizeof(*hist));

    assert(hist);
    hist->window = *window;
    return hist;
}

void stages_hist_destroy(struct stages_hist *hist)
{
    for (uint32_t part = 0; part < PARTS; part++) {
        for (uint32_t kind = 0; kind < STAGES_COMMAND; kind++)
            metrics_hist_destroy(hist->paths[kind][part].hist);
        for (uint32_t kind = 0; kind <= CALL_KINDS; kind++)
            metrics_hist_destroy(hist->commands[kind][part].hist);
    }
    free(hist);
}

static void add(struct part *part, uint64_t value_ns)
{
    if (!part->hist)
        part->hist = metrics_hist_create(METRICS_HIST_HIGHEST_NS);
    assert(part->hist);
    metrics_hist_record(part->hist, value_ns);
    part->sum_ns += value_ns;
}

void stages_hist_add(void *self, const struct stages_path *path)
{
    struct stages_hist *hist = self;
    struct part *parts =
        path->kind == STAGES_COMMAND ? hist->commands[path->command] : hist->paths[path->kind];
    uint64_t end_ns = path->at_ns[path->marks - 1];

    if (end_ns < hist->window.from_ns || end_ns >= hist->window.to_ns)
        return;
    for (uint32_t i = 0; i + 1 < path->marks; i++)
        add(&parts[i], path->at_ns[i + 1] - path->at_ns[i]);
    add(&parts[WHOLE], end_ns - path->at_ns[0]);
}

static const struct part *part_of(const struct stages_hist *hist, enum stages_kind kind,
                                  enum call_kind command, uint32_t stage)
{
    const struct part *parts = kind == STAGES_COMMAND ? hist->commands[command] : hist->paths[kind];

    return &parts[stage == UINT32_MAX ? WHOLE : stage];
}

const struct metrics_hist *stages_hist_of(const struct stages_hist *hist, enum stages_kind kind,
                                          enum call_kind command, uint32_t stage, uint64_t *sum_ns)
{
    const struct part *part = part_of(hist, kind, command, stage);

    *sum_ns = part->sum_ns;
    return part->hist;
}

/* One metric, if there is anything of it; 0 or -ERR_NOMEM. */
static int set(json_t *metrics, const char *name, const struct part *part)
{
    char key[STAGES_NAME_BYTES + 8];

    if (!part->hist)
        return 0;
    json_t *metric = record_hist(part->hist);
    snprintf(key, sizeof(key), "stage.%s", name);
    json_object_set_new(metric, "sum", json_integer((json_int_t)part->sum_ns));
    return json_object_set_new(metrics, key, metric) == 0 ? 0 : -ERR_NOMEM;
}

/* All of a kind of path first, then its stages in order, unless it has one only. */
static int set_path(const struct stages_hist *hist, json_t *metrics, enum stages_kind kind,
                    enum call_kind command)
{
    char name[STAGES_NAME_BYTES];
    int ret;

    stages_name(kind, command, UINT32_MAX, name);
    ret = set(metrics, name, part_of(hist, kind, command, UINT32_MAX));
    for (uint32_t i = 0; ret == 0 && i < stages_count(kind) && stages_stage_name(kind, i); i++) {
        stages_name(kind, command, i, name);
        ret = set(metrics, name, part_of(hist, kind, command, i));
    }
    return ret;
}

int stages_hist_metrics(const struct stages_hist *hist, json_t *metrics)
{
    int ret = 0;

    for (uint32_t kind = 0; ret == 0 && kind < STAGES_COMMAND; kind++)
        ret = set_path(hist, metrics, (enum stages_kind)kind, CALL_KINDS);
    for (uint32_t kind = 0; ret == 0 && kind < CALL_KINDS; kind++)
        ret = set_path(hist, metrics, STAGES_COMMAND, (enum call_kind)kind);
    return ret;
}
