/* Escaping. See html.h. */
#include "sim/run/html.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CHARACTER_BYTES = 16, REPLACEMENT = 0xfffd };

/* The code point at *text, which goes behind it; of bytes that are none, U+FFFD. */
static uint32_t next_code(const char **text)
{
    const unsigned char *from = (const unsigned char *)*text;
    uint32_t more = from[0] >= 0xf0 ? 3 : from[0] >= 0xe0 ? 2 : from[0] >= 0xc0 ? 1 : 0;
    uint32_t code = more > 0 ? from[0] & (0x3fu >> more) : from[0];

    *text += 1;
    for (uint32_t i = 1; i <= more; i++) {
        if ((from[i] & 0xc0) != 0x80)
            return REPLACEMENT;
        code = code << 6 | (from[i] & 0x3fu);
        *text += 1;
    }
    return from[0] >= 0x80 && more == 0 ? REPLACEMENT : code;
}

/* Whether it turns the order of others, or has no shape and is no space: controls, marks,
 * embeddings, overrides and isolates, line and paragraph separators, a byte order mark. */
static bool is_unseen(uint32_t code)
{
    return (code < 0x20 && code != '\n' && code != '\t') || (code >= 0x7f && code <= 0x9f) ||
           code == 0x61c || code == 0x200e || code == 0x200f ||
           (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
           code == 0xfeff;
}

/* The character at *text, which goes behind it, as it may be shown: what is unseen as its number.
 */
static const char *next_visible(const char **text, char shown[CHARACTER_BYTES])
{
    const char *from = *text;
    uint32_t code = next_code(text);

    if (code == REPLACEMENT)
        snprintf(shown, CHARACTER_BYTES, "\xef\xbf\xbd");
    else if (is_unseen(code))
        snprintf(shown, CHARACTER_BYTES, "[U+%04" PRIX32 "]", code);
    else
        snprintf(shown, CHARACTER_BYTES, "%.*s", (int)(*text - from), from);
    return shown;
}

void html_text(FILE *out, const char *text)
{
    char shown[CHARACTER_BYTES];

    while (text && *text) {
        const char *character = next_visible(&text, shown);

        switch (character[0]) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default: fputs(character, out); break;
        }
    }
}

json_t *html_visible(const char *text)
{
    /* what one byte becomes is at most [U+001B] */
    char *whole = malloc(strlen(text) * CHARACTER_BYTES + 1), *end = whole;
    char shown[CHARACTER_BYTES];
    json_t *string;

    if (!whole)
        return NULL;
    while (*text) {
        const char *character = next_visible(&text, shown);

        memcpy(end, character, strlen(character));
        end += strlen(character);
    }
    *end = '\0';
    string = json_string(whole);
    free(whole);
    return string;
}

void html_put(FILE *out, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    for (; *format; format++) {
        if (*format != '%') {
            putc(*format, out);
            continue;
        }
        switch (*++format) {
        case 't': html_text(out, va_arg(arguments, const char *)); break;
        case 'i': fprintf(out, "%" PRId64, va_arg(arguments, int64_t)); break;
        case 'u': fprintf(out, "%zu", va_arg(arguments, size_t)); break;
        case '%': putc('%', out); break;
        default: assert(!"a conversion of html_put");
        }
    }
    va_end(arguments);
}

static int put_json(const char *bytes, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++)
        if (strchr("<>&", bytes[i]) && bytes[i])
            fprintf(out, "\\u%04x", (unsigned)bytes[i]);
        else
            putc(bytes[i], out);
    return 0;
}

void html_json(FILE *out, const json_t *value)
{
    json_dump_callback(value, put_json, out, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY);
}
