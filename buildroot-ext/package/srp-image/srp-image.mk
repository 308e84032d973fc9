################################################################################
#
# srp-image
#
################################################################################

SRP_IMAGE_VERSION = 0.1.0
SRP_IMAGE_SITE = $(realpath $(BR2_EXTERNAL_SRP_PATH)/..)
SRP_IMAGE_SITE_METHOD = local
SRP_IMAGE_SUBDIR = image
SRP_IMAGE_LICENSE = MIT or Apache-2.0
SRP_IMAGE_DEPENDENCIES = host-srp-image

# The workspace is copied whole, but for what was built in it.
SRP_IMAGE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--exclude /target --exclude /out --exclude /buildroot-ext
HOST_SRP_IMAGE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	$(SRP_IMAGE_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS)

# A local site is not downloaded, so nobody has vendored its crates; cargo is
# then called with --offline --locked and must find them here.
define SRP_IMAGE_VENDOR_CRATES
	mkdir -p $(@D)/.cargo
	cd $(@D) && PATH=$(BR_PATH) $(PKG_COMMON_CARGO_ENV) \
		cargo vendor --locked VENDOR > .cargo/config.toml
endef
SRP_IMAGE_POST_RSYNC_HOOKS += SRP_IMAGE_VENDOR_CRATES
HOST_SRP_IMAGE_POST_RSYNC_HOOKS += SRP_IMAGE_VENDOR_CRATES

# The builder has no place in an image.
define SRP_IMAGE_REMOVE_BUILDER
	rm -f $(TARGET_DIR)/usr/bin/image
endef
SRP_IMAGE_POST_INSTALL_TARGET_HOOKS += SRP_IMAGE_REMOVE_BUILDER

$(eval $(cargo-package))
$(eval $(host-cargo-package))

# The hooks above run cargo before the step that waits for dependencies.
$(SRP_IMAGE_TARGET_RSYNC): | host-rustc
$(HOST_SRP_IMAGE_TARGET_RSYNC): | host-rustc
