/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside anserctl: what its two files call in each other.
 *
 *     anserctl.c       arguments, the conversation with the daemon, the checks that need none
 *     anserctl_show.c  answers as people read them
 */
#ifndef ANSER_CONTROL_ANSERCTL_H
#define ANSER_CONTROL_ANSERCTL_H

#include <jansson.h>

/* Each prints what the daemon answered; `o` is a "result", or for show_*_piece() a line before it. */
void show_status(const json_t *o);
void show_zone(const json_t *o);
void show_reload(const json_t *o);
void show_version(const json_t *o);
void show_zones_piece(const json_t *o);
void show_text_piece(const json_t *o);
void show_progress_piece(const json_t *o);

/* The head of the table that show_zones_piece() prints rows of. */
void show_zones_head(void);

#endif
