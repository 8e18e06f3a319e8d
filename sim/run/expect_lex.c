/* Tokens and numbers of expressions. See expect_private.h. */
#include "sim/run/expect_private.h"
#include "sim/run/units.h"

#include <stdarg.h>
#include <string.h>

enum { NUMBER_BYTES = 40 };

bool expect_fail(struct expect_parser *parser, enum diag_code code, const struct expect_token *at,
                 const char *format, ...)
{
    struct diag_place place = parser->place;
    char words[DIAG_TEXT_BYTES];
    va_list args;

    if (parser->failed)
        return false;
    parser->failed = true;
    va_start(args, format);
    vsnprintf(words, sizeof(words), format, args);
    va_end(args);
    if (place.length > 0)
        place.column += (uint32_t)at->at;
    place.length = place.length > 0 && at->length > 0 ? (uint32_t)at->length : 1;
    if (parser->place.length > 0)
        diag_error(parser->diags, code, place, "%s", words);
    else
        diag_error(parser->diags, code, place, "%s, at '%.40s'", words, parser->text + at->at);
    return true;
}

/* ASCII only, whatever the locale. */
static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_of_name(char c)
{
    return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == '-';
}

/* A number goes on through its unit: letters, '%', and "/s" behind them, unless that is where the
 * name of a divisor begins. */
static size_t number_length(const char *at)
{
    size_t length = 0;

    while (is_digit(at[length]) || at[length] == '.')
        length++;
    while (is_letter(at[length]) || at[length] == '%')
        length++;
    if (at[length] == '/' && at[length + 1] == 's' && !is_of_name(at[length + 2]) &&
        at[length + 2] != '(')
        length += 2;
    return length;
}

static size_t name_length(const char *at)
{
    size_t length = 1;

    while (is_of_name(at[length]))
        length++;
    return length;
}

static size_t sign_length(const char *at)
{
    return (strchr("<>=!", at[0]) && at[1] == '=') ? 2 : 1;
}

void expect_advance(struct expect_parser *parser)
{
    struct expect_token *token = &parser->token;
    const char *at;

    token->at += token->length;
    token->at += strspn(parser->text + token->at, " \t\n");
    at = parser->text + token->at;
    if (*at == '\0') {
        *token = (struct expect_token){EXPECT_LEX_END, token->at, 0};
    } else if (is_digit(*at)) {
        *token = (struct expect_token){EXPECT_LEX_NUMBER, token->at, number_length(at)};
    } else if (is_letter(*at)) {
        *token = (struct expect_token){EXPECT_LEX_NAME, token->at, name_length(at)};
    } else if (*at == '"' && strchr(at + 1, '"')) {
        size_t length = (size_t)(strchr(at + 1, '"') - at) + 1;
        *token = (struct expect_token){EXPECT_LEX_TEXT, token->at, length};
    } else {
        *token = (struct expect_token){EXPECT_LEX_SIGN, token->at, sign_length(at)};
    }
}

bool expect_is(const struct expect_parser *parser, const char *sign)
{
    const struct expect_token *token = &parser->token;

    return token->lexeme != EXPECT_LEX_END && token->length == strlen(sign) &&
           strncmp(parser->text + token->at, sign, token->length) == 0;
}

/* ---- numbers ---- */

static enum units_fault parse_size(const char *text, uint64_t *number)
{
    uint64_t bare;

    return units_parse_count(text, &bare) == UNITS_OK ? UNITS_NO_UNIT
                                                      : units_parse_size(text, number);
}

/* The readers of scenarios, each with the dimension of what it reads and how much one of it is. */
static const struct reader {
    enum units_fault (*read)(const char *, uint64_t *);
    struct expect_dim dim;
    int64_t per; /* one in the base unit: ns, bytes, and what is made of them */
} readers[] = {
    {units_parse_count, {0, 0}, 1},
    {units_parse_decimal, {0, 0}, 1000000},
    {units_parse_duration, {1, 0}, 1},
    {units_parse_fine_duration, {1, 0}, 1000},
    {parse_size, {0, 1}, 1},
    {units_parse_bandwidth, {-1, 1}, 1000000000},
    {units_parse_rate, {-1, 0}, 1000000000},
    {units_parse_share, {0, 0}, 1000000},
};

bool expect_number(const char *text, const struct expect_token *token, struct ratio *number,
                   struct expect_dim *dim)
{
    char word[NUMBER_BYTES];

    if (token->length >= sizeof(word))
        return false;
    memcpy(word, text + token->at, token->length);
    word[token->length] = '\0';
    for (size_t i = 0; i < sizeof(readers) / sizeof(readers[0]); i++) {
        uint64_t value;
        if (readers[i].read(word, &value) != UNITS_OK || value >= INT64_MAX)
            continue;
        *number = ratio_of((int64_t)value, readers[i].per);
        *dim = readers[i].dim;
        return true;
    }
    return false;
}

/* ---- dimensions ---- */

static const struct dim_row {
    const char *unit, *words;
    struct expect_dim dim;
    int64_t per; /* as in a reader */
} dims[] = {
    {"", "a plain number", {0, 0}, 1},
    {"ns", "a time", {1, 0}, 1},
    {"bytes", "a size", {0, 1}, 1},
    {"bytes_per_s", "a throughput", {-1, 1}, 1000000000},
    {"operations_per_s", "a rate", {-1, 0}, 1000000000},
    {"per_s", "a rate", {-1, 0}, 1000000000},
    {"ppm", "a plain number", {0, 0}, 1000000},
};

/* Of no unit, and of those that only count something, the first row. */
static const struct dim_row *dim_of(const char *unit)
{
    for (size_t i = 0; unit && i < sizeof(dims) / sizeof(dims[0]); i++)
        if (strcmp(dims[i].unit, unit) == 0)
            return &dims[i];
    return &dims[0];
}

struct expect_dim expect_unit_dim(const char *unit)
{
    return dim_of(unit)->dim;
}

struct ratio expect_unit_number(const char *unit, uint64_t value)
{
    return ratio_of((int64_t)value, dim_of(unit)->per);
}

const char *expect_dim_words(struct expect_dim dim)
{
    for (size_t i = 0; i < sizeof(dims) / sizeof(dims[0]); i++)
        if (expect_same_dim(dims[i].dim, dim))
            return dims[i].words;
    return "a number of another dimension";
}
