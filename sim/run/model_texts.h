/* The models of scenarios/models/ as texts, made from the files by tools/embed_texts.cmake. */
#ifndef XENSOCK_SIM_RUN_MODEL_TEXTS_H
#define XENSOCK_SIM_RUN_MODEL_TEXTS_H

struct model_text {
    const char *name; /* of the file, without .yaml */
    const char *text;
};

/* In order of their names, then one whose name is NULL. */
extern const struct model_text model_texts[];

#endif
