################################################################################
#
# srpd
#
################################################################################

SRPD_VERSION = 0.1.0
SRPD_SITE = $(realpath $(BR2_EXTERNAL_SRP_PATH)/..)
SRPD_SITE_METHOD = local
SRPD_SUBDIR = srp/daemon
SRPD_LICENSE = MIT or Apache-2.0

# The workspace is copied whole, but for what was built in it.
SRPD_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /out --exclude /buildroot-ext

# A local site is not downloaded, so nobody has vendored its crates; cargo is
# then called with --offline --locked and must find them here.
define SRPD_VENDOR_CRATES
	mkdir -p $(@D)/.cargo
	cd $(@D) && PATH=$(BR_PATH) $(PKG_COMMON_CARGO_ENV) \
		cargo vendor --locked VENDOR > .cargo/config.toml
endef
SRPD_POST_RSYNC_HOOKS += SRPD_VENDOR_CRATES

# What the daemon becomes; the same numbers as in images of other builds, as
# files on /flash outlive an image.
define SRPD_USERS
	srp 200 srp 200 * /run/srp /bin/false - Redundancy daemon
endef

define SRPD_INSTALL_INIT_SYSV
	$(INSTALL) -D -m 0755 $(SRPD_PKGDIR)/S50srpd \
		$(TARGET_DIR)/etc/init.d/S50srpd
endef

$(eval $(cargo-package))

# The hook above runs cargo before the step that waits for dependencies.
$(SRPD_TARGET_RSYNC): | host-rustc
