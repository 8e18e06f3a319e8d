/*
 * A flame graph as SVG. See flame.h.
 *
 * Widths are hundredths of a pixel, in integers. Each frame begins where those before it end, so
 * that rounding never adds up; frames below a tenth of a pixel are left out and counted.
 */
#include "sim/run/flame_private.h"

#include <inttypes.h>
#include <string.h>

enum {
    WIDTH = 1200 * 100,
    MARGIN = 10 * 100,
    ROW = 17, /* pixels */
    HEAD = 46,
    FOOT = 26,
    LETTER = 665, /* of 11 px monospace, which is 0.605 em, a little generous */
    LEAST = 10,
};

struct picture {
    FILE *out;
    const char *unit;
    uint64_t total, left_out;
    uint32_t rows;
};

/* Text of XML: its five special characters, no control character, and UTF-8 alone. */
static void put_text(FILE *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        switch (c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputc(c < 0x20 || c > 0x7e ? '?' : c, out);
        }
    }
}

/* The same function has the same colour in every picture; the kernel's are blue. */
static void put_colour(FILE *out, const char *name)
{
    uint32_t hash = 2166136261u;
    size_t bytes = strlen(name);

    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ (unsigned char)name[i]) * 16777619u;
    if (bytes > 4 && strcmp(name + bytes - 4, " [k]") == 0)
        fprintf(out, "#%02x%02x%02x", 130 + hash % 40, 170 + (hash >> 8) % 40, 225);
    else
        fprintf(out, "#%02x%02x%02x", 225 + hash % 30, 120 + (hash >> 8) % 100,
                50 + (hash >> 16) % 40);
}

static void put_amount(const struct picture *picture, uint64_t amount)
{
    struct flame_share share = flame_share(amount, picture->total);

    fprintf(picture->out, "%" PRIu64 " %s, %u.%u %%", amount, picture->unit, share.whole,
            share.tenth);
}

/* As much of the name as fits, or nothing. */
static void put_label(const struct picture *picture, const char *name, uint64_t x, uint64_t width)
{
    size_t room = width > 600 ? (size_t)(width - 600) / LETTER : 0, bytes = strlen(name);

    if (room < 3)
        return;
    size_t shown = bytes <= room ? bytes : room - 2;
    fprintf(picture->out, "<text x=\"%" PRIu64 ".%02u\" y=\"%u\">", (x + 300) / 100,
            (unsigned)((x + 300) % 100), ROW - 5);
    put_text(picture->out, name, shown);
    fputs(shown < bytes ? "..</text>" : "</text>", picture->out);
}

static uint64_t position(const struct picture *picture, uint64_t amount)
{
    uint64_t all = picture->total;

    while (all > UINT64_MAX / WIDTH) {
        amount /= 2;
        all /= 2;
    }
    return amount * WIDTH / all;
}

static void put_frame(struct picture *picture, const struct flame_node *node, uint64_t from,
                      uint32_t depth)
{
    const char *name = node->name ? node->name->text : "all";
    uint64_t x = position(picture, from), width = position(picture, from + node->total) - x;
    FILE *out = picture->out;

    if (width < LEAST) {
        picture->left_out++;
        return;
    }
    x += MARGIN;
    fprintf(out, "<g transform=\"translate(0,%u)\"><title>",
            HEAD + (picture->rows - 1 - depth) * ROW);
    put_text(out, name, strlen(name));
    fputs(": ", out);
    put_amount(picture, node->total);
    fprintf(out,
            "</title><rect x=\"%" PRIu64 ".%02u\" width=\"%" PRIu64 ".%02u\" height=\"%d\" fill=\"",
            x / 100, (unsigned)(x % 100), width / 100, (unsigned)(width % 100), ROW - 1);
    put_colour(out, name);
    fputs("\"/>", out);
    put_label(picture, name, x, width);
    fputs("</g>\n", out);
    for (const struct flame_node *child = node->children; child; child = child->next) {
        put_frame(picture, child, from, depth + 1);
        from += child->total;
    }
}

static void put_head(const struct picture *picture, const char *title, unsigned height)
{
    FILE *out = picture->out;

    fprintf(out,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"%d\" height=\"%u\" "
            "viewBox=\"0 0 %d %u\">\n<title>",
            (WIDTH + 2 * MARGIN) / 100, height, (WIDTH + 2 * MARGIN) / 100, height);
    put_text(out, title, strlen(title));
    fputs("</title>\n"
          "<style>text{font:11px monospace;fill:#000}.h{font:14px sans-serif}"
          "g:hover rect{stroke:#000}</style>\n"
          "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
          "<text class=\"h\" x=\"10\" y=\"20\">",
          out);
    put_text(out, title, strlen(title));
    fprintf(out, "</text>\n<text x=\"10\" y=\"37\">%" PRIu64 " ", picture->total);
    put_text(out, picture->unit, strlen(picture->unit));
    fputs("; a function stands on its caller</text>\n", out);
}

void flame_print_svg(const struct flame *flame, FILE *out, const char *title, const char *unit)
{
    struct picture picture = {
        .out = out, .unit = unit, .total = flame->root.total, .rows = flame->depth + 1};
    unsigned height = HEAD + picture.rows * ROW + FOOT;

    put_head(&picture, title, height);
    if (picture.total > 0)
        put_frame(&picture, &flame->root, 0, 0);
    fprintf(out,
            "<text x=\"10\" y=\"%u\">%" PRIu64 " frames too narrow to be shown</text>\n</svg>\n",
            height - 9, picture.left_out);
}
