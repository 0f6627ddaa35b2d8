/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Placeholder */
int cli_placeholder;
