# shellcheck shell=sh disable=SC2034,SC2154 # the programs set and use the rest
# The record of a change on the host, and the watchdog that it names.
#
# $sf_state/change has a line for each step, and the last one holds; whoever writes to it has the host's lock, but
# for the watchdog's sign, which whoever has the lock waits for.
#   armed RUN UNTIL BOOT        from the uptime UNTIL on the watchdog puts everything back
#   watched RUN unit            it is a timer of systemd's
#   watched RUN PID START       it is a process, which began START ticks after the boot
#   placing RUN old|none        our file is being replaced: there was one, or none
#   committed RUN UPTIME        the file is in place
#   reverted RUN UPTIME WHY     all is as it was before
#   stuck RUN UPTIME WHY        not all could be put back

# Sets sf_up to whole seconds since the boot.
sf_uptime() {
	sf_up=
	read -r sf_up sf_rest </proc/uptime
	sf_up=${sf_up%%.*}
}

# Whether the time has passed after which nothing may be written: $1 is in whole seconds since the boot.
sf_too_late() {
	sf_uptime
	[ "$sf_up" -ge "$1" ]
}

sf_this_boot() {
	sf_boot=
	{ read -r sf_boot <"$sf_root/proc/sys/kernel/random/boot_id"; } 2>/dev/null || :
}

# Sets sf_was to the last step, sf_owner to the run whose record it is, and the rest of what it says; false when there
# is none. A line that was cut is not taken.
sf_recall() {
	sf_was='' sf_owner='' sf_until='' sf_armed_in='' sf_watch='' sf_had='' sf_said=
	if [ ! -f "$sf_state/change" ] || [ ! -r "$sf_state/change" ]; then return 1; fi
	while read -r sf_step sf_whose sf_rest; do
		case $sf_step in
		armed)
			sf_was=armed sf_owner=$sf_whose sf_until=${sf_rest%% *} sf_armed_in=${sf_rest#* }
			case $sf_until in '' | *[!0-9]*) sf_until=0 ;; esac
			;;
		watched) sf_watch=$sf_rest ;;
		placing) sf_was=placing sf_had=$sf_rest ;;
		committed | reverted | stuck) sf_was=$sf_step sf_said=$sf_rest ;;
		esac
	done <"$sf_state/change"
	[ -n "$sf_was" ]
}

# One step more in the record: one write, so that it is there wholly or not at all.
sf_record() {
	{ printf '%s\n' "$*" >>"$sf_state/change"; } 2>/dev/null
}

# Sets sf_start to when the process $1 began, in ticks since the boot; false when there is none.
sf_began() {
	sf_start=
	{ IFS= read -r sf_line <"/proc/$1/stat"; } 2>/dev/null || return 1
	sf_ifs=$IFS IFS=' '
	set -f
	# shellcheck disable=SC2086 # its words are wanted
	set -- ${sf_line##*) }
	set +f
	IFS=$sf_ifs
	shift 19
	sf_start=$1
}

# Whether the watchdog that the record names is a process that lives.
sf_is_watched() {
	case $sf_watch in
	*[!0-9\ ]* | '') return 1 ;;
	esac
	sf_began "${sf_watch% *}" && [ "$sf_start" = "${sf_watch#* }" ]
}

# Ends the watchdog; one that has fired by itself is this very program, and ends by itself.
sf_disarm() {
	if [ "$sf_watch" = unit ]; then
		systemctl stop "sysfleet-$sf_owner.timer" >/dev/null 2>&1
	elif [ "${sf_watch% *}" != "$$" ] && sf_is_watched; then
		# The number of its session is its own; what it sleeps in goes with it.
		kill -KILL "-${sf_watch% *}" 2>/dev/null || kill -KILL "${sf_watch% *}" 2>/dev/null
	fi
}
