# shellcheck shell=sh disable=SC2154 # what looks unset, the prelude and the request set
# Puts our file in place, or takes it away: wholly or not at all, and only where it is ours.
#
# With the request come sf_request, which sets sf_settle (lines for sf_differ), sf_expected (the token of the files),
# sf_header (our file's first line), sf_content and sf_sum (what cksum says of it); and the last line, which calls
# sf_persist write|remove PATH NOT_AFTER_S RUN armed|alone: whether values were changed before, or the file is all.
# Standard output: S state, Y why, M path TAB wanted TAB found.

sf_persist() {
	sf_has_programs || return 0
	sf_enter "$3" "$4" failed || return 0
	sf_request
	sf_run=$4
	if [ "$5" = armed ] && ! sf_is_armed; then return 0; fi
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
	if "sf_$1" "$5" && sf_commit "$5"; then
		printf 'S committed\n'
	else
		rm -f "$sf_ready" 2>/dev/null
		sf_say_why
	fi
}

# Whether this run's change of values still stands; else says what became of it.
sf_is_armed() {
	sf_this_boot
	sf_recall
	if [ "$sf_owner" = "$sf_run" ] && [ "$sf_armed_in" = "$sf_boot" ]; then
		case $sf_was in
		armed) return 0 ;;
		reverted)
			printf 'S reverted\nY %s\n' "${sf_said#* }"
			return 1
			;;
		esac
	fi
	printf 'S failed\nY the host has no record of this change any more\n'
	return 1
}

# From here on nothing is put back any more.
sf_commit() {
	if [ "$1" = alone ]; then
		rm -f "$sf_ready"
		return 0
	fi
	sf_uptime
	sf_why="$sf_state/change cannot be written"
	sf_record "committed $sf_run $sf_up" || return 1
	sf_disarm
	rm -f "$sf_old" "$sf_ready" "$sf_state/undo-$sf_run"
}

# Keeps the old file until the change is committed: what is armed puts it back.
sf_keep_old() {
	if [ "$1" = alone ]; then return 0; fi
	if [ ! -e "$sf_target" ]; then
		sf_how=none
	elif sf_why=$(ln "$sf_target" "$sf_old" 2>&1) || sf_why=$(cp -p "$sf_target" "$sf_old" 2>&1); then
		sf_how=old
	else
		return 1
	fi
	sf_why="$sf_state/change cannot be written"
	sf_record "placing $sf_run $sf_how"
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
	sf_keep_old "$1" || return 1
	if ! sf_why=$(mv -f "$sf_ready" "$sf_target" 2>&1); then return 1; fi
	if command -v restorecon >/dev/null 2>&1; then restorecon "$sf_target" >/dev/null 2>&1; fi
	sf_sync "$sf_folder" || :
}

sf_remove() {
	sf_may_be_replaced || return 1
	sf_keep_old "$1" || return 1
	if ! sf_why=$(rm -f "$sf_target" 2>&1); then return 1; fi
	if [ -d "$sf_folder" ]; then sf_sync "$sf_folder" || :; fi
}
