/* What was run and where: the command that runs it again, and the blocks of the resolved scenario,
 * in YAML's shape, and of the host. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/html_private.h"
#include "sim/run/render_common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEPTH_MAX = 32 };

/* ---- the command ---- */

static void put_plain(FILE *out, const char *text)
{
    fputs(text, out);
}

char *html_command(const json_t *result, const json_t *point)
{
    char *command = NULL;
    size_t bytes;
    FILE *out = open_memstream(&command, &bytes);

    if (!out)
        return NULL;
    render_command(&(struct render_sink){out, put_plain}, result, point, NULL);
    if (fclose(out) == 0)
        return command;
    free(command);
    return NULL;
}

/* ---- the scenario ---- */

/* Whether YAML takes it for this very text without quotes, as far as names and the like go. */
static bool is_plain(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+";
    static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "~"};

    if (!text[0] || strspn(text, plain) != strlen(text) || strspn(text, "0123456789.-+") > 0)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(text, words[i]) == 0)
            return false;
    return true;
}

static void put_text(FILE *out, const char *text)
{
    json_t *string = json_string(text);
    char *quoted = is_plain(text) ? NULL : json_dumps(string, JSON_ENCODE_ANY);

    html_text(out, quoted ? quoted : text);
    free(quoted);
    json_decref(string);
}

static void put_scalar(FILE *out, const json_t *value)
{
    if (json_is_string(value))
        put_text(out, json_string_value(value));
    else if (json_is_integer(value))
        html_put(out, "%i", (int64_t)json_integer_value(value));
    else if (json_is_object(value))
        html_put(out, "{}");
    else if (json_is_array(value))
        html_put(out, "[]");
    else
        html_put(out, "%t", json_is_true(value) ? "true" : json_is_false(value) ? "false" : "null");
}

static bool is_nested(const json_t *value)
{
    return json_object_size(value) > 0 || json_array_size(value) > 0;
}

static void put_indent(FILE *out, int depth)
{
    for (int i = 0; i < depth; i++)
        html_put(out, "  ");
}

/* The lines of a map or a list; of a list's element the first stands behind its dash. */
static void put_value(FILE *out, const json_t *value, int depth, bool behind_dash)
{
    const char *key;
    json_t *member;
    size_t i;

    if (depth > DEPTH_MAX)
        return;
    json_object_foreach((json_t *)value, key, member)
    {
        put_indent(out, behind_dash ? 0 : depth);
        behind_dash = false;
        put_text(out, key);
        html_put(out, is_nested(member) ? ":\n" : ": ");
        if (is_nested(member)) {
            put_value(out, member, depth + 1, false);
        } else {
            put_scalar(out, member);
            html_put(out, "\n");
        }
    }
    json_array_foreach(value, i, member)
    {
        put_indent(out, behind_dash ? 0 : depth);
        behind_dash = false;
        html_put(out, "- ");
        if (is_nested(member)) {
            put_value(out, member, depth + 1, true);
        } else {
            put_scalar(out, member);
            html_put(out, "\n");
        }
    }
}

void html_scenario_block(struct html_report *report)
{
    const json_t *scenario = json_object_get(report->result, "scenario");
    const json_t *resolved = json_object_get(scenario, "resolved");

    if (!is_nested(resolved))
        return;
    html_put(report->out, "<section id=\"scenario\"><h2>Resolved scenario</h2>\n<p>As <code>"
                          "xensock check</code> has it, with every default filled in.</p>\n"
                          "<pre tabindex=\"0\">");
    put_value(report->out, resolved, 0, false);
    html_put(report->out, "</pre></section>\n");
}

/* ---- environment ---- */

static void put_rows(const struct html_report *report, const json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)object, key, value)
    {
        if (is_nested(value))
            continue;
        html_put(report->out, "<tr><th scope=\"row\">%t%t</th><td class=\"text\">", prefix, key);
        if (json_is_string(value))
            html_put(report->out, "<bdi>%t</bdi>", json_string_value(value));
        else
            put_scalar(report->out, value);
        html_put(report->out, "</td></tr>\n");
    }
}

void html_environment_block(struct html_report *report)
{
    html_put(report->out, "<section id=\"environment\"><h2>Environment</h2>\n"
                          "<div class=\"scroll\"><table><tbody>\n");
    put_rows(report, json_object_get(report->result, "tool"), "xensock ");
    put_rows(report, json_object_get(report->result, "host"), "");
    html_put(report->out, "</tbody></table></div></section>\n");
}
