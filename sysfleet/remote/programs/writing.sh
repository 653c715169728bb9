# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # awk's text is no shell's; other parts set and use the rest
# What the programs that write share: the host's lock, and the place of our file.

# Whether all is there that a change needs, up to its file in place: else nothing of it is begun.
sf_has_programs() {
	for sf_one in awk cat cksum flock ln ls mkdir mv rm sleep sync; do
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

# Whether the host is free for run $1, or is in change by it already. What was begun in another boot is over; what
# nobody watches any more is, some time after it should have been put back.
sf_is_free() {
	sf_recall || return 0
	case $sf_was in
	armed | placing) ;;
	*) return 0 ;;
	esac
	sf_this_boot
	if [ "$sf_owner" = "$1" ] || [ "$sf_armed_in" != "$sf_boot" ]; then return 0; fi
	sf_too_late "$((sf_until + 10))" && ! sf_is_watched
}

# Where our file $1 is, and where run $2 has the new one ready and the old one kept, under names that no loader reads.
sf_place() {
	sf_target=$sf_root$1
	sf_folder=${sf_target%/*}
	sf_ready=$sf_folder/.sysfleet-$2.new sf_old=$sf_folder/.sysfleet-$2.old
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
	for sf_one in "$sf_folder"/.sysfleet-*.new "$sf_folder"/.sysfleet-*.old; do
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

# Whether the files are those that the token $2 was made from: what cksum prints of them, then sf_odd. $1 is our own
# file.
sf_same_files() {
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
