# SPDX-License-Identifier: GPL-2.0-or-later
# scdoc begins a paragraph before each heading, behind it, and before the end of each indented
# block. mandoc -T lint warns of those, and leaves no room between the items of a list.
/^\.P$/ { wanted = !heading; next }
/^\.(TH|SH|SS) / { wanted = 0; heading = 1; print; next }
/^\.RE$/ { print; next }
wanted { print ".P" }
{ wanted = heading = 0; print }
