#!/bin/sh
# Makes a Debian root that mmdebstrap has filled into a machine for tests: a disk, a kernel and what starts them.
# Usage: machine_image.sh ROOT OUT, with OUT/kernel.deb, OUT/key.pub and OUT/host_key there. Runs as (a mapped) root.
set -eu
root=$1
out=$2
PATH=$PATH:/usr/sbin:/sbin

# The kernel comes as it is packaged; only what would make an initrd for all machines of the world is left out.
mkdir "$out/kernel"
dpkg-deb --extract "$out/kernel.deb" "$out/kernel"
cp "$out"/kernel/boot/vmlinuz-* "$out/vmlinuz"
mkdir -p "$root/usr/lib/modules"
cp -a "$out"/kernel/lib/modules/* "$root/usr/lib/modules/"
rm -r "$out/kernel" "$out/kernel.deb"
version=$(ls "$root/usr/lib/modules")
chroot "$root" depmod "$version"

# An initrd that knows one disk and one network card: kernel packages have their drivers as modules.
initrd=$out/initrd.d
mkdir -p "$initrd/bin" "$initrd/dev" "$initrd/modules" "$initrd/root"
cp "$(command -v busybox)" "$initrd/bin/busybox"
number=100
for module in virtio_pci virtio_blk virtio_net; do
    chroot "$root" modprobe --set-version "$version" --show-depends "$module"
done | while read -r verb path; do
    if [ "$verb" = insmod ]; then
        number=$((number + 1))
        cp "$root$path" "$initrd/modules/$number.ko"
    fi
done
cat >"$initrd/init" <<'END'
#!/bin/busybox sh
busybox=/bin/busybox
$busybox mount -t devtmpfs dev /dev
# A driver that two others need stands in the list twice, and is refused once.
for module in /modules/*; do $busybox insmod "$module" 2>/dev/null; done
$busybox mount -t ext4 -o rw,noatime /dev/vda /root
$busybox umount /dev
exec $busybox switch_root /root /sbin/init
END
chmod 755 "$initrd/init"
(cd "$initrd" && find . | bin/busybox cpio -o -H newc 2>/dev/null) >"$out/initrd"
rm -r "$initrd"

# Who may come in, and how it is known.
mkdir -p "$root/root/.ssh"
chmod 700 "$root/root/.ssh"
install -m 600 "$out/key.pub" "$root/root/.ssh/authorized_keys"
rm -f "$root"/etc/ssh/ssh_host_*
install -m 600 "$out/host_key" "$root/etc/ssh/ssh_host_ed25519_key"
printf '%s\n' 'HostKey /etc/ssh/ssh_host_ed25519_key' 'UsePAM no' 'MaxStartups 100' \
    >"$root/etc/ssh/sshd_config.d/machine.conf"
echo machine >"$root/etc/hostname"

# Units: what has nothing to do with sysctl, SSH or timers only costs time under emulation.
units=$root/etc/systemd/system
for unit in apt-daily-upgrade.timer apt-daily.timer dev-hugepages.mount dev-mqueue.mount dpkg-db-backup.timer \
    e2scrub_all.timer e2scrub_reap.service fstrim.timer getty-static.service getty.target kmod-static-nodes.service \
    modprobe@.service proc-sys-fs-binfmt_misc.automount remote-fs.target serial-getty@.service \
    sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount \
    systemd-binfmt.service systemd-journal-flush.service systemd-pcrphase-sysinit.service systemd-pcrphase.service \
    systemd-pstore.service systemd-random-seed.service systemd-remount-fs.service systemd-sysusers.service \
    systemd-tmpfiles-clean.timer systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service \
    systemd-update-utmp-runlevel.service systemd-update-utmp.service systemd-user-sessions.service; do
    ln -sf /dev/null "$units/$unit"
done
ln -sf /lib/systemd/system/multi-user.target "$units/default.target"

drop_in() {
    mkdir -p "$units/$1.d"
    cat >"$units/$1.d/machine.conf"
}

# Each interface still gets its sysctl.d lines from udev's own rule, when it appears and is named.
drop_in systemd-udev-trigger.service <<'END'
[Service]
ExecStart=
ExecStart=-udevadm trigger --type=devices --action=add --subsystem-match=net --subsystem-match=block
END
# A mount namespace of its own fails now and then on a slow machine, and then there is no udev.
drop_in systemd-udevd.service <<'END'
[Service]
PrivateMounts=no
ProtectHostname=no
END
drop_in ssh.service <<'END'
[Service]
ExecStartPre=
END
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\n' >"$root/etc/systemd/journald.conf.d/machine.conf"

# The address that QEMU's user network forwards to. The name is the second slot's, as udev gives it.
device=sys-subsystem-net-devices-enp0s2.device
cat >"$units/address.service" <<END
[Unit]
Requires=$device
After=$device
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=ip address add 10.0.2.15/24 dev enp0s2
ExecStart=ip link set enp0s2 up
ExecStart=ip route add default via 10.0.2.2
END
# The sign that this boot has come to its end; ttyS1 leads to the test.
cat >"$units/ready.service" <<'END'
[Unit]
Requires=address.service ssh.service
After=address.service ssh.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >/dev/ttyS1'
END
mkdir -p "$units/multi-user.target.wants"
ln -s ../ready.service "$units/multi-user.target.wants/ready.service"

# The root alone: what mmdebstrap has mounted below it (proc, sys, dev) is not seen through a bind of its own.
mkdir "$out/root"
mount --bind "$root" "$out/root"
mke2fs -q -t ext4 -d "$out/root" "$out/root.img" 2G
umount "$out/root"
rmdir "$out/root"
