# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of ipipctl, which knows its commands itself.
#   ipipctl completion fish | source

function __ipipctl_complete
	set -l words (commandline -opc)
	ipipctl complete -- $words[2..-1] (commandline -ct) 2>/dev/null
end

function __ipipctl_wants_file
	test (__ipipctl_complete)[1] = :file 2>/dev/null
end

complete -c ipipctl -f
complete -c ipipctl -n 'not __ipipctl_wants_file' -f -a '(__ipipctl_complete)'
complete -c ipipctl -n __ipipctl_wants_file -F
