# shellcheck shell=sh disable=SC2154 # what looks unset, the prelude and the request set
# Puts our file in place, or takes it away: wholly or not at all, and only where it is ours.
#
# With the request come sf_request, which sets sf_settle (lines for sf_differ), sf_expected (the token of the files),
# sf_header (our file's first line), sf_content and sf_sum (what cksum says of it); and the last line, which calls
# sf_persist write|remove PATH NOT_AFTER_S RUN.
# Standard output: S state, Y why, M path TAB wanted TAB found.

sf_persist() {
	sf_has_programs || return 0
	sf_enter "$3" "$4" failed || return 0
	sf_request
	if ! sf_same_files "$2" "$sf_expected"; then
		printf 'S changed_since\nY files\n'
		return 0
	fi
	sf_place "$2" "$4"
	if ! sf_may_be_ours; then
		printf 'S blocked\nY %s\n' "$sf_why"
		return 0
	fi
	if ! sf_verify; then
		printf 'S failed\nY awk failed on the host\n'
		return 0
	fi
	trap '' HUP PIPE
	if "sf_$1"; then
		sf_done
		printf 'S committed\n'
	else
		rm -f "$sf_ready" 2>/dev/null
		sf_say_why
	fi
}

# Says which managed keys have moved since they were written; the file is right all the same.
sf_verify() {
	sf_unlike "$sf_settle" || return 1
	sf_ifs=$IFS IFS=$sf_nl
	set -f
	for sf_line in $sf_moved; do printf 'M %s\n' "$sf_line"; done
	set +f
	IFS=$sf_ifs
}

# One rename: what the change has made ready, or what is made now.
sf_write() {
	if sf_is_right "$sf_target"; then return 0; fi
	sf_may_be_replaced || return 1
	if ! sf_is_right "$sf_ready" && ! sf_make_ready; then return 1; fi
	if ! sf_why=$(mv -f "$sf_ready" "$sf_target" 2>&1); then return 1; fi
	if command -v restorecon >/dev/null 2>&1; then restorecon "$sf_target" >/dev/null 2>&1; fi
	sf_sync "$sf_folder" || :
}

sf_remove() {
	sf_may_be_replaced || return 1
	if ! sf_why=$(rm -f "$sf_target" 2>&1); then return 1; fi
	if [ -d "$sf_folder" ]; then sf_sync "$sf_folder" || :; fi
}
