#!/bin/sh
# Called by Buildroot with the target folder, before file systems are made. The
# files of the appliance are there already: its folder is one of the overlays.
set -eu

target=$1
appliance="${BR2_EXTERNAL_SRP_PATH}/../image/appliance/root"

# Where the configuration and the boot stack are mounted.
mkdir -p "${target}/flash" "${target}/etc/srp" "${target}/var"

# What cargo notes about its installations is of no use without cargo.
rm -f "${target}/usr/.crates.toml" "${target}/usr/.crates2.json"

# The appliance starts what it needs by its own scripts: what packages bring
# would open sockets that nobody has asked for.
for script in "${target}"/etc/init.d/S*; do
	name=${script##*/}
	if [ "${name}" != S50srpd ] && [ ! -e "${appliance}/etc/init.d/${name}" ]; then
		rm -f "${script}"
	fi
done

# Who may sign images for this one. Without a key of the caller's, a new one
# that is good for development.
key=${SRP_IMAGE_KEY:-${BINARIES_DIR}/keys/development.key}
if [ ! -e "${key}" ]; then
	if [ -n "${SRP_IMAGE_KEY:-}" ]; then
		echo "SRP_IMAGE_KEY: ${key} does not exist: image keygen makes one" >&2
		exit 1
	fi
	"${HOST_DIR}/bin/image" keygen --out "${BINARIES_DIR}/keys" development
fi
install -D -m 644 "${key%.key}.gpg" "${target}/etc/srp/image-keys.gpg"

# `uname` says which kernel; this says which appliance.
version=$(sed -n 's/^SRPD_VERSION = //p' "${BR2_EXTERNAL_SRP_PATH}/package/srpd/srpd.mk")
printf 'NAME="srp"\nVERSION="%s"\nBUILDROOT="%s"\n' "${version}" "${BR2_VERSION_FULL:-unknown}" \
	>"${target}/etc/srp-release"
