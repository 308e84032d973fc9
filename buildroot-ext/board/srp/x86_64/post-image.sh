#!/bin/sh
# Called by Buildroot with the folder of images: joins kernel and root file
# system into the one file that an operator copies to /flash.
#
# A plain ustar archive: GRUB reads it by itself, and Linux can mount the root
# file system in it at its offset. The same inputs give the same octets.
set -eu

images=$1
version=$(sed -n 's/^SRPD_VERSION = //p' "${BR2_EXTERNAL_SRP_PATH}/package/srpd/srpd.mk")
image="${images}/srp-${version}.bin"
work=$(mktemp -d)
trap 'rm -rf "${work}"' EXIT

cp "${images}/bzImage" "${work}/vmlinuz"
cp "${images}/rootfs.squashfs" "${work}/rootfs.squashfs"

member() {
	octets=$(stat -c %s "${work}/$1")
	sum=$(sha256sum <"${work}/$1" | cut -d ' ' -f 1)
	printf '    "%s": { "octets": %s, "sha256": "%s" }' "$1" "${octets}" "${sum}"
}

{
	printf '{\n  "product": "srp",\n  "version": "%s",\n  "architecture": "x86_64",\n' "${version}"
	printf '  "members": {\n'
	member vmlinuz
	printf ',\n'
	member rootfs.squashfs
	printf '\n  }\n}\n'
} >"${work}/manifest.json"

chmod 644 "${work}"/*
tar --format=ustar --owner=0 --group=0 --numeric-owner --mtime=@0 -C "${work}" \
	-cf "${image}.part" manifest.json vmlinuz rootfs.squashfs
mv "${image}.part" "${image}"
echo "${image}: $(stat -c %s "${image}") octets"
