//! Kernel modules: which files the wanted modules need, and the index from which the guest's `modprobe` works.
//!
//! A Debian kernel package has no `modules.dep` (depmod writes it at installation). Everything needed stands in the modules
//! themselves, in `.modinfo`: `depends=` and `alias=`. Names are compared with `-` written as `_`, as modprobe does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use crate::elf::Elf;
use crate::error::ImageError;

/// The modules of one kernel: files by name, and the names built into the kernel.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// The kernel's release, as `uname -r` says it.
    pub release: String,
    /// The compressed kernel.
    pub image: PathBuf,
    files: BTreeMap<String, PathBuf>,
    built_in: BTreeSet<String>,
    folder: PathBuf,
}

/// One module that goes into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// Path below `/lib/modules/RELEASE`.
    pub path: String,
    /// The file.
    pub contents: Vec<u8>,
    /// Names of the modules that must be loaded before this one.
    pub depends: Vec<String>,
    /// Names under which the kernel or an operator may ask for this one.
    pub aliases: Vec<String>,
}

impl Kernel {
    /// Finds kernel and modules in an unpacked kernel package.
    pub fn open(root: &Path) -> Result<Self, ImageError> {
        let images = entries(&root.join("boot"))?;
        let images: Vec<_> =
            images.into_iter().filter(|path| file_name(path).starts_with("vmlinuz-")).collect();
        let [image] = images.as_slice() else {
            let (root, found) = (root.to_owned(), images.len());
            return Err(ImageError::KernelLayout { root, what: "boot/vmlinuz-*", found });
        };
        let folders = entries(&root.join("lib/modules"))?;
        let [folder] = folders.as_slice() else {
            let (root, found) = (root.to_owned(), folders.len());
            return Err(ImageError::KernelLayout { root, what: "lib/modules/*", found });
        };
        let mut files = BTreeMap::new();
        collect_modules(&folder.join("kernel"), &mut files)?;
        let list = folder.join("modules.builtin");
        let list = fs::read_to_string(&list).map_err(ImageError::file(&list))?;
        Ok(Self {
            release: file_name(folder),
            image: image.clone(),
            files,
            built_in: list.lines().map(|line| module_name(Path::new(line))).collect(),
            folder: folder.clone(),
        })
    }

    /// The wanted modules and all that they depend on, by name.
    pub fn closure(&self, wanted: &[&str]) -> Result<BTreeMap<String, Module>, ImageError> {
        let mut found = BTreeMap::new();
        let mut open: Vec<(String, String)> =
            wanted.iter().map(|name| (normal(name), "the image's list".to_owned())).collect();
        while let Some((name, needed_by)) = open.pop() {
            if found.contains_key(&name) || self.built_in.contains(&name) {
                continue;
            }
            let Some(path) = self.files.get(&name) else {
                return Err(ImageError::NoModule { module: name, needed_by });
            };
            let module = self.read(path)?;
            open.extend(module.depends.iter().map(|dependency| (dependency.clone(), name.clone())));
            found.insert(name, module);
        }
        Ok(found)
    }

    fn read(&self, path: &Path) -> Result<Module, ImageError> {
        let contents = fs::read(path).map_err(ImageError::file(path))?;
        let elf_error = |source| ImageError::Elf { path: path.to_owned(), source };
        let elf = Elf::parse(&contents).map_err(elf_error)?;
        let lists = elf.module_info("depends").map_err(elf_error)?;
        let depends = lists.iter().flat_map(|list| list.split(',')).filter(|name| !name.is_empty());
        let depends = depends.map(normal).filter(|name| !self.built_in.contains(name)).collect();
        let aliases = elf.module_info("alias").map_err(elf_error)?.into_iter().map(str::to_owned).collect();
        let below = path.strip_prefix(&self.folder).unwrap_or(path);
        Ok(Module { path: below.to_string_lossy().into_owned(), contents, depends, aliases })
    }
}

/// `modules.dep`: for each module its file and, nearest first, every file that must be loaded before it.
pub fn dependency_index(modules: &BTreeMap<String, Module>) -> String {
    let mut index = String::new();
    for module in modules.values() {
        let mut needed = Vec::new();
        let mut open: Vec<&String> = module.depends.iter().collect();
        while let Some(name) = open.pop() {
            // A module needed on two paths must stand behind all that need it: the last mention counts.
            needed.retain(|other| *other != name);
            needed.push(name);
            open.extend(modules.get(name).into_iter().flat_map(|module| &module.depends));
        }
        let _ = write!(index, "{}:", module.path);
        for dependency in needed.into_iter().filter_map(|name| modules.get(name)) {
            let _ = write!(index, " {}", dependency.path);
        }
        index.push('\n');
    }
    index
}

/// `modules.alias`: by which other names the kernel asks for a module (`rtnl-link-dummy` for dummy).
pub fn alias_index(modules: &BTreeMap<String, Module>) -> String {
    let mut index = String::new();
    for (name, module) in modules {
        for alias in &module.aliases {
            let _ = writeln!(index, "alias {alias} {name}");
        }
    }
    index
}

fn collect_modules(folder: &Path, files: &mut BTreeMap<String, PathBuf>) -> Result<(), ImageError> {
    for path in entries(folder)? {
        if path.is_dir() {
            collect_modules(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "ko") {
            files.insert(module_name(&path), path);
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, ImageError> {
    let mut paths = fs::read_dir(folder)
        .map_err(ImageError::file(folder))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(ImageError::file(folder))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn module_name(path: &Path) -> String {
    normal(&path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default())
}

fn normal(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn module(path: &str, depends: &[&str], aliases: &[&str]) -> Module {
        Module {
            path: path.to_owned(),
            contents: Vec::new(),
            depends: depends.iter().map(|name| (*name).to_owned()).collect(),
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_needed_twice_is_loaded_before_both() {
        // net needs ring and failover; both need base.
        let modules = BTreeMap::from([
            ("net".to_owned(), module("net.ko", &["ring", "failover"], &[])),
            ("ring".to_owned(), module("ring.ko", &["base"], &[])),
            ("failover".to_owned(), module("failover.ko", &["base"], &[])),
            ("base".to_owned(), module("base.ko", &[], &[])),
        ]);
        let index = dependency_index(&modules);
        let net = index.lines().find(|line| line.starts_with("net.ko:")).unwrap();
        assert_eq!(net, "net.ko: failover.ko ring.ko base.ko");
    }

    #[test]
    fn aliases_lead_to_the_module() {
        let modules = BTreeMap::from([("dummy".to_owned(), module("dummy.ko", &[], &["rtnl-link-dummy"]))]);
        assert_eq!(alias_index(&modules), "alias rtnl-link-dummy dummy\n");
    }

    #[test]
    fn names_are_compared_as_modprobe_does() {
        assert_eq!(module_name(Path::new("kernel/crypto/crc32c-intel.ko")), "crc32c_intel");
    }
}
