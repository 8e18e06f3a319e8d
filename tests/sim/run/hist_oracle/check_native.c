/*
 * Compares what hist_export prints (on stdin) with what HdrHistogram_c makes of the same values and
 * of the exported text. Not part of the build: `run` compiles it with that library's sources.
 * Exit code 0: no difference; 1: differences, each printed; 2: this is no export.
 *
 * Its percentiles round the rank to the nearest, ours rounds up; so it is asked for the very
 * percentage of our rank.
 */
#include <hdr_histogram.h>
#include <hdr_histogram_log.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 200000
#define FACTS_MAX 64

/* The case being read: what is compared must wait for the export's text. */
static struct {
    char name[32];
    int64_t highest, total, min, max;
    struct hdr_histogram *recorded;
    int64_t percentiles[FACTS_MAX][2];
    size_t percentile_count;
    int64_t (*buckets)[4];
    size_t bucket_count;
} now;

static int differences, cases;

static void same(const char *way, const char *what, int64_t theirs, int64_t ours)
{
    if (theirs == ours)
        return;
    differences++;
    printf("%s: %s %s: HdrHistogram_c %" PRId64 ", ours %" PRId64 "\n", now.name, way, what, theirs,
           ours);
}

static void compare_buckets(const char *way, const struct hdr_histogram *theirs)
{
    size_t ours = 0;

    for (int32_t i = 0; i < theirs->counts_len; i++) {
        int64_t lowest = hdr_value_at_index(theirs, i);

        if (theirs->counts[i] == 0)
            continue;
        if (ours == now.bucket_count) {
            same(way, "surplus bucket", i, -1);
            return;
        }
        same(way, "bucket", i, now.buckets[ours][0]);
        same(way, "lowest", lowest, now.buckets[ours][1]);
        same(way, "greatest", hdr_next_non_equivalent_value(theirs, lowest) - 1,
             now.buckets[ours][2]);
        same(way, "count", theirs->counts[i], now.buckets[ours][3]);
        ours++;
    }
    same(way, "buckets", (int64_t)ours, (int64_t)now.bucket_count);
}

static void compare(const char *way, const struct hdr_histogram *theirs)
{
    same(way, "total", theirs->total_count, now.total);
    same(way, "highest", theirs->highest_trackable_value, now.highest);
    same(way, "max", hdr_max(theirs), now.max);
    if (now.total > 0)
        same(way, "min", hdr_min(theirs), now.min);
    for (size_t i = 0; i < now.percentile_count; i++) {
        const int64_t *p = now.percentiles[i];
        __int128 product = (__int128)now.total * p[0];
        int64_t rank = (int64_t)((product + 999999) / 1000000);
        double percentage = now.total == 0 ? 50 : 100.0 * (double)rank / (double)now.total;

        same(way, "percentile", hdr_value_at_percentile(theirs, percentage), p[1]);
    }
    compare_buckets(way, theirs);
}

static void end_case(char *text)
{
    struct hdr_histogram *decoded = NULL;

    compare("recorded", now.recorded);
    same("decoded", "error", hdr_log_decode(&decoded, text, strlen(text)), 0);
    if (decoded != NULL)
        compare("decoded", decoded);
    hdr_close(now.recorded);
    hdr_close(decoded);
    free(now.buckets);
    cases++;
}

static int begin_case(const char *rest)
{
    memset(&now, 0, sizeof(now));
    now.buckets = calloc(50000, sizeof(*now.buckets));
    return now.buckets != NULL && sscanf(rest, "%31s %" SCNd64, now.name, &now.highest) == 2 &&
           hdr_init(1, now.highest, 3, &now.recorded) == 0;
}

/* One line, cut into its word and the rest; 0 if it cannot be what hist_export wrote. */
static int read_fact(const char *word, char *rest)
{
    int64_t n[4] = {0};
    int count = sscanf(rest, "%" SCNd64 "%" SCNd64 "%" SCNd64 "%" SCNd64, n, n + 1, n + 2, n + 3);

    if (strcmp(word, "case") == 0)
        return begin_case(rest);
    if (now.recorded == NULL)
        return 0;
    if (strcmp(word, "record") == 0)
        return count == 2 &&
               hdr_record_values(now.recorded, n[0] > now.highest ? now.highest : n[0], n[1]);
    if (strcmp(word, "percentile") == 0 && now.percentile_count < FACTS_MAX)
        memcpy(now.percentiles[now.percentile_count++], n, 2 * sizeof(n[0]));
    if (strcmp(word, "bucket") == 0)
        memcpy(now.buckets[now.bucket_count++], n, sizeof(n));
    if (strcmp(word, "total") == 0)
        now.total = n[0];
    if (strcmp(word, "min") == 0)
        now.min = n[0];
    if (strcmp(word, "max") == 0)
        now.max = n[0];
    if (strcmp(word, "v2") == 0)
        end_case(rest);
    return 1;
}

int main(void)
{
    static char line[LINE_BYTES];

    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *rest = strchr(line, ' ');

        line[strcspn(line, "\n")] = '\0';
        if (rest == NULL)
            return 2;
        *rest = '\0';
        if (!read_fact(line, rest + 1))
            return 2;
    }
    printf("HdrHistogram_c: %d histograms, %d differences\n", cases, differences);
    return cases == 0 || differences > 0;
}
