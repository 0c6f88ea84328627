#!/bin/sh
# SPDX-License-Identifier: MPL-2.0
#
# Debian's kernel as a microVM boots it, out of the package, without installing it.
#
#   images/kernel.sh [OUT [PACKAGE]]      OUT: build/images/kernel; ARCH=arm64: for that one
#
#   OUT/tree/boot/vmlinux, initrd.img     the kernel image's content; of arm64 an "Image"
#   OUT/packed/boot/vmlinuz               of amd64: the same as it is packaged
#   OUT/modules/usr/lib/modules/VERSION   a layer for roots that want more modules
#   OUT/version                           what uname -r says
set -eu

here=$(cd "$(dirname "$0")" && pwd)
out=${1:-build/images/kernel}
# shellcheck source=images/recipe.sh
. "$here/recipe.sh"
# shellcheck source=images/apt.sh
. "$here/apt.sh"
recipe_needs kernel
arch=${ARCH:-$(dpkg --print-architecture)}
# The cloud kernel of arm64 has nobody who hears a power button.
case $arch in
amd64) package=${2:-linux-image-cloud-amd64} ;;
*) package=${2:-linux-image-$arch} ;;
esac

# In the initrd: buses, disks, nets, consoles, what seeds and roots are formatted with.
initrd_modules='virtio_mmio virtio_pci virtio_blk virtio_scsi sd_mod virtio_net virtio_rng
virtio_console virtio_balloon virtiofs vmw_vsock_virtio_transport evdev ext4
vfat nls_cp437 nls_ascii nls_utf8 isofs squashfs erofs overlay'
case $arch in
amd64) initrd_modules="$initrd_modules button pvpanic-mmio pvpanic-pci" ;;
arm64) initrd_modules="$initrd_modules gpio_keys" ;;
esac
initrd_applets='sh mount modprobe cat findfs hexdump sleep mkdir switch_root'
# Hardware that no microVM has.
pruned='drivers/ata drivers/comedi drivers/cpufreq drivers/hid drivers/hv
drivers/infiniband drivers/input/rmi4 drivers/net/ethernet drivers/net/hyperv drivers/net/wwan
drivers/nvme drivers/platform drivers/target drivers/thermal drivers/vfio drivers/watchdog
drivers/xen net/smc net/rds net/tipc net/dccp fs/orangefs fs/nfsd fs/smb'
# What only a kernel for real machines has.
pruned="$pruned sound drivers/accessibility drivers/atm drivers/bluetooth drivers/clk drivers/dma
drivers/firewire drivers/gpu drivers/hwmon drivers/hwtracing drivers/i2c drivers/iio drivers/leds
drivers/media drivers/memstick drivers/message drivers/mfd drivers/mmc drivers/mtd drivers/net/can
drivers/net/dsa drivers/net/ieee802154 drivers/net/phy drivers/net/usb drivers/net/wireless
drivers/nfc drivers/perf drivers/phy drivers/power drivers/regulator drivers/soc drivers/soundwire
drivers/spi drivers/staging drivers/ufs drivers/usb drivers/video drivers/w1 net/atm net/batman-adv
net/bluetooth net/can net/ieee802154 net/mac80211 net/nfc net/rxrpc net/wireless fs/afs fs/gfs2
fs/jffs2 fs/jfs fs/nilfs2 fs/ocfs2 fs/reiserfs fs/ubifs"

# The versioned package behind a name such as linux-image-cloud-amd64.
real_package() {
	real=$(apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p')
	echo "${real:-$1}"
}

# Of a package, as apt would fetch it.
digest_of() {
	apt-cache show --no-all-versions "$1" 2>/dev/null | sed -n 's/^SHA256: //p'
}

# A package's files into a folder of the work.
unpack() {
	(cd "$RECIPE_WORK" && apt-get -q -q -o APT::Sandbox::User=root download "$1")
	dpkg-deb -x "$RECIPE_WORK"/*.deb "$RECIPE_WORK/$2"
	rm "$RECIPE_WORK"/*.deb
}

# A number of SIZE bytes at OFFSET of a bzImage's header.
header() {
	od -A n -t "u$2" -j "$1" -N "$2" "$3" | tr -d ' '
}

# What is booted, out of what is packaged.
take_kernel() {
	case $(od -A n -t x1 -j 56 -N 4 "$1" | tr -d ' ') in
	41524d64) cp "$1" "$2" ;;
	*)
		extract_vmlinux "$1" "$2"
		install -D -m 0644 "$1" "$RECIPE_WORK/packed/boot/vmlinuz"
		;;
	esac
}

# The ELF kernel inside a bzImage (Documentation/x86/boot.rst: payload_offset, payload_length).
extract_vmlinux() {
	start=$((($(header 497 1 "$1") + 1) * 512 + $(header 584 4 "$1")))
	length=$(header 588 4 "$1")
	tail -c "+$((start + 1))" "$1" | head -c "$length" >"$2.packed"
	case $(od -A n -t x1 -N 4 "$2.packed" | tr -d ' ') in
	# The size that follows the stream confuses lz4 and xz; the others ignore it.
	02214c18) head -c -4 "$2.packed" | lz4 -d -c ;;
	fd377a58) xz -d -c --single-stream <"$2.packed" ;;
	1f8b*) gzip -d -c <"$2.packed" || [ $? = 2 ] ;;
	28b52ffd) head -c -4 "$2.packed" | zstd -d -c ;;
	*) recipe_die "$1: compressed in a way this recipe does not know" ;;
	esac >"$2"
	rm "$2.packed"
	[ "$(head -c 4 "$2")" = "$(printf '\177ELF')" ] || recipe_die "$1: holds no ELF kernel"
}

# Copies named modules and what they need from the tree $1 to the tree $2.
copy_modules() {
	for module in $initrd_modules; do
		modprobe -d "$1/usr" -S "$version" --show-depends "$module" >>"$RECIPE_WORK/needed" ||
			recipe_die "$package: has no module $module"
	done
	sed -n 's/^insmod //p' "$RECIPE_WORK/needed" | sort -u | while read -r file; do
		install -D -m 0644 "$file" "$2/lib${file#"$1/usr/lib"}"
	done
	cp "$1/usr/lib/modules/$version/modules.builtin"* "$2/lib/modules/$version/"
	cp "$1/usr/lib/modules/$version/modules.order" "$2/lib/modules/$version/"
	depmod -b "$2" "$version"
	rm "$RECIPE_WORK/needed"
	# busybox reads the text files only.
	rm "$2/lib/modules/$version"/*.bin
}

make_initrd() {
	mkdir -p "$1/bin" "$1/sbin" "$1/dev" "$1/proc" "$1/sys" "$1/root"
	install -m 0755 "$busybox" "$1/bin/busybox"
	for applet in $initrd_applets; do
		ln -s busybox "$1/bin/$applet"
	done
	# The kernel itself calls this one, for a file system it does not know.
	ln -s ../bin/busybox "$1/sbin/modprobe"
	install -m 0755 "$here/initrd/init" "$1/init"
	copy_modules "$RECIPE_WORK/modules" "$1"
	find "$1" -exec touch -h -d "@$epoch" {} +
	(cd "$1" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$2"
}

mkdir -p "$(dirname "$out")"
out=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
apt_for "$arch" "$(dirname "$out")/apt-$arch"
if [ "$arch" = "$(dpkg --print-architecture)" ]; then
	busybox=/bin/busybox
	busybox_is=$busybox
else
	busybox=$out.new/busybox/bin/busybox
	busybox_is=$(digest_of busybox-static)
fi
real=$(real_package "$package")
deb=$(digest_of "$real")
[ "$deb" ] || recipe_die "$package: apt does not know it: apt-get update, or name another"
key=$(recipe_key "$0" "$here/recipe.sh" "$here/apt.sh" "$here/initrd/init" "$busybox_is" "$deb")
recipe_begin "$out" "$key"

unpack "$real" package
[ "$busybox_is" = "$busybox" ] || unpack busybox-static busybox
version=$(ls "$RECIPE_WORK/package/lib/modules")
epoch=$(stat -c %Y "$RECIPE_WORK/package/boot/vmlinuz-$version")
mkdir -p "$RECIPE_WORK/tree/boot" "$RECIPE_WORK/modules/usr/lib"
take_kernel "$RECIPE_WORK/package/boot/vmlinuz-$version" "$RECIPE_WORK/tree/boot/vmlinux"
mv "$RECIPE_WORK/package/lib/modules" "$RECIPE_WORK/modules/usr/lib/modules"
depmod -b "$RECIPE_WORK/modules/usr" "$version"
make_initrd "$RECIPE_WORK/initrd" "$RECIPE_WORK/tree/boot/initrd.img"
for folder in $pruned; do
	rm -rf "$RECIPE_WORK/modules/usr/lib/modules/$version/kernel/$folder"
done
depmod -b "$RECIPE_WORK/modules/usr" "$version"
rm -rf "$RECIPE_WORK/package" "$RECIPE_WORK/busybox" "$RECIPE_WORK/initrd"
find "$RECIPE_WORK" -mindepth 1 -exec touch -h -d "@$epoch" {} +
echo "$version" >"$RECIPE_WORK/version"
recipe_publish "$out" "$key"
