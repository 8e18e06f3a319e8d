/* What `compare` and `baseline` share. See comparing.h. */
#include "tools/comparing.h"

#include "sim/run/units.h"
#include "tools/cmd.h"

#include <string.h>

void comparing_init(struct comparing *comparing)
{
    *comparing = (struct comparing){
        .options = {.alpha = COMPARE_ALPHA, .min_effect_ppm = COMPARE_MIN_EFFECT_PPM}};
}

static bool take_alpha(struct comparing *comparing, const char *text)
{
    uint64_t millionths;

    if (units_parse_decimal(text, &millionths) == UNITS_OK && millionths >= 1 &&
        millionths <= 500000) {
        comparing->options.alpha = millionths * (STATS_P_ONE / 1000000);
        return true;
    }
    fprintf(stderr, "xensock: error: --alpha takes a number from 0.000001 to 0.5, not '%s'\n",
            text);
    return false;
}

static bool take_effect(struct comparing *comparing, const char *text)
{
    uint64_t ppm;

    if (units_parse_share(text, &ppm) == UNITS_OK && ppm >= 1) {
        comparing->options.min_effect_ppm = ppm;
        return true;
    }
    fprintf(stderr, "xensock: error: --min-effect takes a share (%s) above 0, not '%s'\n",
            UNITS_OF_SHARE, text);
    return false;
}

static bool take_metric(struct comparing *comparing, const char *text)
{
    struct compare_options *options = &comparing->options;

    if (options->metric_count == COMPARE_METRICS_MAX) {
        fprintf(stderr, "xensock: error: more than %d --metric\n", COMPARE_METRICS_MAX);
        return false;
    }
    options->metrics[options->metric_count++] = text;
    return true;
}

bool comparing_take(struct comparing *comparing, int option, const char *text)
{
    switch (option) {
    case 'A': return take_alpha(comparing, text);
    case 'E': return take_effect(comparing, text);
    case 'M': return take_metric(comparing, text);
    case 'H': comparing->options.any_host = true; return true;
    case 'J': comparing->format = COMPARING_JSON; return true;
    case 'D': comparing->format = COMPARING_MARKDOWN; return true;
    default: return false;
    }
}

int comparing_refused(const struct comparing *comparing, const char *command,
                      const struct compare_refusal *refusal)
{
    if (comparing->format == COMPARING_JSON) {
        json_t *why = json_string(refusal->why);
        json_t *said = json_pack("{s:s, s:[{s:s, s:o}]}", "schema", "xensock/comparison/1",
                                 "errors", "code", refusal->code, "message",
                                 why ? why : json_string("(a text that is not UTF-8)"));
        json_dumpf(said, stdout, JSON_INDENT(2));
        putchar('\n');
        json_decref(said);
    } else {
        fprintf(stderr, "%s: error[%s]: %s\n", command, refusal->code, refusal->why);
    }
    return CMD_USAGE;
}

static void print(const struct comparing *comparing, const json_t *comparison)
{
    switch (comparing->format) {
    case COMPARING_TEXT: compare_print_text(stdout, comparison); break;
    case COMPARING_MARKDOWN: compare_print_markdown(stdout, comparison); break;
    case COMPARING_JSON:
        json_dumpf(comparison, stdout, JSON_INDENT(2));
        putchar('\n');
        break;
    }
}

int comparing_run(const struct comparing *comparing, const char *command, const char *path_a,
                  const char *path_b)
{
    struct compare_refusal refusal;
    json_t *a = compare_load(path_a, &refusal);
    json_t *b = a ? compare_load(path_b, &refusal) : NULL;
    json_t *comparison = b ? compare_results(a, b, &comparing->options, &refusal) : NULL;
    int code = CMD_OK;

    if (!comparison) {
        code = comparing_refused(comparing, command, &refusal);
    } else {
        print(comparing, comparison);
        code = compare_is_bad(comparison) ? CMD_WORSE : CMD_OK;
    }
    json_decref(comparison);
    json_decref(a);
    json_decref(b);
    return code;
}
