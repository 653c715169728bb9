# shellcheck shell=sh disable=SC2034,SC2154,SC2086 # the file that this becomes sets the rest; words are split on purpose
# Puts everything back. What the watchdog runs is this, with what to put back, in a file of its own in /run/sysfleet;
# the program that writes has it too, for a refusal.
#
# Numbers are written by the shell alone. awk only says which are not as they were: without it all are written.

# sf_undo wait: the watchdog as a process. sf_undo fire: the watchdog's time has come. sf_undo now WHY: at once, and
# whoever calls has the lock.
sf_undo() {
	trap '' HUP PIPE
	cd /
	if [ "$1" = wait ]; then sf_wait; fi
	sf_why=${2-nobody confirmed the change in time}
	if [ "$1" != now ]; then
		exec 9>>"$sf_state/lock"
		flock 9 || exit 0
	fi
	sf_this_boot
	if ! sf_recall || [ "$sf_owner" != "$sf_run" ] || [ "$sf_armed_in" != "$sf_boot" ]; then exit 0; fi
	case $sf_was in
	armed | placing) sf_revert ;;
	esac
	exit 0
}

# Gives the sign, lets go of whoever started it, and sleeps until its time, which no clock can move.
sf_wait() {
	exec </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
	if ! sf_began "$$" || ! sf_record "watched $sf_run $$ $sf_start"; then exit 1; fi
	exec >/dev/null 2>&1
	while sf_uptime && [ "$sf_up" -lt "$sf_until" ]; do
		sf_left=$((sf_until - sf_up))
		# In pieces, since a sleep does not count the time that a host is suspended.
		if [ "$sf_left" -gt 5 ]; then sf_left=5; fi
		sleep "$sf_left" || break
	done
}

# Needs sf_run, sf_why, sf_compare, sf_addresses, sf_routes, the places of our file, and what sf_recall sets.
# Sets sf_outcome, says so, and cleans up.
sf_revert() {
	sf_outcome=reverted
	sf_left_over=
	sf_put_back_values || sf_outcome=refused
	if [ -n "$sf_addresses$sf_routes" ]; then sf_put_back_addresses; fi
	if [ "$sf_was" = placing ] && ! sf_put_back_file; then
		sf_outcome=refused sf_left_over=$sf_target
	fi
	sf_uptime
	sf_why=${sf_why%%"$sf_nl"*}
	if [ "$sf_outcome" = reverted ]; then
		sf_record "reverted $sf_run $sf_up $sf_why"
	else
		sf_why="$sf_why; not as before: $sf_left_over"
		sf_record "stuck $sf_run $sf_up $sf_why"
	fi
	if command -v logger >/dev/null 2>&1; then
		logger -t sysfleet -- "$sf_outcome run $sf_run: $sf_why" >/dev/null 2>&1 || :
	fi
	rm -f "$sf_ready" "$sf_old" "$sf_state/undo-$sf_run"
	sf_disarm
	printf 'S %s\nY %s\n' "$sf_outcome" "$sf_why"
}

# In the order of sf_compare, until it holds.
sf_put_back_values() {
	for _ in 1 2 3 4; do
		if sf_unlike "$sf_compare"; then sf_still_there; else sf_moved=$sf_compare; fi
		if [ -z "$sf_moved" ]; then return 0; fi
		sf_ifs=$IFS IFS=$sf_nl
		set -f
		for sf_line in $sf_moved; do
			sf_path=$sf_root/proc/sys/${sf_line%%"$sf_tab"*}
			sf_value=${sf_line#*"$sf_tab"}
			sf_value=${sf_value%%"$sf_tab"*}
			case $sf_value in
			=*) if [ -e "$sf_path" ]; then { printf '%s\n' "${sf_value#=}" >"$sf_path"; } 2>/dev/null; fi ;;
			esac
		done
		set +f
		IFS=$sf_ifs
	done
	if ! sf_unlike "$sf_compare"; then
		sf_left_over='nobody knows: awk failed on the host'
		return 1
	fi
	sf_still_there
	if [ -z "$sf_moved" ]; then return 0; fi
	sf_left_over=${sf_moved%%"$sf_tab"*}
	sf_say_moved
	return 1
}

# What the kernel took away with a number does not come back with it: addresses first, since routes need them.
sf_put_back_addresses() {
	sf_now=$sf_nl$(ip -6 -o addr show 2>/dev/null)
	sf_ifs=$IFS
	set -f
	IFS=$sf_nl
	for sf_line in $sf_addresses; do
		case $sf_now in *"$sf_nl${sf_line%% scope *} scope "*) continue ;; esac
		IFS=' '
		sf_add_address $sf_line
		IFS=$sf_nl
	done
	sf_now=$sf_nl$(ip -6 -o route show default 2>/dev/null)
	for sf_line in $sf_routes; do
		case $sf_now in *"$sf_nl${sf_line%% expires *}"*) continue ;; esac
		IFS=' '
		sf_add_route $sf_line
		IFS=$sf_nl
	done
	set +f
	IFS=$sf_ifs
}

# The words of `ip -o addr`: NUMBER: NAME inet6 ADDRESS …, of which some are arguments of `ip addr add`.
sf_add_address() {
	sf_words="$4 dev $2"
	shift 4
	while [ $# -gt 0 ]; do
		case $1 in
		scope) sf_words="$sf_words scope $2" ;;
		valid_lft | preferred_lft) sf_words="$sf_words $1 ${2%sec}" ;;
		nodad | home | mngtmpaddr | noprefixroute) sf_words="$sf_words $1" ;;
		esac
		shift
	done
	ip -6 addr add $sf_words >/dev/null 2>&1 || :
}

sf_add_route() {
	sf_words=
	while [ $# -gt 0 ]; do
		case $1 in
		expires)
			sf_words="$sf_words expires ${2%sec}"
			shift
			;;
		linkdown | dead | \\) ;;
		*) sf_words="$sf_words $1" ;;
		esac
		shift
	done
	ip -6 route add $sf_words >/dev/null 2>&1 || :
}

# Whether the file is as it was. Two names of one file are not moved over each other by every mv.
sf_put_back_file() {
	if [ "$sf_had" = none ]; then
		rm -f "$sf_target" || return 1
	elif [ -e "$sf_old" ]; then
		# shellcheck disable=SC3013 # dash, bash and BusyBox know -ef
		[ "$sf_old" -ef "$sf_target" ] || mv -f "$sf_old" "$sf_target" || return 1
	fi
	sync "$sf_folder" 2>/dev/null || sync
}
