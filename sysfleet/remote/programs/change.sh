# shellcheck shell=sh disable=SC2154 # what looks unset, the prelude and the request set
# Writes running values: once, in the order given, until all are as wanted; a refusal puts back what was there.
#
# With the request come sf_request, which sets sf_compare and sf_settle (lines for sf_differ) and sf_expected (the
# token of the files), and of our file sf_header, sf_content and sf_sum; sf_wanted_keys, what is read back; and the
# last line, which calls sf_change OUR_FILE NOT_AFTER_S RUN write|remove|keep|end: what is to become of our file later,
# for which the host stays in change by this run; after `end` it is free.
# Standard output: S state, Y why, M path TAB wanted TAB found, W path TAB value, R path TAB words; then as sf_scan.

sf_change() {
	sf_has_programs || return 0
	sf_enter "$2" "$3" refused || return 0
	sf_request
	sf_changed_since "$1" && return 0
	sf_place "$1" "$3"
	trap '' HUP PIPE
	if ! sf_has_place "$4"; then return 0; fi
	if ! sf_begin "$3" "$2"; then
		rm -f "$sf_ready"
		printf 'S refused\nY %s\n' "$sf_state/change cannot be written"
		return 0
	fi
	sf_save_and_arm
	sf_outcome=settled
	sf_settle_all "$2" || sf_put_back
	if [ "$4" = end ] || [ "$sf_outcome" != settled ]; then sf_done; fi
	printf 'S %s\n' "$sf_outcome"
	{
		printf '%s\n' "$sf_root/proc/sys/"
		sf_wanted_keys
	} | awk "$sf_scan" 2>&1
}

# Whether our file will find its place: found out, and the new file made ready, before the first value is written.
sf_has_place() {
	case $1 in keep | end) return 0 ;; esac
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

# Leaves out of sf_moved what is gone with its interface: interfaces come and go.
sf_still_there() {
	sf_ifs=$IFS IFS=$sf_nl
	set -f
	sf_kept=
	for sf_line in $sf_moved; do
		sf_path=${sf_line%%"$sf_tab"*}
		case $sf_line in
		net/ipv[46]/conf/*"$sf_tab"- | net/ipv[46]/neigh/*"$sf_tab"-)
			if [ ! -d "$sf_root/proc/sys/${sf_path%/*}" ]; then continue; fi
			;;
		esac
		sf_kept=$sf_kept$sf_nl$sf_line
	done
	set +f
	IFS=$sf_ifs
	sf_moved=${sf_kept#"$sf_nl"}
}

# At most fifty: who asks wants to know what, not everything.
sf_say_moved() {
	sf_ifs=$IFS IFS=$sf_nl
	set -f
	sf_count=0
	for sf_line in $sf_moved; do
		sf_count=$((sf_count + 1))
		if [ "$sf_count" -le 50 ]; then printf 'M %s\n' "$sf_line"; fi
	done
	set +f
	IFS=$sf_ifs
}

# The place where what the writes can move is saved, and the watchdog is armed that puts it back.
sf_save_and_arm() {
	:
}

# Writes what differs until nothing does; what is still different after the kernel had it twice stays so.
sf_settle_all() {
	sf_before=none
	for _ in 1 2 3 4; do
		if sf_too_late "$1"; then
			sf_outcome=too_late
			return 0
		fi
		sf_unlike "$sf_settle" || {
			printf 'Y awk failed on the host\n'
			return 1
		}
		if [ -z "$sf_moved" ]; then return 0; fi
		if [ "$sf_moved" = "$sf_before" ]; then break; fi
		if [ "$sf_before" = none ] && sf_cannot_write_all; then
			sf_outcome=blocked
			return 0
		fi
		sf_before=$sf_moved
		sf_write_moved || return 1
	done
	sf_unlike "$sf_settle" || {
		printf 'Y awk failed on the host\n'
		return 1
	}
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

# Back to what was there before, in its own order, as far as the kernel lets us.
sf_put_back() {
	sf_outcome=refused
	for _ in 1 2 3 4; do
		if ! sf_unlike "$sf_compare"; then
			printf 'Y awk failed on the host\n'
			return 0
		fi
		sf_still_there
		if [ -z "$sf_moved" ]; then
			sf_outcome=reverted
			return 0
		fi
		sf_ifs=$IFS IFS=$sf_nl
		set -f
		for sf_line in $sf_moved; do
			case $sf_line in
			*"$sf_tab"=*"$sf_tab"*) ;;
			*) continue ;;
			esac
			sf_path=${sf_line%%"$sf_tab"*}
			sf_value=${sf_line#*"$sf_tab"=}
			{ printf '%s\n' "${sf_value%%"$sf_tab"*}" >"$sf_root/proc/sys/$sf_path"; } 2>/dev/null
		done
		set +f
		IFS=$sf_ifs
	done
	if ! sf_unlike "$sf_compare"; then return 0; fi
	sf_still_there
	if [ -z "$sf_moved" ]; then sf_outcome=reverted; else sf_say_moved; fi
}
