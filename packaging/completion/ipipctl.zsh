#compdef ipipctl
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of ipipctl, which knows its commands itself.
#   source <(ipipctl completion zsh), behind compinit; or as _ipipctl in a folder of $fpath

_ipipctl() {
	local -a lines candidates
	local line

	lines=("${(@f)$(ipipctl complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
	if [[ $lines[1] == :file ]]; then
		compset -P '--*='
		_files
		return
	fi
	for line in $lines; do
		candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	_describe ipipctl candidates
}

if [[ $funcstack[1] == _ipipctl ]]; then
	_ipipctl "$@"
else
	compdef _ipipctl ipipctl
fi
