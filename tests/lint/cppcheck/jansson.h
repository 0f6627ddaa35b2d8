/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What cppcheck reads in place of the library's header: loops that it can parse. */

#define json_array_foreach(array, i, value) for (i = 0; (value = json_array_get(array, i)); i++)
#define json_object_foreach(object, key, value)                                                    \
	for (key = first(object); (value = json_object_get(object, key)); key = next(object))
