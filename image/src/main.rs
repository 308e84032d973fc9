//! `image build` makes the development image and says how large it became; the other commands make and sign images of the
//! appliance ([`release`]) and the disk that boots them ([`make_disk`]).

mod make_disk;
mod release;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use image::{Compression, Image, ImageError, Program, Recipe};

/// Builder of images.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build kernel and initramfs from Debian's packages and our static programs.
    Build {
        /// Folder for vmlinuz, initramfs and manifest.json.
        #[arg(long)]
        out: PathBuf,
        /// Folder of the static programs srpd, srpctl and lab (scripts/build-static makes them).
        #[arg(long, default_value = "target/static/x86_64-unknown-linux-gnu/release")]
        programs: PathBuf,
        /// The static srpd, if not that of the folder.
        #[arg(long)]
        srpd: Option<PathBuf>,
        /// The static srpctl, if not that of the folder.
        #[arg(long)]
        srpctl: Option<PathBuf>,
        /// The static lab program, if not that of the folder.
        #[arg(long)]
        lab: Option<PathBuf>,
        /// How the initramfs is packed.
        #[arg(long, value_enum, default_value_t)]
        compression: Compression,
        /// Folder in which packages are kept between builds.
        #[arg(long, default_value = "target/image-cache")]
        cache: PathBuf,
    },
    /// Make the initrd of an image out of the target folder of Buildroot.
    Initrd {
        /// The target folder: bin/busybox, usr/bin/srp-boot and their libraries.
        #[arg(long)]
        target: PathBuf,
        /// The initrd, packed.
        #[arg(long)]
        out: PathBuf,
    },
    Disk(make_disk::MakeDisk),
    #[command(flatten)]
    Release(release::Release),
}

fn main() -> ExitCode {
    let (out, programs, srpd, srpctl, lab, compression, cache) = match Arguments::parse().command {
        Command::Disk(disk) => return disk.run(),
        Command::Initrd { target, out } => return done(image::target::write_initrd(&target, &out)),
        Command::Release(release) => return release.run(),
        Command::Build { out, programs, srpd, srpctl, lab, compression, cache } => {
            (out, programs, srpd, srpctl, lab, compression, cache)
        }
    };
    let program = |name: &str, file: Option<PathBuf>| Program {
        name: name.to_owned(),
        file: file.unwrap_or_else(|| programs.join(name)),
    };
    let programs = vec![program("srpd", srpd), program("srpctl", srpctl), program("lab", lab)];
    done(image::build(&Recipe { programs, compression, cache, out }).map(|image| report(&image)))
}

fn done(result: Result<(), ImageError>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("image: {error}");
            ExitCode::FAILURE
        }
    }
}

fn report(image: &Image) {
    let manifest = &image.manifest;
    println!("kernel {}", manifest.kernel_release);
    let row = |octets: usize, what: &str| println!("{octets:>12}  {what}");
    row(manifest.kernel.octets, &image.kernel.display().to_string());
    row(manifest.initramfs.octets, &image.initramfs.display().to_string());
    row(manifest.unpacked_octets, "the same, unpacked");
    for (name, facts) in &manifest.programs {
        row(facts.octets, &format!("of which {name}"));
    }
}
