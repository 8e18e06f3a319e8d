/*
 * The tree of stacks, how it is read, and the table. See flame.h; the picture is in flame_svg.c.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include "sim/run/flame_private.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What follows the names that are cut off a deep stack, or stands for all of an empty one. */
static const char cut_off[] = "[cut off]", unknown[] = "[unknown]";

struct flame *flame_create(void)
{
    return calloc(1, sizeof(struct flame));
}

static void free_node(struct flame_node *node)
{
    while (node->children) {
        struct flame_node *next = node->children->next;
        free_node(node->children);
        free(node->children);
        node->children = next;
    }
}

void flame_destroy(struct flame *flame)
{
    struct flame_name *name, *next;

    if (!flame)
        return;
    free_node(&flame->root);
    HASH_ITER (hh, flame->names, name, next) {
        HASH_DEL(flame->names, name);
        free(name);
    }
    free(flame);
}

static struct flame_name *intern(struct flame *flame, const char *text)
{
    struct flame_name *name;
    size_t bytes = strlen(text);

    HASH_FIND(hh, flame->names, text, bytes, name);
    if (name)
        return name;
    name = calloc(1, sizeof(*name) + bytes + 1);
    assert(name);
    memcpy(name->text, text, bytes + 1);
    HASH_ADD_KEYPTR(hh, flame->names, name->text, bytes, name);
    return name;
}

static struct flame_node *child_of(struct flame *flame, struct flame_node *node, const char *text)
{
    struct flame_node **at = &node->children;

    while (*at && strcmp((*at)->name->text, text) < 0)
        at = &(*at)->next;
    if (*at && strcmp((*at)->name->text, text) == 0)
        return *at;
    struct flame_node *child = calloc(1, sizeof(*child));
    assert(child);
    child->name = intern(flame, text);
    child->next = *at;
    *at = child;
    return child;
}

void flame_add(struct flame *flame, const char *const *names, uint32_t count, uint64_t amount)
{
    struct flame_node *node = &flame->root;
    uint32_t first = count > FLAME_DEPTH_MAX ? count - FLAME_DEPTH_MAX + 1 : 0;
    uint32_t depth = count == 0 || first > 0;

    node->total += amount;
    if (depth > 0) {
        node = child_of(flame, node, first > 0 ? cut_off : unknown);
        node->total += amount;
    }
    for (uint32_t i = first; i < count; i++) {
        node = child_of(flame, node, names[i]);
        node->total += amount;
        depth++;
    }
    node->own += amount;
    flame->depth = depth > flame->depth ? depth : flame->depth;
}

/* "step<00c1d0>" is "step", and "step<00c1d0>[inline]" would be "step[inline]". */
static void strip_address(char *name)
{
    char *open = strrchr(name, '<');
    size_t digits = open ? strspn(open + 1, "0123456789abcdef") : 0;

    if (open && open > name && digits >= 8 && open[1 + digits] == '>')
        memmove(open, open + digits + 2, strlen(open + digits + 2) + 1);
}

/* One line of --collapsed, which is changed; false if it is none. */
static bool add_collapsed(struct flame *flame, char *line)
{
    const char *names[4 * FLAME_DEPTH_MAX];
    uint32_t count = 0;
    char *space = strrchr(line, ' '), *end, *rest = line;

    if (!space || space == line || space[1] < '0' || space[1] > '9')
        return false;
    uint64_t amount = strtoull(space + 1, &end, 10);
    if (*end != '\0')
        return false;
    *space = '\0';
    for (char *name = strsep(&rest, ";"); name; name = strsep(&rest, ";")) {
        strip_address(name);
        if (name[0] && count < sizeof(names) / sizeof(names[0]))
            names[count++] = name;
    }
    flame_add(flame, names, count, amount);
    return true;
}

uint64_t flame_read_collapsed(struct flame *flame, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    uint64_t bad = 0;

    while (getline(&line, &room, in) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        bad += line[0] != '\0' && !add_collapsed(flame, line);
    }
    free(line);
    return bad;
}

/* The frames of one sample of perf script, which come innermost first. */
struct sample {
    char *names[4 * FLAME_DEPTH_MAX];
    uint32_t count;
};

/* Unwinding that ended too early, or in rubbish, has nothing below it. */
static void end_sample(struct flame *flame, struct sample *sample)
{
    const char *names[4 * FLAME_DEPTH_MAX];
    uint32_t count = sample->count, all = count;

    while (count > 1 && strcmp(sample->names[count - 1], unknown) == 0)
        count--;
    for (uint32_t i = 0; i < count; i++)
        names[i] = sample->names[count - 1 - i];
    if (count > 0)
        flame_add(flame, names, count, 1);
    for (uint32_t i = 0; i < all; i++)
        free(sample->names[i]);
    sample->count = 0;
}

/* "   ffffffff822016f7 _raw_spin_lock": the upper half of the addresses is the kernel's. */
static bool add_frame(struct sample *sample, const char *line)
{
    char *end;
    unsigned long long address = strtoull(line, &end, 16);

    if (end == line || *end != ' ' || end[1] == '\0')
        return false;
    if (sample->count == sizeof(sample->names) / sizeof(sample->names[0]))
        return true;
    bool kernel = address >> 63 && strcmp(end + 1, unknown) != 0;
    char *name;
    int bytes = asprintf(&name, "%s%s", end + 1, kernel ? " [k]" : "");
    assert(bytes >= 0);
    sample->names[sample->count++] = name;
    return true;
}

uint64_t flame_read_perf(struct flame *flame, FILE *in)
{
    struct sample sample = {.count = 0};
    char *line = NULL;
    size_t room = 0;
    uint64_t bad = 0;

    while (getline(&line, &room, in) >= 0) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] == '\0')
            end_sample(flame, &sample);
        else
            bad += !add_frame(&sample, line);
    }
    end_sample(flame, &sample);
    free(line);
    return bad;
}

uint64_t flame_total(const struct flame *flame)
{
    return flame->root.total;
}

/* A function that calls itself is counted once for each stack: where it is outermost. */
static void sum(const struct flame_node *node)
{
    for (const struct flame_node *child = node->children; child; child = child->next) {
        child->name->own += child->own;
        child->name->all += child->name->open ? 0 : child->total;
        child->name->open++;
        sum(child);
        child->name->open--;
    }
}

static int more_first(const void *left, const void *right)
{
    const struct flame_name *a = *(const struct flame_name *const *)left,
                            *b = *(const struct flame_name *const *)right;

    if (a->own != b->own)
        return a->own > b->own ? -1 : 1;
    if (a->all != b->all)
        return a->all > b->all ? -1 : 1;
    return strcmp(a->text, b->text);
}

struct flame_share flame_share(uint64_t part, uint64_t all)
{
    while (all > UINT64_MAX / 1001) {
        part /= 2;
        all /= 2;
    }
    uint64_t tenths = all ? (part * 1000 + all / 2) / all : 0;
    return (struct flame_share){(unsigned)(tenths / 10), (unsigned)(tenths % 10)};
}

static void put_line(FILE *out, const struct flame_name *name, uint64_t so_far, uint64_t total)
{
    struct flame_share own = flame_share(name->own, total), sum_of = flame_share(so_far, total),
                       all = flame_share(name->all, total);

    fprintf(out, "%10" PRIu64 " %3u.%u%% %3u.%u%% %10" PRIu64 " %3u.%u%% %s\n", name->own,
            own.whole, own.tenth, sum_of.whole, sum_of.tenth, name->all, all.whole, all.tenth,
            name->text);
}

void flame_print_table(const struct flame *flame, FILE *out, const char *unit)
{
    uint32_t count = HASH_COUNT(flame->names), i = 0;
    struct flame_name **list = calloc(count + 1, sizeof(struct flame_name *));
    uint64_t so_far = 0;

    assert(list);
    for (struct flame_name *name = flame->names; name; name = name->hh.next) {
        name->own = name->all = 0;
        list[i++] = name;
    }
    sum(&flame->root);
    qsort(list, count, sizeof(struct flame_name *), more_first);
    fprintf(out, "Total: %" PRIu64 " %s\n", flame->root.total, unit);
    for (i = 0; i < count; i++) {
        so_far += list[i]->own;
        put_line(out, list[i], so_far, flame->root.total);
    }
    free(list);
}
