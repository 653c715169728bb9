# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # awk's text is no shell's; other parts set and use the rest
# What the programs that write share: comparing, the host's lock, the time after which nothing is written, the place
# of our file.

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

# Sets sf_moved to those of these lines that are not so; false when that cannot be known. A here-document costs one
# process where a pipe costs three, but in bash and the Korn shells it needs a file, which a full disk does not give.
sf_unlike() {
	sf_moved=
	if [ -z "$1" ]; then return 0; fi
	if [ -n "${BASH_VERSION-}${KSH_VERSION-}${ZSH_VERSION-}" ]; then
		sf_moved=$(printf '%s\n' "$sf_root/proc/sys/" "$1" | awk "$sf_differ")
		return
	fi
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

# Whether all is there that a change needs, up to its file in place: else nothing of it is begun.
sf_has_programs() {
	for sf_one in awk cat cksum flock ls mkdir mv rm sync; do
		if ! command -v "$sf_one" >/dev/null 2>&1; then
			printf 'S blocked\nY the host has no %s\n' "$sf_one"
			return 1
		fi
	done
}

# Takes the host's lock until this shell ends. Else false: sf_why is empty when another holds it.
sf_lock() {
	sf_why=
	sf_state=$sf_root/run/sysfleet
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
	rm -f "$sf_state/change" "$sf_ready"
}

# Where our file $1 is, and where run $2 has it ready beside it, under a name that no loader reads.
sf_place() {
	sf_target=$sf_root$1
	sf_folder=${sf_target%/*}
	sf_ready=$sf_folder/.sysfleet-$2.new
	sf_at=${1%/*}
}

# Whether the place is free or holds a file of ours that can be replaced; else sf_why says what is wrong. A folder
# that is a link belongs to whoever made it.
sf_may_be_ours() {
	sf_why=
	if [ -L "$sf_folder" ]; then
		sf_why="${sf_folder#"$sf_root"} is a link"
	elif [ -d "$sf_folder" ] && [ ! -O "$sf_folder" ]; then
		sf_why="${sf_folder#"$sf_root"} is not root's"
	elif [ -L "$sf_target" ]; then
		sf_why='the file is a link'
	elif [ -e "$sf_target" ] && [ ! -f "$sf_target" ]; then
		sf_why='the file is not a regular file'
	elif [ -e "$sf_target" ]; then
		sf_first=
		{ IFS= read -r sf_first <"$sf_target"; } 2>/dev/null
		if [ "$sf_first" != "$sf_header" ]; then sf_why='the file is not ours: its first line is another'; fi
	fi
	[ -z "$sf_why" ]
}

# Whether the file can be replaced or taken away. For appending alone an append-only file opens, so it is for both.
sf_may_be_replaced() {
	if [ ! -e "$sf_target" ] || { true <>"$sf_target"; } 2>/dev/null; then return 0; fi
	sf_why=$({ true <>"$sf_target"; } 2>&1)
	sf_at=${sf_target#"$sf_root"}
	return 1
}

# Whether the file $1 is what it shall be; sf_sum is what cksum says of that.
sf_is_right() {
	[ -f "$1" ] && [ ! -L "$1" ] && [ "$(cksum <"$1" 2>/dev/null)" = "$sf_sum" ]
}

# Puts the new file beside the old one, safe on the disk. What runs that died have left behind goes: whoever holds
# the lock is alone.
sf_make_ready() {
	if [ ! -d "$sf_folder" ] && ! sf_why=$(mkdir -p "$sf_folder" 2>&1); then return 1; fi
	for sf_one in "$sf_folder"/.sysfleet-*.new; do
		if [ -e "$sf_one" ] || [ -L "$sf_one" ]; then
			if ! sf_why=$(rm -f "$sf_one" 2>&1); then return 1; fi
		fi
	done
	set -C
	sf_why=$({ printf '%s' "$sf_content" >"$sf_ready"; } 2>&1)
	set +C
	# A write that failed is not told by every shell, and not why: cat does.
	if sf_is_right "$sf_ready" || { sf_write_whole && sf_is_right "$sf_ready"; }; then
		if sf_sync "$sf_ready"; then return 0; fi
	fi
	rm -f "$sf_ready" 2>/dev/null
	if [ -z "$sf_why" ]; then sf_why='the file is not as it was written'; fi
	return 1
}

# Only cat's words count: where its file cannot be made, printf meets a broken pipe, at a time of its own.
sf_write_whole() {
	sf_why=$({ printf '%s' "$sf_content" 2>/dev/null | cat >"$sf_ready"; } 2>&1)
}

# Not every sync takes a name: then all is written out.
sf_sync() {
	if sf_why=$(sync "$1" 2>&1); then return 0; fi
	case $sf_why in
	*'o space'* | *uota* | *'nput/output'*) return 1 ;;
	esac
	sync
}

# Says that our file cannot be put in place, and why: blocked where somebody has to allow it first.
sf_say_why() {
	case $sf_why in
	*'not permitted'* | *'ead-only'*) printf 'S blocked\n' ;;
	*) printf 'S failed\n' ;;
	esac
	printf 'Y %s: %s\n' "$sf_at" "${sf_why##*: }"
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
