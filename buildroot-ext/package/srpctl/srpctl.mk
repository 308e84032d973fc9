################################################################################
#
# srpctl
#
################################################################################

SRPCTL_VERSION = 0.1.0
SRPCTL_SITE = $(realpath $(BR2_EXTERNAL_SRP_PATH)/..)
SRPCTL_SITE_METHOD = local
SRPCTL_SUBDIR = srp/cli
SRPCTL_LICENSE = MIT or Apache-2.0

# The workspace is copied whole, but for what was built in it.
SRPCTL_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /out --exclude /buildroot-ext

# A local site is not downloaded, so nobody has vendored its crates; cargo is
# then called with --offline --locked and must find them here.
define SRPCTL_VENDOR_CRATES
	mkdir -p $(@D)/.cargo
	cd $(@D) && PATH=$(BR_PATH) $(PKG_COMMON_CARGO_ENV) \
		cargo vendor --locked VENDOR > .cargo/config.toml
endef
SRPCTL_POST_RSYNC_HOOKS += SRPCTL_VENDOR_CRATES

$(eval $(cargo-package))

# The hook above runs cargo before the step that waits for dependencies.
$(SRPCTL_TARGET_RSYNC): | host-rustc
