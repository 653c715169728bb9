# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # awk's text is no shell's; other parts set and use the rest
# What the programs that write share: comparing, the host's lock, the time after which nothing is written.

# Standard input: the folder of keys, then lines PATH TAB WANTED, where WANTED is "=" and the value, or "-" for none.
# Standard output: those that are not so, in their order, as PATH TAB WANTED TAB FOUND.
# An unset secret would end mawk, so secrets are never read here: they count as different.
sf_differ='
	function found(path,    line, got, text, n) {
		if (path ~ /\/stable_secret$/) return "?"
		while ((got = (getline line < path)) > 0 && n < 4096) text = (n++ ? text " " : "") line
		close(path)
		if (got < 0) return "-"
		gsub(/[ \t]+/, " ", text)
		sub(/^ /, "", text)
		sub(/ $/, "", text)
		return "=" text
	}
	NR == 1 { proc = $0; next }
	{
		n = index($0, "\t")
		path = substr($0, 1, n - 1)
		wanted = substr($0, n + 1)
		is = found(proc path)
		if (is != wanted) print path "\t" wanted "\t" is
	}
'

# Sets sf_moved to those of these lines that are not so. A here-document costs one process where a pipe costs three.
sf_unlike() {
	sf_moved=
	if [ -z "$1" ]; then return 0; fi
	sf_moved=$(
		awk "$sf_differ" <<-END_OF_LINES
			$sf_root/proc/sys/
			$1
		END_OF_LINES
	)
}

# Whether the time has passed after which nothing may be written: $1 is in whole seconds since the boot.
sf_too_late() {
	sf_up=
	read -r sf_up sf_rest </proc/uptime
	[ "${sf_up%%.*}" -ge "$1" ]
}

# Takes the host's lock until this shell ends. Else false: sf_why is empty when another holds it.
sf_lock() {
	sf_why=
	sf_state=$sf_root/run/sysfleet
	if ! command -v flock >/dev/null 2>&1; then
		sf_why='the host has no flock'
		return 1
	fi
	if [ ! -e "$sf_state" ] && [ ! -L "$sf_state" ]; then mkdir -m 0700 "$sf_state" 2>/dev/null; fi
	if [ -L "$sf_state" ] || [ ! -d "$sf_state" ] || [ ! -O "$sf_state" ] || [ ! -w "$sf_state" ]; then
		sf_why="$sf_state is not a folder of root's alone"
		return 1
	fi
	# A failing exec would end the shell, and "command exec" holds in dash and bash, but not in BusyBox.
	if ! { true >>"$sf_state/lock"; } 2>/dev/null; then
		sf_why="$sf_state/lock cannot be opened"
		return 1
	fi
	exec 9>>"$sf_state/lock"
	flock -n 9
	case $? in
	0) return 0 ;;
	1) return 1 ;;
	esac
	sf_why='flock failed on the host'
	return 1
}

# Whether run $2 may work on the host until $1 seconds after the boot. Else false, and says why; $3 is the state
# when the lock cannot be had at all.
sf_enter() {
	if sf_too_late "$1"; then
		printf 'S too_late\n'
	elif ! sf_lock; then
		if [ -n "$sf_why" ]; then printf 'S %s\nY %s\n' "$3" "$sf_why"; else printf 'S locked\n'; fi
	elif ! sf_is_free "$2"; then
		printf 'S locked\n'
	else
		return 0
	fi
	return 1
}

# Whether the host is free for run $1, or is in change by it already. A record is dead once its own time has passed:
# it lies below /run, so it never outlives a boot, and uptime knows no clock that could be set.
sf_is_free() {
	sf_owner='' sf_until=
	if ! { read -r sf_owner sf_until <"$sf_state/change"; } 2>/dev/null; then return 0; fi
	if [ "$sf_owner" = "$1" ]; then return 0; fi
	case $sf_until in
	'' | *[!0-9]*) return 0 ;;
	esac
	sf_too_late "$sf_until"
}

# From now on the host is in change by run $1, until $2 seconds after the boot or until sf_done.
sf_begin() {
	printf '%s %s\n' "$1" "$2" >"$sf_state/change"
}

sf_done() {
	rm -f "$sf_state/change"
}

# Whether the files are those that the token $2 was made from: what cksum prints of them, then sf_odd; "any" is true
# of all. $1 is our own file.
sf_same_files() {
	if [ "$2" = any ]; then return 0; fi
	sf_look_at_files "$1" >/dev/null || return 1
	sf_token=
	if [ -n "$sf_files" ]; then
		sf_ifs=$IFS IFS=$sf_nl
		set -f
		# shellcheck disable=SC2086 # one word a line is what is wanted
		sf_token=$(cksum $sf_files)
		set +f
		IFS=$sf_ifs
	fi
	if [ -n "$sf_odd" ]; then sf_token="$sf_token$sf_nl$sf_odd"; fi
	[ "${sf_token#"$sf_nl"}" = "$2" ]
}
