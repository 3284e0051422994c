//! Static stand-ins for NVIDIA's libraries: a program linked with them starts on a machine that has none.
//!
//! `candle` asks the linker for `-lcuda -lcublas …`. Where the folder holds `libcuda.a` and no `libcuda.so`, the linker
//! takes that: an archive with one trampoline for each function, which opens the real library when it is first called and
//! jumps on. Without the library every function returns one fixed status, from which the program can tell which library
//! it was (see `crates/train/src/cuda/query.rs`).
//!
//! A trampoline must hand over whatever it was called with: it is a jump, so arguments on the stack stay where they are,
//! and the slow path saves every register that can hold an argument.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::bindings::{Answer, Function, code, functions};
use crate::shell::output;

/// A library, and how a program notices that it is not there.
pub(super) struct Library {
    /// As in `-lcublas`.
    pub(super) name: &'static str,
    /// The module of the bindings.
    module: &'static str,
    /// Their status type.
    status: &'static str,
    /// File names to look for, the best first.
    files: &'static [&'static str],
    /// The status without the library: one that the library itself does not return.
    absent: &'static str,
    /// The status of a function that the library found does not have.
    lacking: &'static str,
}

/// The libraries that `candle` asks the linker for, NCCL included.
pub(super) const LIBRARIES: [Library; 6] = [
    Library {
        name: "cuda",
        module: "driver",
        status: "CUresult",
        files: &["libcuda.so.1"],
        absent: "CUDA_ERROR_STUB_LIBRARY",
        lacking: "CUDA_ERROR_NOT_FOUND",
    },
    Library {
        name: "cublas",
        module: "cublas",
        status: "cublasStatus_t",
        files: &["libcublas.so.13", "libcublas.so.12", "libcublas.so"],
        absent: "CUBLAS_STATUS_LICENSE_ERROR",
        lacking: "CUBLAS_STATUS_NOT_SUPPORTED",
    },
    Library {
        name: "cublasLt",
        module: "cublaslt",
        status: "cublasStatus_t",
        files: &["libcublasLt.so.13", "libcublasLt.so.12", "libcublasLt.so"],
        absent: "CUBLAS_STATUS_LICENSE_ERROR",
        lacking: "CUBLAS_STATUS_NOT_SUPPORTED",
    },
    Library {
        name: "curand",
        module: "curand",
        status: "curandStatus_t",
        files: &["libcurand.so.10", "libcurand.so"],
        absent: "CURAND_STATUS_ARCH_MISMATCH",
        lacking: "CURAND_STATUS_VERSION_MISMATCH",
    },
    Library {
        name: "nvrtc",
        module: "nvrtc",
        status: "nvrtcResult",
        files: &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
        absent: "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE",
        lacking: "NVRTC_ERROR_INTERNAL_ERROR",
    },
    Library {
        name: "nccl",
        module: "nccl",
        status: "ncclResult_t",
        files: &["libnccl.so.2", "libnccl.so"],
        absent: "ncclSystemError",
        lacking: "ncclInvalidUsage",
    },
];

/// Writes `lib*.a` of every library to `folder`, from the sources of `cudarc`; how many functions there are.
pub(super) fn write_all(bindings: &Path, folder: &Path) -> Result<usize> {
    let mut count = 0;
    for library in &LIBRARIES {
        let path = bindings.join("src").join(library.module).join("sys/mod.rs");
        let source = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let functions = functions(&source, library.status).with_context(|| path.display().to_string())?;
        let (absent, lacking) = (code(&source, library.absent)?, code(&source, library.lacking)?);
        let shim = Shim { name: library.name, files: library.files, functions: &functions, absent, lacking };
        shim.archive(folder)?;
        count += functions.len();
    }
    Ok(count)
}

/// One stand-in.
struct Shim<'a> {
    name: &'a str,
    files: &'a [&'a str],
    functions: &'a [Function],
    absent: u32,
    lacking: u32,
}

impl Shim<'_> {
    /// Compiles `libNAME.a` in `folder`.
    fn archive(&self, folder: &Path) -> Result<()> {
        let path = |end: &str| folder.join(format!("{}{end}", self.name));
        let library = folder.join(format!("lib{}.a", self.name));
        fs::write(path("_resolve.c"), self.resolver())?;
        fs::write(path("_jumps.s"), self.trampolines())?;
        for (source, object) in [("_resolve.c", "_resolve.o"), ("_jumps.s", "_jumps.o")] {
            let mut cc = Command::new(super::compiler());
            cc.args(["-c", "-O2", "-fPIC", "-Wall", "-Werror", "-o"]).arg(path(object)).arg(path(source));
            output(&mut cc).context("a C compiler is needed (on Debian: apt-get install gcc)")?;
        }
        let _ = fs::remove_file(&library);
        let mut ar = Command::new("ar");
        output(ar.arg("rcs").arg(&library).arg(path("_resolve.o")).arg(path("_jumps.o")))?;
        for end in ["_resolve.c", "_jumps.s", "_resolve.o", "_jumps.o"] {
            fs::remove_file(path(end))?;
        }
        Ok(())
    }

    /// The C half: what this library is called and has, then `shim.c`.
    fn resolver(&self) -> String {
        let Self { name, absent, lacking, .. } = self;
        let mut c = String::from("#define _GNU_SOURCE\n");
        for header in ["dlfcn", "glob", "pthread", "stdio", "stdlib", "string"] {
            let _ = writeln!(c, "#include <{header}.h>");
        }
        let _ = writeln!(c, "#define LIBRARY \"lib{name}\"\n#define ABSENT {absent}\n#define LACKING {lacking}");
        let _ = writeln!(c, "#define slots distil_{name}_slots\n#define resolve distil_{name}_resolve");
        let _ = writeln!(c, "static const char *const files[] = {{\"{}\"}};", self.files.join("\", \""));
        c += "static const struct { const char *name; char answer; } functions[] = {\n";
        for function in self.functions {
            let answer = match function.answer {
                Answer::Status => 's',
                Answer::Text => 't',
                Answer::Zero => 'z',
            };
            let _ = writeln!(c, "  {{\"{}\", '{answer}'}},", function.name);
        }
        c + "};\n" + include_str!("shim.c")
    }

    /// The assembly half: a trampoline for each function, and the slow path that they share.
    fn trampolines(&self) -> String {
        let name = self.name;
        let mut s = format!("  .text\n  .type distil_{name}_slow, @function\ndistil_{name}_slow:\n");
        // Eight pushes after the return address and this frame pointer keep the stack at a multiple of 16 bytes.
        const PUSHED: [&str; 8] = ["rdi", "rsi", "rdx", "rcx", "r8", "r9", "rax", "r10"];
        s += "  .cfi_startproc\n  pushq %rbp\n  .cfi_def_cfa_offset 16\n  .cfi_offset %rbp, -16\n";
        s += "  movq %rsp, %rbp\n  .cfi_def_cfa_register %rbp\n";
        for register in PUSHED {
            let _ = writeln!(s, "  pushq %{register}");
        }
        s += "  subq $128, %rsp\n";
        for vector in 0..8 {
            let _ = writeln!(s, "  movaps %xmm{vector}, {}(%rsp)", 16 * vector);
        }
        let _ = writeln!(s, "  movl %r11d, %edi\n  call distil_{name}_resolve\n  movq %rax, %r11");
        for vector in 0..8 {
            let _ = writeln!(s, "  movaps {}(%rsp), %xmm{vector}", 16 * vector);
        }
        s += "  addq $128, %rsp\n";
        for register in PUSHED.iter().rev() {
            let _ = writeln!(s, "  popq %{register}");
        }
        s += "  popq %rbp\n  .cfi_def_cfa %rsp, 8\n  jmp *%r11\n  .cfi_endproc\n";
        let _ = writeln!(s, "  .size distil_{name}_slow, . - distil_{name}_slow");
        for (index, Function { name: function, .. }) in self.functions.iter().enumerate() {
            let _ = write!(
                s,
                "  .section .text.{function}, \"ax\", @progbits\n  .globl {function}\n  .type {function}, @function\n\
                 {function}:\n  .cfi_startproc\n  endbr64\n  movq distil_{name}_slots+{offset}(%rip), %r11\n  \
                 testq %r11, %r11\n  jz 1f\n  jmp *%r11\n1:\n  movl ${index}, %r11d\n  jmp distil_{name}_slow\n  \
                 .cfi_endproc\n  .size {function}, . - {function}\n",
                offset = 8 * index,
            );
        }
        s + "  .section .note.GNU-stack, \"\", @progbits\n"
    }
}

#[cfg(test)]
#[path = "shim_tests.rs"]
mod tests;
