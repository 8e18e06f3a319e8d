/*
 * What the two files of a backend's judge share. Not for others.
 *
 * judge_back.c: the command ring, answers, the device. judge_back_rings.c: data rings.
 */
#ifndef XENSOCK_TESTS_SUPPORT_JUDGE_BACK_PRIVATE_H
#define XENSOCK_TESTS_SUPPORT_JUDGE_BACK_PRIVATE_H

#include "tests/support/judge_back.h"

/* The ring of a socket's token, or NULL. */
struct judge_data *judge_back_data(struct judge_back *judge, uint64_t token);

/* A map of a socket's is asked for; its connection is; bytes are. */
void judge_back_mapping(struct judge_back *judge, const struct act *act);
void judge_back_opening(const struct judge_back *judge, const struct act *act);
void judge_back_transfer(struct judge_back *judge, const struct act *act);

/* Bytes were moved, or a connection is there. */
void judge_back_moved(struct judge_back *judge, const struct ev *ev);

/* An access to anything but the command ring; what a store there left behind. */
void judge_back_data_access(struct judge_back *judge, enum shared_access access,
                            const struct shared_area *area, struct shared_span span);
void judge_back_stored(struct judge_data *data, uint32_t offset, uint32_t value);

/* The step of a socket is over. */
void judge_back_data_end(const struct judge_back *judge, const struct judge_data *data);

#endif
