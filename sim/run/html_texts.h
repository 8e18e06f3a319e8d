/* What a report's page has beside its contents: files of tools/report/, made part of the program by
 * tools/embed_texts.cmake. */
#ifndef XENSOCK_SIM_RUN_HTML_TEXTS_H
#define XENSOCK_SIM_RUN_HTML_TEXTS_H

struct html_text {
    const char *name; /* of the file, without what is behind its dot */
    const char *text;
};

/* `style` and `script`, then one whose name is NULL. */
extern const struct html_text html_texts[];

#endif
