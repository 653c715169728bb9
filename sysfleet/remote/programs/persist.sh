# shellcheck shell=sh disable=SC2154 # what looks unset, the prelude and the request set
# Puts our file in place, or takes it away: wholly or not at all, and only where it is ours.
#
# With the request come sf_request, which sets sf_settle (lines for sf_differ), sf_expected (the token of the files),
# sf_header (our file's first line) and sf_content; and the last line, which calls
# sf_persist write|remove PATH NOT_AFTER_S RUN.
# Standard output: S state, Y why, M path TAB wanted TAB found.

sf_persist() {
	sf_need awk cksum ls mv rm sync mkdir || return 0
	sf_enter "$3" "$4" failed || return 0
	sf_request
	if ! sf_same_files "$2" "$sf_expected"; then
		printf 'S changed_since\nY files\n'
		return 0
	fi
	sf_target=$sf_root$2
	sf_folder=${sf_target%/*}
	if ! sf_may_be_ours; then
		printf 'S blocked\nY %s\n' "$sf_why"
		return 0
	fi
	sf_verify
	trap '' HUP PIPE
	if "sf_$1"; then
		sf_done
		printf 'S committed\n'
	else
		sf_why="${2%/*}: ${sf_why##*: }"
		case $sf_why in
		*'not permitted'* | *'Read-only'* | *'read-only'*) printf 'S blocked\nY %s\n' "$sf_why" ;;
		*) printf 'S failed\nY %s\n' "$sf_why" ;;
		esac
	fi
}

# Whether the place is free or holds a file of ours that can be replaced.
sf_may_be_ours() {
	sf_why=
	if [ -L "$sf_target" ]; then
		sf_why='the file is a link'
	elif [ -e "$sf_target" ] && [ ! -f "$sf_target" ]; then
		sf_why='the file is not a regular file'
	elif [ -e "$sf_target" ]; then
		sf_first=
		{ IFS= read -r sf_first <"$sf_target"; } 2>/dev/null
		if [ "$sf_first" != "$sf_header" ]; then
			sf_why='the file is not ours: its first line is another'
		elif ! { true >>"$sf_target"; } 2>/dev/null; then
			sf_why='the file is immutable, or lies on a read-only file system'
		fi
	fi
	[ -z "$sf_why" ]
}

# Says which managed keys have moved since they were written; the file is right all the same.
sf_verify() {
	sf_unlike "$sf_settle"
	sf_ifs=$IFS IFS=$sf_nl
	set -f
	for sf_line in $sf_moved; do printf 'M %s\n' "$sf_line"; done
	set +f
	IFS=$sf_ifs
}

# The name ends in no .conf: no loader reads it, whatever happens in between.
sf_write() {
	if [ ! -d "$sf_folder" ] && ! sf_why=$(mkdir -p "$sf_folder" 2>&1); then return 1; fi
	sf_beside=$sf_folder/.sysfleet-$$.new
	if [ -e "$sf_beside" ] || [ -L "$sf_beside" ]; then
		if ! sf_why=$(rm -f "$sf_beside" 2>&1); then return 1; fi
	fi
	umask 022
	set -C
	sf_why=$({ printf '%s' "$sf_content" >"$sf_beside"; } 2>&1)
	sf_done=$?
	set +C
	# Not every shell says why a write failed; cat does.
	if [ "$sf_done" -ne 0 ]; then sf_why=$({ printf '%s' "$sf_content" | cat >"$sf_beside"; } 2>&1) && sf_done=0; fi
	if [ "$sf_done" -eq 0 ] && sf_sync "$sf_beside" &&
		sf_why=$(mv -f "$sf_beside" "$sf_target" 2>&1); then
		if command -v restorecon >/dev/null 2>&1; then restorecon "$sf_target" >/dev/null 2>&1; fi
		sf_sync "$sf_folder"
		return 0
	fi
	rm -f "$sf_beside" 2>/dev/null
	return 1
}

sf_remove() {
	if ! sf_why=$(rm -f "$sf_target" 2>&1); then return 1; fi
	sf_sync "$sf_folder"
}

# Not every sync takes a name: then all is written out.
sf_sync() {
	sync "$1" 2>/dev/null || sync
}
