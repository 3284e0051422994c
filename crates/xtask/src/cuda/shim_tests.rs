//! Builds a small library, its stand-in and a program that calls one through the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Shim;
use crate::cuda::bindings::{Answer, Function};
use crate::shell::output;

/// Whatever the ABI passes in registers, and then more, on the stack: every argument must arrive.
const LIBRARY: &str = r#"
    #include <stdarg.h>
    double far_sum(int a, double b, long c, float d, long e, double f, long g, double h, long i, double j, long k,
                   double l, float m, double n, double o, double p, long q, double r) {
        return a + 2*b + 3*c + 4*d + 5*e + 6*f + 7*g + 8*h + 9*i + 10*j + 11*k + 12*l + 13*m + 14*n + 15*o + 16*p + 17*q + 18*r;
    }
    int far_count(int n, ...) {
        va_list list; va_start(list, n); double sum = 0;
        for (int i = 0; i < n; i++) sum += va_arg(list, double);
        va_end(list); return (int)sum;
    }
    const char *far_text(void) { return "from the library"; }
"#;

const PROGRAM: &str = r#"
    #include <pthread.h>
    #include <stdio.h>
    int far_status(void);
    double far_sum(int, double, long, float, long, double, long, double, long, double, long, double, float, double, double, double, long, double);
    int far_count(int, ...);
    const char *far_text(void);
    long far_number(void);
    static double results[8];
    static void *call(void *at) {
        *(double *)at = far_sum(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18);
        return 0;
    }
    int main(int count, char **values) {
        if (count > 1) {
            pthread_t threads[8];
            for (int i = 0; i < 8; i++) pthread_create(threads + i, 0, call, results + i);
            for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
            for (int i = 0; i < 8; i++) printf("%g ", results[i]);
            /* The second time the slot is filled. */
            call(results);
            printf("%g %d %d ", results[0], far_count(3, 1.0, 20.0, 300.0), far_count(3, 1.0, 20.0, 300.0));
        }
        printf("%d %s %ld\n", far_status(), far_text(), far_number());
        return 0;
    }
"#;

struct Built {
    folder: tempfile::TempDir,
}

impl Built {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let function = |name: &str, answer| Function { name: name.into(), answer };
        let functions = [
            function("far_count", Answer::Status),
            function("far_number", Answer::Zero),
            function("far_status", Answer::Status),
            function("far_sum", Answer::Status),
            function("far_text", Answer::Text),
        ];
        let files = ["libdistil_far.so.2", "libdistil_far.so"];
        Shim { name: "far", files: &files, functions: &functions, absent: 34, lacking: 500 }
            .archive(folder.path())
            .unwrap();
        let built = Self { folder };
        fs::create_dir(built.path("libs")).unwrap();
        fs::write(built.path("library.c"), LIBRARY).unwrap();
        fs::write(built.path("program.c"), PROGRAM).unwrap();
        built.compile(&["-shared", "-fPIC"], "library.c", "libs/libdistil_far.so", &[]);
        // As rustc asks for a dynamic library, in a folder that has only the archive.
        built.compile(&[], "program.c", "program", &["-L.", "-Wl,-Bdynamic", "-lfar", "-ldl", "-lpthread"]);
        built
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn compile(&self, before: &[&str], source: &str, to: &str, after: &[&str]) {
        let mut cc = Command::new("cc");
        cc.current_dir(self.folder.path()).args(before).args(["-O2", "-w", "-o", to, source]).args(after);
        output(&mut cc).unwrap();
    }

    /// Runs the program; what it said, and what was said about libraries.
    fn run(&self, arguments: &[&str], variables: &[(&str, &Path)]) -> (String, String) {
        let mut program = Command::new(self.path("program"));
        program.args(arguments).envs(variables.iter().copied()).env("DISTIL_CUDA_VERBOSE", "1");
        let ran = program.output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
        (String::from_utf8(ran.stdout).unwrap(), String::from_utf8(ran.stderr).unwrap())
    }
}

#[test]
fn calls_arrive_with_all_their_arguments_from_several_threads() {
    let built = Built::new();
    let sum: u32 = (1..=18).map(|n| n * n).sum();
    let expected = format!("{}321 321 500 from the library 0\n", format!("{sum} ").repeat(9));
    for variable in ["DISTIL_CUDA_LIBS", "LD_LIBRARY_PATH"] {
        let (said, notes) = built.run(&["call"], &[(variable, &built.path("libs"))]);
        assert_eq!(said, expected, "{notes}");
        assert!(notes.contains("libfar has no far_status"), "{notes}");
    }
    // A list of folders, of which the first has nothing.
    let list = format!("/nowhere:{}", built.path("libs").display());
    assert_eq!(built.run(&["call"], &[("DISTIL_CUDA_LIBS", Path::new(&list))]).0, expected);
}

#[test]
fn without_the_library_every_function_answers() {
    let built = Built::new();
    let (said, notes) = built.run(&[], &[]);
    assert_eq!(said, "34 libfar is not on this machine 0\n");
    assert!(notes.contains("libfar was not found"), "{notes}");
    assert!(notes.contains("libdistil_far.so.2"), "{notes}");
}

#[test]
fn a_python_environment_is_searched() {
    let built = Built::new();
    let packages = built.path("venv/lib/python3.12/site-packages/nvidia/cu13/lib");
    fs::create_dir_all(&packages).unwrap();
    fs::rename(built.path("libs/libdistil_far.so"), packages.join("libdistil_far.so.2")).unwrap();
    let (said, notes) = built.run(&[], &[("VIRTUAL_ENV", &built.path("venv"))]);
    assert_eq!(said, "500 from the library 0\n", "{notes}");
}
