# shellcheck shell=sh disable=SC2154 # what looks unset, the prelude sets
# Puts a change back at once, or says what became of it. The last line calls sf_back RUN WHY or sf_look RUN.
# Standard output: S armed|placing|committed|reverted|stuck|none|restarted|refused, Y why, M path TAB wanted TAB found.

sf_back() {
	if ! sf_lock; then
		# It may be the watchdog, which is doing the same.
		if [ -n "$sf_why" ] || ! flock 9; then
			printf 'S refused\nY %s\n' "$sf_why"
			return 0
		fi
	fi
	sf_recall
	if [ "$sf_owner" = "$1" ] && [ -f "$sf_state/undo-$1" ]; then
		case $sf_was in
		armed | placing)
			trap '' HUP PIPE
			sh "$sf_state/undo-$1" now "$2"
			return 0
			;;
		esac
	fi
	sf_look "$1"
}

sf_look() {
	sf_state=$sf_root/run/sysfleet
	sf_this_boot
	if ! sf_recall || [ "$sf_owner" != "$1" ]; then
		printf 'S none\n'
	elif [ "$sf_armed_in" != "$sf_boot" ]; then
		printf 'S restarted\n'
	else
		printf 'S %s\nY %s\n' "$sf_was" "${sf_said#* }"
	fi
}
