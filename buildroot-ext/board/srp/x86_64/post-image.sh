#!/bin/sh
# Called by Buildroot with the folder of images: makes the initrd, joins it with
# kernel and root file system into the signed image file that an operator copies
# to /flash, and makes a disk that boots it by BIOS and by UEFI. The development
# image is made by the same program.
set -eu

images=$1
image="${HOST_DIR}/bin/image"
key=${SRP_IMAGE_KEY:-${images}/keys/development.key}
work=$(mktemp -d)
trap 'rm -rf "${work}"' EXIT

# GRUB's modules, in a folder for each platform.
mkdir "${work}/grub" "${work}/parts"
for platform in i386-pc x86_64-efi; do
	found=
	for folder in "${BUILD_DIR}"/grub2-*/build-"${platform}"/grub-core; do
		[ -d "${folder}" ] && found=${folder}
	done
	if [ -z "${found}" ]; then
		echo "post-image: no GRUB for ${platform} in ${BUILD_DIR}: is BR2_TARGET_GRUB2 on?" >&2
		exit 1
	fi
	ln -s "${found}" "${work}/grub/${platform}"
done

cp "${images}/bzImage" "${work}/parts/vmlinuz"
cp "${images}/rootfs.squashfs" "${work}/parts/rootfs.squashfs"
"${image}" initrd --target "${TARGET_DIR}" --out "${work}/parts/initrd.img"
"${image}" disk --parts "${work}/parts" --grub "${work}/grub" --key "${key}" \
	--build "buildroot ${BR2_VERSION_FULL:-unknown}" --out "${images}"
