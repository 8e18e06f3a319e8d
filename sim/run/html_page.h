/*
 * The report of a result: one HTML page with tables, and the data of its charts.
 *
 * The page needs no network, and no script to be read: tables are HTML, charts are drawn by a
 * script from one block of JSON. It is made from result.json alone, whatever of it is there: an
 * older result, or one that was cut short, has fewer blocks. Nothing in it can become markup or
 * script (html.h), and a Content-Security-Policy allows the page's own script alone.
 * The same result gives the same page to the byte.
 * Source: ecosystem.md 6.3; result.json as in xensock(1).
 */
#ifndef XENSOCK_SIM_RUN_HTML_PAGE_H
#define XENSOCK_SIM_RUN_HTML_PAGE_H

#include <jansson.h>
#include <stdio.h>

/* What draws the charts; NULL where it is missing, which the page then says. */
struct html_assets {
    const char *script, *style, *licence; /* uPlot's; trusted */
    const char *missing;                  /* without them: what to do about it */
};

/* Write the page of `result`; with `other`, unless NULL, beside it. Both are objects, but what is
 * in them may be anything. 0, or -ERR_NOMEM; look at ferror() too. */
int html_page(FILE *out, const json_t *result, const json_t *other,
              const struct html_assets *assets);

#endif
