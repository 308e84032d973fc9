//! `image disk`: from packages and our programs to a signed image and a disk that boots it.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use image::Program;
use image::appliance::Parts;
use image::boot::{Block, BootFile, FlashPath, Stack};
use image::bundle::{self, Version};
use image::disk::{DEBIAN_MODULES, Disk, LEAST_FLASH_MIB, Loader, write_qcow2};
use image::signature::{KeyFiles, SigningKey, keygen};

/// The configuration of the first boot entry; the machine makes it when it first starts.
const CONFIGURATION: &str = "/srp/srpd.toml";

/// Make a signed image of the appliance and a disk that boots it, by BIOS and by UEFI
#[derive(Debug, Args)]
pub struct MakeDisk {
    /// Folder for the image, its signature, disk.img and, below `parts`, what they are made of
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Private key; its public half is expected beside it, as NAME.gpg [default: a new one in DIR/keys, for development]
    #[arg(long, value_name = "NAME.key")]
    key: Option<PathBuf>,
    /// Folder with vmlinuz, initrd.img and rootfs.squashfs, such as Buildroot's [default: made from Debian's packages]
    #[arg(long, value_name = "DIR")]
    parts: Option<PathBuf>,
    /// Folder of the static programs srpd, srpctl and srp-boot (scripts/build-static makes them)
    #[arg(long, value_name = "DIR", default_value = "target/static/x86_64-unknown-linux-gnu/release")]
    programs: PathBuf,
    /// Folder in which packages are kept between builds
    #[arg(long, value_name = "DIR", default_value = "target/image-cache")]
    cache: PathBuf,
    /// Folder of GRUB's modules, with i386-pc and x86_64-efi in it
    #[arg(long, value_name = "DIR", default_value = DEBIAN_MODULES)]
    grub: PathBuf,
    /// Size of /flash
    #[arg(long, value_name = "MIB", default_value_t = 256)]
    #[arg(value_parser = clap::value_parser!(u32).range(i64::from(LEAST_FLASH_MIB)..=1 << 20))]
    flash_mib: u32,
    /// Release
    #[arg(long, default_value_t = Version::ours())]
    version: Version,
    /// Oldest release that can be upgraded to it [default: the release before it]
    #[arg(long, value_name = "VERSION")]
    minimum_version: Option<Version>,
    /// Write disk.qcow2 as well, for tools that take no raw disk
    #[arg(long)]
    qcow2: bool,
    /// Which build, such as what `git describe` says
    #[arg(long, value_name = "TEXT", default_value = "development")]
    build: String,
}

impl MakeDisk {
    /// Does it, and says what there is now, or why not.
    pub fn run(&self) -> ExitCode {
        match self.make() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("image: {error}");
                ExitCode::FAILURE
            }
        }
    }

    fn make(&self) -> Result<(), Box<dyn Error>> {
        let files = self.key()?;
        let key = SigningKey::read(&files)?;
        let parts = self.parts(&files.public)?;
        let minimum_version = self.minimum_version.unwrap_or_else(|| self.version.oldest_beside());
        let recipe = parts.recipe(self.version, minimum_version, &self.build);
        let name = format!("srp-appliance-{}.bin", self.version);
        let image = self.out.join(&name);
        bundle::write(&recipe, &key, &image)?;

        let flash = tempfile::tempdir_in(&self.out)?;
        let signature = bundle::signature_of(&image);
        for file in [&image, &signature] {
            // The folder is on the file system of the image.
            fs::hard_link(file, flash.path().join(file.file_name().unwrap_or_default()))?;
        }
        let stack = BootFile::path(flash.path());
        if let Some(folder) = stack.parent() {
            fs::create_dir_all(folder)?;
        }
        let entry = Stack::of_one(FlashPath::new(format!("/{name}"))?, FlashPath::new(CONFIGURATION)?);
        fs::write(&stack, Block { stack: entry, ..Block::default() }.encode()?)?;
        let disk = self.out.join("disk.img");
        let loader = Loader::build(&files.public, &self.grub)?;
        Disk { loader: &loader, flash: flash.path(), flash_mib: self.flash_mib }.write(&disk)?;

        let mut written = vec![recipe.kernel, recipe.initrd, recipe.root, image, disk.clone()];
        if self.qcow2 {
            let packed = self.out.join("disk.qcow2");
            write_qcow2(&disk, &packed)?;
            written.push(packed);
        }
        for file in &written {
            println!("{:>12}  {}", fs::metadata(file)?.len(), file.display());
        }
        println!("signed with {}", files.private.display());
        Ok(())
    }

    fn key(&self) -> Result<KeyFiles, Box<dyn Error>> {
        const NAME: &str = "development";
        if let Some(key) = &self.key {
            return Ok(KeyFiles::beside(key));
        }
        let folder = self.out.join("keys");
        let files = KeyFiles::beside(&folder.join(format!("{NAME}.key")));
        if files.private.exists() {
            return Ok(files);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(keygen(&folder, NAME, u32::try_from(now.as_secs()).unwrap_or(u32::MAX))?)
    }

    fn parts(&self, keys: &Path) -> Result<Parts, Box<dyn Error>> {
        if let Some(folder) = &self.parts {
            return Ok(Parts::in_folder(folder));
        }
        let program = |name: &str| Program { name: name.to_owned(), file: self.programs.join(name) };
        let programs = [program("srpd"), program("srpctl")];
        let folder = self.out.join("parts");
        Ok(Parts::development(&folder, &self.cache, &programs, &program("srp-boot"), keys)?.0)
    }
}
