#!/bin/sh
# Called by Buildroot with the root that becomes the file system, once it has its
# users: what changes on the appliance is on /flash, and here are the links.
set -eu

target=$1

link() {
	mkdir -p "${target}/${1%/*}"
	rm -rf "${target:?}/$1"
	ln -s "$2" "${target}/$1"
}

link etc/dropbear /flash/etc/dropbear
link etc/resolv.conf /flash/etc/resolv.conf
link etc/shadow /flash/etc/shadow
link root/.ssh/authorized_keys /flash/etc/authorized_keys
link root/.ssh/id_dropbear /flash/etc/dropbear/id_dropbear
link root/.ssh/known_hosts /flash/etc/known_hosts
chmod 700 "${target}/root" "${target}/root/.ssh"
