# shellcheck shell=sh disable=SC2016,SC2034,SC2154 # awk's text is no shell's; other parts set and use the rest
# What is not as it should be: for the programs that write, and for the watchdog.

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
