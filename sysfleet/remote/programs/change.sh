# shellcheck shell=sh disable=SC2034,SC2154 # what looks unset or unused, the other parts set or use
# Writes running values: once, in the order given, until all are as wanted; a refusal puts back what was there.
#
# With the request come sf_request, which sets sf_compare and sf_settle (lines for sf_differ) and sf_expected (the
# token of the files), and of our file sf_header, sf_content and sf_sum; sf_parts, the text of what the watchdog is
# made of, which is part of this program too; sf_wanted_keys, what is read back; and the last line, which calls
# sf_change OUR_FILE NOT_AFTER_S RUN write|remove|keep WATCH_S yes|no: what is to become of our file later, for which
# the host stays in change by this run; after how long the watchdog puts all back, 0 for never; and whether the writes
# can move addresses and routes.
# Standard output: S state, Y why, M path TAB wanted TAB found, W path TAB value, R path TAB words; then as sf_scan.

sf_change() {
	sf_has_programs || return 0
	sf_enter "$2" "$3" refused || return 0
	sf_request
	sf_changed_since "$1" && return 0
	sf_place "$1" "$3"
	trap '' HUP PIPE
	if ! sf_has_place "$4"; then return 0; fi
	if ! sf_save_and_arm "$@"; then
		sf_cancel
		printf 'S refused\nY %s\n' "$sf_why"
		return 0
	fi
	sf_outcome=settled sf_why=
	if ! sf_settle_all "$2"; then
		sf_revert
	else
		if [ "$sf_outcome" != settled ]; then sf_cancel; fi
		printf 'S %s\n' "$sf_outcome"
	fi
	{
		printf '%s\n' "$sf_root/proc/sys/"
		sf_wanted_keys
	} | awk "$sf_scan" 2>&1
}

# Whether our file will find its place: found out, and the new file made ready, before the first value is written.
sf_has_place() {
	if [ "$1" = keep ]; then return 0; fi
	if ! sf_may_be_ours; then
		printf 'S blocked\nY %s\n' "$sf_why"
		return 1
	fi
	# To take a file away needs no new one; but a folder in which none can be made will not let one go either.
	if [ "$1" = remove ] && [ ! -e "$sf_target" ]; then return 0; fi
	if [ "$1" = write ] && sf_is_right "$sf_target"; then return 0; fi
	if sf_may_be_replaced && sf_make_ready; then return 0; fi
	sf_say_why
	return 1
}

# Whether values or files are not those that the plan was made from; says which.
sf_changed_since() {
	if ! sf_same_files "$1" "$sf_expected"; then
		printf 'S changed_since\nY files\n'
		return 0
	fi
	sf_unlike "$sf_compare" || {
		printf 'S refused\nY awk failed on the host\n'
		return 0
	}
	sf_still_there
	if [ -z "$sf_moved" ]; then return 1; fi
	printf 'S changed_since\nY values\n'
	sf_say_moved
	return 0
}

# Saves what the writes can move, notes that the host is in change by this run, and arms the watchdog that puts it
# back; else false, and sf_why says why. Takes what sf_change takes.
sf_save_and_arm() {
	sf_run=$3 sf_undo=$sf_state/undo-$3 sf_addresses='' sf_routes=''
	if [ "$6" = yes ] && command -v ip >/dev/null 2>&1; then
		sf_addresses=$(ip -6 -o addr show 2>/dev/null)
		sf_routes=$(ip -6 -o route show default 2>/dev/null)
	fi
	# Nobody may put back what comes now but the watchdog that is armed for it.
	if sf_recall; then sf_disarm; fi
	sf_uptime
	sf_until=$2
	if [ "$5" -gt 0 ]; then sf_until=$((sf_up + $5)); fi
	sf_this_boot
	sf_why="$sf_state/change cannot be written"
	umask 077
	if ! { printf 'armed %s %s %s\n' "$sf_run" "$sf_until" "$sf_boot" >"$sf_state/change"; } 2>/dev/null; then return 1; fi
	sf_why="$sf_undo cannot be written"
	sf_write_undo || return 1
	umask 022
	if [ "$5" -gt 0 ] && ! sf_arm "$5"; then return 1; fi
	sf_recall
}

# A program of its own; its last line makes it do something, so a part of it does nothing.
sf_write_undo() {
	sf_program="LC_ALL=C IFS=' $sf_tab$sf_nl' sf_tab='$sf_tab' sf_nl='$sf_nl'"
	for sf_one in PATH sf_root sf_state sf_run sf_until sf_folder sf_target sf_ready sf_old sf_compare sf_addresses sf_routes; do
		eval "sf_text=\$$sf_one"
		sf_quote
		sf_program=$sf_program$sf_nl$sf_one=$sf_text
	done
	sf_program=$sf_program$sf_nl'export PATH LC_ALL'$sf_nl$sf_parts$sf_nl'sf_undo "$@"'
	if ! { printf '%s\n' "$sf_program" >"$sf_undo"; } 2>/dev/null; then return 1; fi
	# Not every shell tells of a disk that is full.
	sf_size=$(cksum <"$sf_undo") && [ "${sf_size#* }" -gt "${#sf_program}" ]
}

# Makes of sf_text one word that stands for it.
sf_quote() {
	sf_quoted=
	while :; do
		case $sf_text in
		*\'*) sf_quoted="$sf_quoted${sf_text%%\'*}'\\''" sf_text=${sf_text#*\'} ;;
		*) break ;;
		esac
	done
	sf_text="'$sf_quoted$sf_text'"
}

# Starts the watchdog, due in $1 seconds, and waits for its own sign; else false, and sf_why says why.
sf_arm() {
	sf_init=
	{ read -r sf_init </proc/1/comm; } 2>/dev/null
	if [ "$sf_init" = systemd ] && [ -z "$sf_root" ] && command -v systemd-run >/dev/null 2>&1 &&
		systemd-run -q "--unit=sysfleet-$sf_run" "--on-active=${1}s" --timer-property=AccuracySec=100ms \
			sh "$sf_undo" fire >/dev/null 2>&1 9>&-; then
		sf_watch=unit
		sf_why="$sf_state/change cannot be written"
		sf_record "watched $sf_run unit"
		return
	fi
	sf_may_stay || return 1
	# It has the pipe until it has given its sign.
	if command -v setsid >/dev/null 2>&1; then
		sf_words=$(setsid sh "$sf_undo" wait </dev/null 2>&1 9>&- &)
	else
		sf_words=$(sh "$sf_undo" wait </dev/null 2>&1 9>&- &)
	fi
	sf_recall
	sf_why="the watchdog did not begin: ${sf_words%%"$sf_nl"*}"
	[ -n "$sf_watch" ]
}

# Whether a process outlives the login that started it.
sf_may_stay() {
	if [ ! -d "$sf_root/run/systemd/system" ]; then return 0; fi
	set --
	for sf_one in "$sf_root"/usr/lib/systemd/logind.conf "$sf_root"/etc/systemd/logind.conf \
		"$sf_root"/usr/lib/systemd/logind.conf.d/*.conf "$sf_root"/run/systemd/logind.conf.d/*.conf \
		"$sf_root"/etc/systemd/logind.conf.d/*.conf; do
		if [ -f "$sf_one" ]; then set -- "$@" "$sf_one"; fi
	done
	if [ $# -eq 0 ]; then return 0; fi
	sf_words=$(awk '
		/^[ \t]*KillUserProcesses[ \t]*=/ { sub(/^[^=]*=[ \t]*/, ""); kills = tolower($0) }
		END { print kills }
	' "$@" 2>/dev/null)
	sf_why='no watchdog: systemd-run does not work, and logind ends what a login leaves behind (KillUserProcesses)'
	case $sf_words in 1* | y* | t* | on*) return 1 ;; esac
}

# Nothing was written: as if there had been no change.
sf_cancel() {
	sf_owner=$sf_run
	sf_disarm
	rm -f "$sf_state/change" "$sf_undo" "$sf_ready"
}

# Writes what differs until nothing does; what is still different after the kernel had it twice stays so.
sf_settle_all() {
	sf_before=none
	for _ in 1 2 3 4; do
		if sf_too_late "$1"; then
			sf_why='its time was over'
			if [ "$sf_before" != none ]; then return 1; fi
			sf_outcome=too_late
			return 0
		fi
		sf_why='awk failed on the host'
		sf_unlike "$sf_settle" || return 1
		if [ -z "$sf_moved" ]; then return 0; fi
		if [ "$sf_moved" = "$sf_before" ]; then break; fi
		if [ "$sf_before" = none ] && sf_cannot_write_all; then
			sf_outcome=blocked
			return 0
		fi
		sf_before=$sf_moved
		sf_write_moved || return 1
	done
	sf_why='awk failed on the host'
	sf_unlike "$sf_settle" || return 1
	sf_say_moved
}

# Whether a key of sf_moved cannot even be opened for writing: then none is written. Says which, and why not.
sf_cannot_write_all() {
	sf_ifs=$IFS IFS=$sf_nl
	set -f
	sf_count=0
	for sf_line in $sf_moved; do
		sf_path=${sf_line%%"$sf_tab"*}
		if [ ! -e "$sf_root/proc/sys/$sf_path" ] || { true >>"$sf_root/proc/sys/$sf_path"; } 2>/dev/null; then continue; fi
		sf_why=$({ true >>"$sf_root/proc/sys/$sf_path"; } 2>&1)
		printf 'R %s\t%s\n' "$sf_path" "${sf_why##*: }"
		sf_count=$((sf_count + 1))
	done
	set +f
	IFS=$sf_ifs
	[ "$sf_count" -gt 0 ]
}

# Writes the lines of sf_moved in their order; false at the first that the kernel refuses.
sf_write_moved() {
	sf_ifs=$IFS IFS=$sf_nl
	set -f
	for sf_line in $sf_moved; do
		sf_path=${sf_line%%"$sf_tab"*}
		sf_value=${sf_line#*"$sf_tab"=}
		sf_value=${sf_value%%"$sf_tab"*}
		if [ ! -e "$sf_root/proc/sys/$sf_path" ]; then continue; fi
		if sf_write "$sf_root/proc/sys/$sf_path" "$sf_value"; then
			printf 'W %s\t%s\n' "$sf_path" "$sf_value"
		else
			printf 'R %s\t%s\n' "$sf_path" "$sf_words"
			sf_why="$sf_path: $sf_words"
			set +f
			IFS=$sf_ifs
			return 1
		fi
	done
	set +f
	IFS=$sf_ifs
}

# One write, as the kernel wants it. Only a refusal costs a process: dash does not say why, dd does.
sf_write() {
	if { printf '%s\n' "$2" >"$1"; } 2>/dev/null; then return 0; fi
	sf_words='the kernel refuses it'
	command -v dd >/dev/null 2>&1 || return 1
	sf_words=$({ printf '%s\n' "$2" 2>/dev/null | dd "of=$1" bs=4096 conv=notrunc; } 2>&1) && return 0
	sf_words=${sf_words%%"$sf_nl"[0-9]*}
	sf_words=${sf_words##*: }
	return 1
}
