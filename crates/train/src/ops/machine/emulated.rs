//! The kernels of `crates/train/cuda`, compiled by the system's C++ compiler and run on the CPU. Products are loops.

use super::{Arg, Kind, Launch, Machine, Matrix, Product};
use candle_core::{Result, bail};
use half::bf16;
use std::cell::{RefCell, RefMut};
use std::io::{BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// A process that runs kernels.
pub(crate) struct Emulated(RefCell<(Child, ChildStdin, BufReader<ChildStdout>)>);

/// Numbers as they would lie in a GPU's memory.
pub(crate) struct Buffer {
    kind: Kind,
    bytes: RefCell<Vec<u8>>,
}

impl Buffer {
    /// Numbers rounded to `kind`.
    pub(crate) fn new(kind: Kind, values: &[f32]) -> Self {
        let bytes = match kind {
            Kind::F32 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
            Kind::Bf16 => values.iter().flat_map(|&v| bf16::from_f32(v).to_ne_bytes()).collect(),
            Kind::U32 => unreachable!("whole numbers are uploaded"),
        };
        Self { kind, bytes: RefCell::new(bytes) }
    }

    pub(crate) fn values(&self) -> Vec<f32> {
        let bytes = self.bytes.borrow();
        match self.kind {
            Kind::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_ne_bytes(b)).collect(),
            Kind::Bf16 => bytes.as_chunks().0.iter().map(|&b| bf16::from_ne_bytes(b).to_f32()).collect(),
            Kind::U32 => unreachable!("no kernel writes whole numbers"),
        }
    }

    fn set(&self, values: &[f32]) {
        *self.bytes.borrow_mut() = Self::new(self.kind, values).bytes.into_inner();
    }
}

/// Compiles the emulator once for this version of the sources; `None`, with a note, where there is no compiler.
fn program() -> Option<PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(build).clone()
}

fn build() -> Option<PathBuf> {
    use sha2::{Digest, Sha256};
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("cuda");
    let mut hash = Sha256::new();
    for folder in [source.clone(), source.join("emulator")] {
        let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        for file in files.iter().filter(|f| f.is_file()) {
            hash.update(std::fs::read(file).unwrap());
        }
    }
    let name: String = hash.finalize().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let folder = std::env::temp_dir().join("distil-cuda-emulator");
    let program = folder.join(&name);
    if program.exists() {
        return Some(program);
    }
    std::fs::create_dir_all(&folder).unwrap();
    let part = folder.join(format!("{name}.{}", std::process::id()));
    let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    let mut command = Command::new(&compiler);
    command.args(["-std=c++17", "-O1", "-Wno-unknown-pragmas"]);
    command.args(["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]);
    let output = command.arg("-o").arg(&part).arg(source.join("emulator/driver.cpp")).output();
    match output {
        Err(error) => {
            eprintln!("SKIPPED: the kernels were not run: no C++ compiler ({compiler}: {error})");
            None
        }
        Ok(output) if !output.status.success() => {
            panic!("{compiler} does not compile the kernels:\n{}", String::from_utf8_lossy(&output.stderr))
        }
        Ok(_) => {
            std::fs::rename(&part, &program).unwrap();
            Some(program)
        }
    }
}

impl Emulated {
    /// Starts the process; `None` where there is no compiler.
    pub(crate) fn start() -> Option<Self> {
        let mut child = Command::new(program()?)
            .env("ASAN_OPTIONS", "detect_stack_use_after_return=0:detect_leaks=0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the emulator starts");
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Some(Self(RefCell::new((child, stdin, stdout))))
    }

    fn exchange(&self, request: &[u8], buffers: &[&Buffer]) -> std::io::Result<()> {
        let (_, stdin, stdout) = &mut *RefMut::map(self.0.borrow_mut(), |p| p);
        stdin.write_all(request)?;
        stdin.flush()?;
        for buffer in buffers {
            stdout.read_exact(&mut buffer.bytes.borrow_mut())?;
        }
        Ok(())
    }
}

impl Drop for Emulated {
    fn drop(&mut self) {
        let (child, ..) = self.0.get_mut();
        // It has only ever computed on request; nothing is lost.
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// The element (row, column) of a matrix.
fn at(values: &[f32], m: &Matrix<'_, Buffer>, row: usize, column: usize) -> f32 {
    let (row, column) = if m.transposed { (column, row) } else { (row, column) };
    values[m.first + row * m.stride + column]
}

impl Machine for Emulated {
    type Buffer = Buffer;

    /// Nothing a kernel should rely on: not a number, in both types.
    fn uninit(&self, kind: Kind, len: usize) -> Result<Buffer> {
        Ok(Buffer { kind, bytes: RefCell::new(vec![0xff; len * kind.size()]) })
    }

    fn zeros(&self, kind: Kind, len: usize) -> Result<Buffer> {
        Ok(Buffer { kind, bytes: RefCell::new(vec![0; len * kind.size()]) })
    }

    fn upload(&self, values: &[u32]) -> Result<Buffer> {
        let bytes = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        Ok(Buffer { kind: Kind::U32, bytes: RefCell::new(bytes) })
    }

    fn launch(&self, launch: &Launch, arguments: &[Arg<'_, Buffer>]) -> Result<()> {
        let mut request = (launch.kernel.len() as u32).to_ne_bytes().to_vec();
        request.extend(launch.kernel.as_bytes());
        let [grid, block] = [launch.grid, launch.block];
        for number in [grid[0], grid[1], 1, block[0], block[1], 1, arguments.len() as u32] {
            request.extend(number.to_ne_bytes());
        }
        let mut buffers: Vec<&Buffer> = vec![];
        for argument in arguments {
            let scalar = |bytes: &[u8]| [&0u32.to_ne_bytes(), &(bytes.len() as u32).to_ne_bytes(), bytes].concat();
            match argument {
                Arg::U32(v) => request.extend(scalar(&v.to_ne_bytes())),
                Arg::U64(v) => request.extend(scalar(&v.to_ne_bytes())),
                Arg::F32(v) => request.extend(scalar(&v.to_ne_bytes())),
                Arg::Null => request.extend(2u32.to_ne_bytes()),
                Arg::In(buffer) | Arg::Out(buffer) | Arg::Both(buffer) | Arg::Part(buffer, ..) => {
                    let skip = if let Arg::Part(_, first, _) = argument { first * buffer.kind.size() } else { 0 };
                    let bytes = buffer.bytes.borrow();
                    request.extend(1u32.to_ne_bytes());
                    request.extend((skip as u64).to_ne_bytes());
                    request.extend((bytes.len() as u64).to_ne_bytes());
                    request.extend(&*bytes);
                    buffers.push(*buffer);
                }
            }
        }
        match self.exchange(&request, &buffers) {
            Ok(()) => Ok(()),
            Err(error) => bail!("the emulator broke off in {}: {error}", launch.kernel),
        }
    }

    fn product(&self, p: &Product<'_, Buffer>) -> Result<()> {
        assert_eq!((p.a.buffer.kind, p.b.buffer.kind, p.out.buffer.kind), (p.kind, p.kind, p.out_kind));
        let (a, b, mut out) = (p.a.buffer.values(), p.b.buffer.values(), p.out.buffer.values());
        for row in 0..p.m {
            for column in 0..p.n {
                let sum: f32 = (0..p.k).map(|i| at(&a, &p.a, row, i) * at(&b, &p.b, i, column)).sum();
                let out = &mut out[p.out.first + row * p.out.stride + column];
                *out = if p.add { *out + sum } else { sum };
            }
        }
        p.out.buffer.set(&out);
        Ok(())
    }
}
