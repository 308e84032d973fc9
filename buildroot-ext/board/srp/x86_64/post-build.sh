#!/bin/sh
# Called by Buildroot with the target folder, before file systems are made.
set -eu

target=$1

# Where the configuration and the boot stack are mounted.
mkdir -p "${target}/flash" "${target}/etc/srp"

# What cargo notes about its installations is of no use without cargo.
rm -f "${target}/usr/.crates.toml" "${target}/usr/.crates2.json"

# `uname` says which kernel; this says which appliance.
version=$(sed -n 's/^SRPD_VERSION = //p' "${BR2_EXTERNAL_SRP_PATH}/package/srpd/srpd.mk")
printf 'NAME="srp"\nVERSION="%s"\nBUILDROOT="%s"\n' "${version}" "${BR2_VERSION_FULL:-unknown}" \
	>"${target}/etc/srp-release"
