# SPDX-License-Identifier: GPL-2.0-or-later
# Writes OUT, a C file with the texts of the SQL files in order:
# `const char *const migrations[]` and `const unsigned migrations_count`.
file(WRITE ${OUT} "#include \"store/migrations.h\"\n\n"
	"#pragma GCC diagnostic ignored \"-Woverlength-strings\"\n\n"
	"const char *const migrations[] = {\n")
set(count 0)
foreach(path IN LISTS SQL)
	file(READ ${path} text)
	string(REPLACE "\\" "\\\\" text "${text}")
	string(REPLACE "\"" "\\\"" text "${text}")
	string(REPLACE "\n" "\\n\"\n\t\"" text "${text}")
	file(APPEND ${OUT} "\t\"${text}\",\n")
	math(EXPR count "${count} + 1")
endforeach()
file(APPEND ${OUT} "};\n\nconst unsigned migrations_count = ${count};\n")
