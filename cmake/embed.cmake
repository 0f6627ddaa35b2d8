# SPDX-License-Identifier: GPL-2.0-or-later
# Writes OUT, a C file with the texts of FILES in order, as HEADER declares them:
# `const char *const NAME[]` and `const unsigned NAME_count`.
file(WRITE ${OUT} "#include \"${HEADER}\"\n\n"
	"#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\n"
	"const char *const ${NAME}[] = {\n")
set(count 0)
foreach(path IN LISTS FILES)
	file(READ ${path} text)
	string(REPLACE "\\" "\\\\" text "${text}")
	string(REPLACE "\"" "\\\"" text "${text}")
	string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
	file(APPEND ${OUT} "\t\"${text}\",\n")
	math(EXPR count "${count} + 1")
endforeach()
file(APPEND ${OUT} "};\n\nconst unsigned ${NAME}_count = ${count};\n")
