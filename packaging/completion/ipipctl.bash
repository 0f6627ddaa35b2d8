# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of ipipctl, which knows its commands itself.
#   source <(ipipctl completion bash)

_ipipctl() {
	local rest=${COMP_LINE:0:COMP_POINT} words=() i word blanks piece prefix line

	# readline ends words at = and :, where the shell does not: put them together again
	for ((i = 0; i <= COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		blanks=${rest%%[![:blank:]]*}
		rest=${rest:${#blanks}}
		piece=${rest:0:${#word}}
		rest=${rest:${#word}}
		if [[ $i -gt 0 && -z $blanks ]]; then
			words[-1]+=$piece
		else
			words+=("$piece")
		fi
	done
	[[ $piece != [=:]* ]] || piece=
	prefix=${words[-1]%"$piece"}

	COMPREPLY=()
	while IFS= read -r line; do
		if [[ $line == :file ]]; then
			compopt -o default
		else
			line=${line%%$'\t'*}
			COMPREPLY+=("${line#"$prefix"}")
		fi
	done < <(ipipctl complete -- "${words[@]:1}" 2>/dev/null)
}

complete -F _ipipctl ipipctl
