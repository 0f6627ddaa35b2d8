# SPDX-License-Identifier: GPL-2.0-or-later
# Writes OUT, a C file with the texts of the JSON files, by their names:
# `const struct example examples[]` and `const unsigned examples_count`.
file(WRITE ${OUT} "#include \"codec/examples.h\"\n\n"
	"#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\n"
	"const struct example examples[] = {\n")
set(count 0)
foreach(path IN LISTS JSON)
	file(READ ${path} text)
	get_filename_component(name ${path} NAME_WE)
	string(REPLACE "\\" "\\\\" text "${text}")
	string(REPLACE "\"" "\\\"" text "${text}")
	string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
	file(APPEND ${OUT} "\t{\"${name}\",\n\t\"${text}\"},\n")
	math(EXPR count "${count} + 1")
endforeach()
file(APPEND ${OUT} "};\n\nconst unsigned examples_count = ${count};\n")
