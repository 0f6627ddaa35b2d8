/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Words that a person may have meant. */

/* Edit distance of two short words (Levenshtein); of longer ones, a large number. */
unsigned words_distance(const char *a, const char *b);
/* So many edits are too many for it to be a slip of the pen. */
unsigned words_too_far(const char *word);
