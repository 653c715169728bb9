# shellcheck shell=sh disable=SC2154 # what looks unset, the prelude sets
# Reads a host: facts, values, files. Changes nothing and needs no rights of its own.
#
# Two functions come with the request: sf_wanted_keys, which calls sf_ask…, and the last line, which calls
# sf_read OUR_FILE LIMIT_BYTES.

sf_read() {
	sf_need awk head ls || return 0
	{
		printf '%s\n' "$sf_root/proc/sys/"
		sf_facts "${1%/*}"
		sf_loader
		sf_writers
		sf_wanted_keys
	} | awk "$sf_scan" 2>&1 || {
		printf 'broken awk\n'
		return 0
	}
	sf_look_at_files "$1" || return 0
	printf 'files\n'
	if [ -n "$sf_files" ]; then printf '%s\n' "$sf_files"; fi
	if [ -n "$sf_odd" ]; then printf '%s\n' "$sf_odd"; fi
	printf 'contents\n'
	if [ -n "$sf_files" ]; then
		# head says before each file which one it is, but not of a single one.
		sf_ifs=$IFS IFS=$sf_nl
		set -f
		# shellcheck disable=SC2086 # one word a line is what is wanted
		head -c "$2" $sf_files /dev/null
		set +f
		IFS=$sf_ifs
	fi
}

sf_facts() {
	printf '=%s\n' "hostname $sf_root/proc/sys/kernel/hostname" "kernel $sf_root/proc/sys/kernel/osrelease" \
		"architecture $sf_root/proc/sys/kernel/arch" "boot_id $sf_root/proc/sys/kernel/random/boot_id" \
		"cmdline /proc/cmdline" "memory /proc/meminfo" "uptime /proc/uptime" "cpus /sys/devices/system/cpu/online"
	printf '%s\n' "o$sf_root/etc/os-release" "s/proc/self/status" "u$sf_root/etc/ufw/ufw.conf"
	printf 'i%s\n' "$sf_root"/proc/sys/net/ipv4/conf/* "$sf_root"/proc/sys/net/ipv6/conf/*
	if [ -n "$sf_root" ]; then printf '!F stand_in\t%s\n' "$sf_root"; else printf 'm/proc/self/mounts %s\n' "$1"; fi
	if [ -L "$sf_root$1" ]; then printf '!F place\t%s is a link\n' "$1"; fi
	if [ -e "$sf_root/run/ostree-booted" ]; then printf '!F image\tostree\n'; fi
	if [ -e "$sf_root/etc/NIXOS" ]; then printf '!F owner\tnixos\n'; fi
	if [ -e "$sf_root/etc/openwrt_release" ]; then printf '!F owner\topenwrt\n'; fi
	if [ ! -d "$sf_root/proc/sys/net/ipv6/conf" ]; then printf '!F ipv6\tno\n'; fi
	if [ -f "$sf_root/run/systemd/container" ]; then
		printf '=container %s\n' "$sf_root/run/systemd/container"
	elif [ -e "$sf_root/.dockerenv" ]; then
		printf '!F container\tdocker\n'
	elif [ -e "$sf_root/run/.containerenv" ]; then
		printf '!F container\tpodman\n'
	else
		# A user namespace of its own maps fewer ids than all.
		printf '=uid_map /proc/self/uid_map\n'
	fi
}

# Which program applies files at boot, as the host itself shows it, and whether it is switched off.
sf_loader() {
	if [ -d "$sf_root/run/systemd/system" ]; then
		printf '!F init\tsystemd\n'
		for sf_one in "$sf_root"/usr/lib/systemd/systemd-sysctl "$sf_root"/lib/systemd/systemd-sysctl; do
			if [ -e "$sf_one" ]; then
				printf '!F loader\tsystemd\n'
				break
			fi
		done
		for sf_one in "$sf_root"/usr/lib/*/systemd/libsystemd-shared-*.so "$sf_root"/usr/lib64/systemd/libsystemd-shared-*.so \
			"$sf_root"/usr/lib/systemd/libsystemd-shared-*.so "$sf_root"/lib/systemd/libsystemd-shared-*.so; do
			if [ -e "$sf_one" ]; then
				sf_one=${sf_one##*shared-}
				printf '!F version\t%s\n' "${sf_one%.so}"
				break
			fi
		done
		for sf_one in "$sf_root"/etc/systemd/system/systemd-sysctl.service "$sf_root"/run/systemd/system/systemd-sysctl.service; do
			# Masked: a link to the null device, or an empty file.
			if [ -c "$sf_one" ] || { [ -f "$sf_one" ] && [ ! -s "$sf_one" ]; }; then printf '!F disabled\tyes\n'; fi
		done
	elif [ -e "$sf_root/etc/alpine-release" ] && [ -e "$sf_root/etc/init.d/sysctl" ]; then
		printf '!F init\topenrc\n!F loader\talpine\n'
		sf_runlevel
	elif [ -e "$sf_root/etc/init.d/sysctl" ] && [ -d "$sf_root/run/openrc" ]; then
		printf '!F init\topenrc\n!F loader\topenrc\n'
		sf_runlevel
	elif [ -e "$sf_root/etc/init.d/procps" ]; then
		printf '!F init\tsysvinit\n!F loader\tprocps\n'
		set -- "$sf_root"/etc/rcS.d/S*procps
		if [ ! -e "$1" ]; then printf '!F disabled\tyes\n'; fi
		# The library's number tells between which releases the program lies; the newest of them is named.
		for sf_one in "$sf_root"/usr/lib/*/libproc2.so.* "$sf_root"/usr/lib/*/libprocps.so.*.* "$sf_root"/lib/*/libprocps.so.*.*; do
			if [ -e "$sf_one" ]; then
				case $sf_one in
				*libproc2.so.0*) printf '!F version\t4.0.4\n' ;;
				*libproc2*) printf '!F version\t4.0.5\n' ;;
				*libprocps.so.8.0.2) printf '!F version\t3.3.16\n' ;;
				*libprocps.so.8*) printf '!F version\t3.3.17\n' ;;
				*) printf '!F version\t3.3.15\n' ;;
				esac
				break
			fi
		done
	elif [ -d "$sf_root/run/openrc" ]; then
		printf '!F init\topenrc\n'
	fi
}

sf_runlevel() {
	if [ ! -e "$sf_root/etc/runlevels/boot/sysctl" ] && [ ! -L "$sf_root/etc/runlevels/boot/sysctl" ]; then
		printf '!F disabled\tyes\n'
	fi
}

# Who else writes to /proc/sys after the loader; ufw is told apart by its own file.
sf_writers() {
	if [ -d "$sf_root/run/tuned" ]; then printf '=tuned %s\n' "$sf_root/etc/tuned/active_profile"; fi
	if [ -d "$sf_root/run/systemd/netif/links" ]; then printf '!F writer\tnetworkd\n'; fi
	if [ -d "$sf_root/run/NetworkManager" ]; then printf '!F writer\tNetworkManager\n'; fi
	if [ -e "$sf_root/run/docker.sock" ]; then printf '!F writer\tdocker\n'; fi
	if [ -d "$sf_root/var/lib/kubelet" ]; then printf '!F writer\tkubelet\n'; fi
	if [ -d "$sf_root/run/libvirt" ]; then printf '!F writer\tlibvirt\n'; fi
}
