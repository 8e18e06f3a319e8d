/* Tables of text. See grid.h. */
#include "sim/run/grid.h"

#include <assert.h>

void grid_text(json_t *row, const char *text)
{
    json_t *cell = json_string(text);

    json_array_append_new(row, cell ? cell : json_string("?")); /* it is no UTF-8 */
}

json_t *grid_row(json_t *grid, const char *name)
{
    json_array_append_new(grid, json_pack("[s]", name));
    return json_array_get(grid, json_array_size(grid) - 1);
}

/* Terminal columns of a UTF-8 text, one for each character. */
static size_t text_columns(const char *text)
{
    size_t columns = 0;

    for (; *text != '\0'; text++)
        columns += (*text & 0xc0) != 0x80;
    return columns;
}

static void print_row(FILE *out, const json_t *row, const size_t widths[GRID_COLUMNS_MAX])
{
    size_t i;
    json_t *cell;

    json_array_foreach(row, i, cell)
    {
        const char *text = json_string_value(cell);
        int padding = (int)(widths[i] - text_columns(text));

        if (i == 0)
            fprintf(out, "%s%*s", text, padding, "");
        else
            fprintf(out, "  %*s%s", padding, "", text);
    }
    fputc('\n', out);
}

void grid_print(FILE *out, json_t *grid)
{
    size_t widths[GRID_COLUMNS_MAX] = {0}, r, i;
    json_t *row, *cell;

    json_array_foreach(grid, r, row) json_array_foreach(row, i, cell)
    {
        size_t columns = text_columns(json_string_value(cell));

        assert(i < GRID_COLUMNS_MAX);
        widths[i] = columns > widths[i] ? columns : widths[i];
    }
    if (json_array_size(grid) > 1) {
        json_array_foreach(grid, r, row) print_row(out, row, widths);
        fputc('\n', out);
    }
    json_decref(grid);
}
