/* What a report's page has beside its contents: style and script, from the files of tools/report/.
 * Made part of the program by tools/embed_texts.cmake. */
#ifndef XENSOCK_SIM_RUN_PAGE_TEXTS_H
#define XENSOCK_SIM_RUN_PAGE_TEXTS_H

struct page_text {
    const char *name; /* of the file, up to its point */
    const char *text;
};

/* In any order, then one whose name is NULL. */
extern const struct page_text page_texts[];

#endif
