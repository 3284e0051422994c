//! Reads from the sources of `cudarc` which functions of NVIDIA's libraries a program may call.

use anyhow::{Context, Result, ensure};

/// What a function gives back when its library is not on the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    /// A status code.
    Status,
    /// A text: callers read it, so it must not be null.
    Text,
    /// A number or nothing.
    Zero,
}

/// A function of a library.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) answer: Answer,
}

/// The functions that one module of the bindings declares, in order of their names, each once.
///
/// `status` is the name of the library's status type. Declarations for other versions of CUDA are among them: a function
/// that nobody calls costs a few bytes.
pub(super) fn functions(source: &str, status: &str) -> Result<Vec<Function>> {
    let mut found = Vec::new();
    let mut lines = source.lines().map(str::trim);
    while let Some(line) = lines.next() {
        if line != "extern \"C\" {" {
            continue;
        }
        let declaration = lines.next().context("the bindings end within a declaration")?;
        found.push(function(declaration, status).with_context(|| format!("not understood: {declaration}"))?);
    }
    ensure!(!found.is_empty(), "no function is declared");
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found.dedup_by(|a, b| a.name == b.name);
    Ok(found)
}

/// Takes `fn name(arguments) -> type;` apart.
fn function(declaration: &str, status: &str) -> Option<Function> {
    let (name, rest) = declaration.strip_prefix("fn ")?.split_once('(')?;
    let (_, result) = rest.strip_suffix(';')?.rsplit_once(')')?;
    let answer = match result.trim().strip_prefix("-> ").unwrap_or_default() {
        result if result == status => Answer::Status,
        result if result.ends_with("c_char") => Answer::Text,
        "" | "usize" => Answer::Zero,
        _ => return None,
    };
    Some(Function { name: name.to_owned(), answer })
}

/// The number of a status by its name.
pub(super) fn code(source: &str, name: &str) -> Result<u32> {
    let start = format!("{name} = ");
    let number = source.lines().find_map(|line| line.trim().strip_prefix(&start)?.strip_suffix(','));
    number
        .with_context(|| format!("the bindings have no {name}"))?
        .parse()
        .with_context(|| format!("{name}: no number"))
}

#[cfg(test)]
mod tests {
    use super::{Answer, code, functions};

    const SOURCE: &str = "
        pub enum status_t {
            OK = 0,
            AWAY = 34,
        }
        pub type Callback = ::core::option::Option<unsafe extern \"C\" fn(data: *mut c_void) -> status_t>;
        pub fn b(x: f32) -> status_t {
            extern \"C\" {
                fn b(x: f32) -> status_t;
            }
            b(x)
        }
        extern \"C\" {
            fn a(f: ::core::option::Option<unsafe extern \"C\" fn() -> usize>) -> *const ::core::ffi::c_char;
        }
        extern \"C\" {
            fn c();
        }
        extern \"C\" {
            fn b(x: f32) -> status_t;
        }";

    #[test]
    fn functions_are_found_once_with_their_answers() {
        let found = functions(SOURCE, "status_t").unwrap();
        let found: Vec<_> = found.iter().map(|f| (f.name.as_str(), f.answer)).collect();
        assert_eq!(found, [("a", Answer::Text), ("b", Answer::Status), ("c", Answer::Zero)]);
    }

    #[test]
    fn an_unknown_result_is_an_error() {
        let source = "extern \"C\" {\n fn a() -> f64;\n}";
        assert!(functions(source, "status_t").is_err());
        assert!(functions("fn a();", "status_t").is_err());
    }

    #[test]
    fn codes_are_found_by_name() {
        assert_eq!(code(SOURCE, "AWAY").unwrap(), 34);
        assert!(code(SOURCE, "GONE").is_err());
    }
}
