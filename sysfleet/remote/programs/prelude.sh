# shellcheck shell=sh disable=SC2016,SC2034 # awk's text is no shell's, and what looks unused, the programs use
# What the programs share: values of keys and files of loaders, without a fork for each.
#
# sf_root stands before every path of the host: empty, but in a lab without namespaces a folder.
# Every awk works: mawk, gawk, BusyBox. Values come through awk and never through the shell's `read`, which asks
# for one byte at a time: of a number, /proc/sys gives only the first digit then.

sf_root=${SYSFLEET_STAND_IN-}
# BusyBox says that root may write to everything.
sf_looks=-f
if [ -O /proc/1 ] && [ -z "$sf_root" ] && [ ! -w /proc/sys ]; then sf_looks=-w; fi
sf_tab='	'
sf_nl='
'

# Standard input, one line each: a path gives its value; "=NAME PATH" gives a fact, the first line of a file; "i" and
# the path of a conf folder an interface; o, m, u, s read one known file each; "!" is handed on as it is.
# Standard output: V path TAB value, U path (there, but not to be read), F name TAB text, I name.
sf_scan='
	function value(path,    line, got, text, n) {
		while ((got = (getline line < path)) > 0 && n < 4096) text = (n++ ? text " " : "") line
		close(path)
		path = substr(path, length(proc) + 1)
		if (got < 0) print "U " path; else print "V " path "\t" text
	}
	function fact(name, path,    line) {
		if ((getline line < path) > 0) print "F " name "\t" line
		close(path)
	}
	function release(path,    line) {
		while ((getline line < path) > 0)
			if (line ~ /^(ID|ID_LIKE|VERSION_ID)=/) print "F os." substr(line, 1, index(line, "=") - 1) "\t" substr(line, index(line, "=") + 1)
		close(path)
	}
	# Which parts of /proc/sys are mounted read-only, or writable within such; and whether the innermost mount above
	# our file is read-only. What is asked is the path and the folder of our file.
	function mounts(asked,    n, path, folder, line, part, at, how, deep, place, state) {
		n = index(asked, " ")
		path = substr(asked, 1, n - 1)
		folder = substr(asked, n + 1) "/"
		while ((getline line < path) > 0) {
			split(line, part, " ")
			at = part[2]
			how = part[4] ~ /^ro(,|$)/ ? "ro" : "rw"
			if (at ~ /^\/proc(\/sys(\/|$)|$)/) {
				for (n in state) if (index(n, at "/") == 1) delete state[n]
				state[at] = how
			}
			if (at == "/") at = ""
			if (index(folder, at "/") == 1 && length(at) >= deep) {
				deep = length(at)
				place = how == "ro" ? part[2] " (" part[3] ") is mounted read-only" : ""
			}
		}
		close(path)
		for (at in state) if (state[at] != around(state, at)) print "F mount\t" state[at] " " at
		if (place) print "F place\t" place
	}
	function around(state, at) {
		while (sub(/\/[^\/]*$/, "", at) && at) if (at in state) return state[at]
		return "rw"
	}
	function ufw(path,    line) {
		while ((getline line < path) > 0)
			if (line ~ /^[ \t]*ENABLED=["\047]?[yY]/) print "F writer\tufw"
		close(path)
	}
	function status(path,    line, part) {
		while ((getline line < path) > 0)
			if (line ~ /^Uid:/) { split(line, part, /[ \t]+/); print "F uid\t" part[3]; break }
		close(path)
	}
	function interface(path,    part, n) {
		n = split(path, part, "/")
		if (part[n] == "all" || part[n] == "default" || part[n] == "*" || part[n] in seen) return
		seen[part[n]] = 1
		print "I " part[n]
	}
	NR == 1 { proc = $0; next }
	/^\// { value($0); next }
	/^!/ { print substr($0, 2); next }
	/^=/ { n = index($0, " "); fact(substr($0, 2, n - 2), substr($0, n + 1)); next }
	/^i/ { interface($0) }
	/^o/ { release(substr($0, 2)) }
	/^m/ { mounts(substr($0, 2)) }
	/^u/ { ufw(substr($0, 2)) }
	/^s/ { status(substr($0, 2)) }
'

# Names below /proc/sys, as lines for sf_scan. Root is told which keys cannot be written to, at no look more: no
# folder there can be written to by anybody.
sf_ask() {
	for sf_name; do
		sf_path=$sf_root/proc/sys/$sf_name
		if test "$sf_looks" "$sf_path"; then
			:
		elif [ ! -f "$sf_path" ]; then
			printf '!A %s\n' "$sf_name"
			continue
		else
			printf '!F readonly\t%s\n' "$sf_name"
		fi
		case $sf_name in
		*/stable_secret) sf_ask_secret ;;
		*) printf '%s\n' "$sf_path" ;;
		esac
	done
}

# Unset, it gives an input/output error, of which mawk dies. It is text, so bytes one by one are right.
sf_ask_secret() {
	sf_value=
	if { read -r sf_value; } 2>/dev/null <"$sf_path"; then
		printf '!V %s\t%s\n' "$sf_name" "$sf_value"
	elif [ -r "$sf_path" ] && { : <"$sf_path"; } 2>/dev/null; then
		printf '!E %s\n' "$sf_name"
	else
		printf '!U %s\n' "$sf_name"
	fi
}

# Paths as a glob gave them: all there, or the one pattern that matched nothing.
sf_ask_matches() {
	if [ -e "$1" ]; then printf '%s\n' "$@"; fi
}

# The same where folders or secrets may be among them.
sf_ask_each() {
	for sf_match; do
		if [ -f "$sf_match" ]; then sf_ask "${sf_match#"$sf_root/proc/sys/"}"; fi
	done
}

# Looks at one file that a loader would read. Most links lead to one of two places, and need no process to tell.
sf_file() {
	case $1 in
	*"$sf_nl"*)
		sf_odd="$sf_odd${sf_nl}X ${1%%"$sf_nl"*}?"
		return 0
		;;
	esac
	if [ -L "$1" ]; then
		# shellcheck disable=SC3013 # dash, bash and BusyBox know -ef
		if [ "$1" -ef /dev/null ]; then
			sf_odd="$sf_odd${sf_nl}L $1 -> /dev/null"
		elif [ "$1" -ef "$sf_root/etc/sysctl.conf" ]; then
			sf_odd="$sf_odd${sf_nl}L $1 -> /etc/sysctl.conf"
		else
			sf_links=$sf_links$sf_nl$1
		fi
	fi
	if [ -f "$1" ]; then
		if [ -r "$1" ]; then sf_files=$sf_files$sf_nl$1; else sf_odd="$sf_odd${sf_nl}X $1"; fi
	elif [ -c "$1" ]; then
		sf_odd="$sf_odd${sf_nl}C $1"
	elif [ -e "$1" ]; then
		sf_odd="$sf_odd${sf_nl}D $1"
	elif [ ! -L "$1" ]; then
		return 0
	fi
	sf_count=$((sf_count + 1))
}

# Sets sf_files, the files with content, one a line, and sf_odd, which says of others what they are: L a link and
# where to, C a device (as good as empty), D a folder or the like, X not to be read. $1 is our own file, wherever it
# lies. Is false when there are too many.
sf_look_at_files() {
	sf_files='' sf_links='' sf_odd='' sf_count=0 sf_lib=$sf_root/lib/sysctl.d
	if [ -L "$sf_root/lib" ]; then sf_lib=$sf_root/nonexistent; fi
	for sf_one in "$sf_root"/etc/sysctl.d/*.conf "$sf_root"/etc/sysctl.d/.*.conf \
		"$sf_root"/run/sysctl.d/*.conf "$sf_root"/run/sysctl.d/.*.conf \
		"$sf_root"/usr/local/lib/sysctl.d/*.conf "$sf_root"/usr/local/lib/sysctl.d/.*.conf \
		"$sf_root"/usr/lib/sysctl.d/*.conf "$sf_root"/usr/lib/sysctl.d/.*.conf \
		"$sf_lib"/*.conf "$sf_lib"/.*.conf \
		"$sf_root/etc/sysctl.conf" "$sf_root/etc/ufw/sysctl.conf"; do
		sf_file "$sf_one"
	done
	case $1 in
	/etc/sysctl.conf | /etc/ufw/sysctl.conf) ;;
	/etc/sysctl.d/*/* | /run/sysctl.d/*/* | /usr/local/lib/sysctl.d/*/* | /usr/lib/sysctl.d/*/*) sf_file "$sf_root$1" ;;
	/etc/sysctl.d/*.conf | /run/sysctl.d/*.conf | /usr/local/lib/sysctl.d/*.conf | /usr/lib/sysctl.d/*.conf) ;;
	*) sf_file "$sf_root$1" ;;
	esac
	if [ "$sf_count" -gt 4000 ]; then
		printf 'toomany %s\n' "$sf_count"
		return 1
	fi
	if [ -n "$sf_links" ]; then
		sf_ifs=$IFS IFS=$sf_nl
		set -f
		# shellcheck disable=SC2012,SC2046,SC2086 # the names are known, only the targets are looked for
		set -- $(ls -ld $sf_links)
		for sf_one in $sf_links; do
			sf_odd="$sf_odd${sf_nl}L $sf_one -> ${1#*" $sf_one -> "}"
			if [ $# -gt 0 ]; then shift; fi
		done
		set +f
		IFS=$sf_ifs
	fi
	sf_files=${sf_files#"$sf_nl"} sf_odd=${sf_odd#"$sf_nl"}
}

# Is false, and says what is missing, when the host lacks one of these programs.
sf_need() {
	for sf_one; do
		if ! command -v "$sf_one" >/dev/null 2>&1; then
			printf 'missing %s\n' "$sf_one"
			return 1
		fi
	done
}
