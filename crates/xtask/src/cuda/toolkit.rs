//! NVIDIA's compiler from the Python packages that carry it, unpacked into the cache: no installer, no root.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::wheels::{Wheel, fetch};
use crate::shell::{cache, output};

/// The toolkit's version. Its kernels run with drivers of this version or newer: newer compilers would write kernels that
/// driver 580 refuses.
pub(super) const VERSION: &str = "13.0";

/// The compiler with its back end, headers and the static runtime.
const WHEELS: [Wheel; 5] = [
    Wheel {
        package: "nvidia-cuda-nvcc",
        version: "13.0.88",
        file: "nvidia_cuda_nvcc-13.0.88-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "56fe502eb77625a12f25172caa3cdddb4e4c8ba2c8c17dba44b164761b380f03",
    },
    Wheel {
        package: "nvidia-nvvm",
        version: "13.0.88",
        file: "nvidia_nvvm-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        sha256: "c5f41ffeb6466944a026dfa5317d7d85355c119bbec279205d22f1869d1054e0",
    },
    Wheel {
        package: "nvidia-cuda-crt",
        version: "13.0.88",
        file: "nvidia_cuda_crt-13.0.88-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "2c8043c7c9e02492716426e9919fc78d2c5b3b2a7a768a88e952676b08aa55a4",
    },
    Wheel {
        package: "nvidia-cuda-runtime",
        version: "13.0.96",
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    },
    Wheel {
        package: "nvidia-cuda-cccl",
        version: "13.0.85",
        file: "nvidia_cuda_cccl-13.0.85-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "e0da7ad981f3a8aff08241b5bfc1af868742a63e2762f53a5171c492ef242649",
    },
];

/// Written last: a folder without it is not whole.
const COMPLETE: &str = "complete";

/// Where the toolkit lies in the cache.
fn place() -> Result<PathBuf> {
    Ok(cache()?.join("cuda").join(VERSION))
}

/// What the marker file says: the packages that were unpacked.
fn contents() -> String {
    WHEELS.iter().map(|wheel| format!("{} {}\n", wheel.package, wheel.version)).collect()
}

/// The toolkit's folder, if it has been unpacked.
pub(super) fn installed() -> Result<Option<PathBuf>> {
    let folder = place()?;
    let whole = fs::read_to_string(folder.join(COMPLETE)).is_ok_and(|text| text == contents());
    Ok(whole.then_some(folder))
}

/// The toolkit's folder; fetches and unpacks it on the first call.
pub(crate) fn ensure() -> Result<PathBuf> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        bail!("the CUDA build needs Linux on x86-64");
    }
    if let Some(folder) = installed()? {
        println!("   present: {}", folder.display());
        return Ok(folder);
    }
    let folder = place()?;
    println!(
        "   NVIDIA's CUDA compiler {VERSION} (104 MB to fetch, 271 MB in {}): five packages from the Python package index.\n   \
         It is NVIDIA's, under the CUDA Toolkit End User License Agreement, which is unpacked to\n   {}; \
         by using it you accept that agreement.",
        folder.display(),
        folder.join("licenses").display()
    );
    let parent = folder.parent().context("the cache folder has no parent")?;
    let (downloads, partial) =
        (parent.join("wheels"), parent.join(format!("{VERSION}.partial-{}", std::process::id())));
    // Finished files stay for the next attempt if one fails.
    let wheels: Vec<_> = WHEELS.iter().map(|wheel| fetch(wheel, &downloads)).collect::<Result<_>>()?;
    let result = unpack(&wheels, &partial).and_then(|()| {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(&partial, &folder).with_context(|| format!("cannot move the toolkit to {}", folder.display()))
    });
    let _ = fs::remove_dir_all(&partial);
    result?;
    fs::remove_dir_all(&downloads)?;
    println!("   unpacked to {}", folder.display());
    Ok(folder)
}

/// Unpacks the wheels, mends the layout and tries the compiler.
fn unpack(wheels: &[PathBuf], folder: &Path) -> Result<()> {
    for wheel in wheels {
        unzip(wheel, folder).with_context(|| format!("cannot unpack {}", wheel.display()))?;
    }
    mend(folder)?;
    let version = output(Command::new(folder.join("bin/nvcc")).arg("--version"))
        .context("the unpacked compiler does not start; it needs a system with glibc 2.17 or newer")?;
    println!("   {}", version.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().trim());
    fs::write(folder.join(COMPLETE), contents())?;
    Ok(())
}

/// What the packages' folder `nvidia/cu13` holds goes to `folder`, licences to `folder/licenses/PACKAGE`.
fn unzip(wheel: &Path, folder: &Path) -> Result<()> {
    let mut archive = zip::ZipArchive::new(File::open(wheel)?)?;
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        // Not a name that could lead out of the folder.
        let Some(path) = file.enclosed_name().filter(|_| file.is_file()) else { continue };
        let Some(to) = destination(&path) else { continue };
        let to = folder.join(to);
        fs::create_dir_all(to.parent().context("a file lies in a folder")?)?;
        let mut out = File::create(&to)?;
        io::copy(&mut file, &mut out)?;
        if let Some(mode) = file.unix_mode() {
            set_mode(&to, mode)?;
        }
    }
    Ok(())
}

/// Where a file of a wheel goes.
fn destination(path: &Path) -> Option<PathBuf> {
    if let Ok(inside) = path.strip_prefix("nvidia/cu13") {
        return Some(inside.to_owned());
    }
    let mut parts = path.components().map(|part| part.as_os_str().to_str());
    let package = parts.next()??.strip_suffix(".dist-info")?;
    let licence = parts.next()?? == "licenses";
    licence.then(|| Path::new("licenses").join(package).join(path.file_name().unwrap_or_default()))
}

/// Gives the wheels' layout the names that build scripts look for: `lib64`, and libraries without a version.
fn mend(folder: &Path) -> Result<()> {
    link("lib", &folder.join("lib64"))?;
    for entry in fs::read_dir(folder.join("lib"))? {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if let Some((base, _)) = name.split_once(".so.") {
            link(name, &path.with_file_name(format!("{base}.so")))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
pub(super) fn link(target: impl AsRef<Path>, at: &Path) -> Result<()> {
    let _ = fs::remove_file(at);
    std::os::unix::fs::symlink(target, at).with_context(|| format!("cannot make {}", at.display()))
}

#[cfg(not(unix))]
pub(super) fn link(_: impl AsRef<Path>, _: &Path) -> Result<()> {
    bail!("the CUDA build needs Linux")
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o777))?)
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{destination, mend};
    use std::fs;
    use std::path::Path;

    #[test]
    fn files_of_wheels_go_where_build_scripts_look() {
        let to = |path: &str| destination(Path::new(path));
        assert_eq!(to("nvidia/cu13/bin/nvcc").as_deref(), Some(Path::new("bin/nvcc")));
        assert_eq!(to("n-1.dist-info/licenses/a/License.txt").as_deref(), Some(Path::new("licenses/n-1/License.txt")));
        assert_eq!(to("n-1.dist-info/RECORD"), None);
        assert_eq!(to("nvidia/other/x"), None);
    }

    #[cfg(unix)]
    #[test]
    fn libraries_get_names_without_versions() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("lib")).unwrap();
        fs::write(folder.path().join("lib/libx.so.13"), "x").unwrap();
        // Twice: a folder that is mended stays as it is.
        mend(folder.path()).unwrap();
        mend(folder.path()).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("lib64/libx.so")).unwrap(), "x");
    }
}
