//! Progress on standard error, for whatever takes over a second.
//!
//! On a terminal it is a bar that redraws itself and is gone at the end. With `NO_COLOR`, or on a terminal that knows no
//! escape codes (`TERM=dumb`), it is a plain line every other second. Where standard error is no terminal it is nothing.

use std::ffi::OsStr;
use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle, TermLike};

/// From one plain line to the next.
const PLAIN_EVERY: Duration = Duration::from_secs(2);

/// Progress over `count` things; the length and the message can be set later.
pub fn bar(what: &'static str, count: usize) -> ProgressBar {
    let template = match Look::here() {
        Look::Drawn => "{msg} {bar:30} {pos}/{len} {eta}",
        Look::Plain | Look::Hidden => "{msg} {pos}/{len}",
    };
    start(ProgressBar::with_draw_target(Some(count as u64), Look::here().target()), template, what)
}

/// Progress of something that cannot be counted; it ends when the value is dropped.
pub fn working(what: &'static str) -> ProgressBar {
    let template = match Look::here() {
        Look::Drawn => "{spinner} {msg} {elapsed}",
        Look::Plain | Look::Hidden => "{msg} {elapsed}",
    };
    let spinner = start(ProgressBar::with_draw_target(None, Look::here().target()), template, what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

/// Whether a library may draw a bar of its own: on a terminal that takes escape codes.
pub fn may_draw() -> bool {
    Look::here() == Look::Drawn
}

fn start(bar: ProgressBar, template: &str, what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a valid template");
    bar.with_style(style).with_message(what).with_finish(ProgressFinish::AndClear)
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Redrawn in place.
    Drawn,
    /// One line after the other, without an escape code.
    Plain,
    /// Not at all.
    Hidden,
}

impl Look {
    fn here() -> Self {
        let variable = |name| std::env::var_os(name);
        Self::of(io::stderr().is_terminal(), variable("NO_COLOR").as_deref(), variable("TERM").as_deref())
    }

    /// As <https://no-color.org> says, an empty `NO_COLOR` asks for nothing.
    fn of(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> Self {
        let plain = no_color.is_some_and(|value| !value.is_empty()) || term == Some(OsStr::new("dumb"));
        match (terminal, plain) {
            (false, _) => Self::Hidden,
            (true, true) => Self::Plain,
            (true, false) => Self::Drawn,
        }
    }

    fn target(self) -> ProgressDrawTarget {
        match self {
            Self::Drawn => ProgressDrawTarget::stderr(),
            Self::Plain => ProgressDrawTarget::term_like(Box::new(PlainLines::new(io::stderr()))),
            Self::Hidden => ProgressDrawTarget::hidden(),
        }
    }
}

/// A terminal without a cursor: what is drawn becomes lines, and most of them are left out.
struct PlainLines<W> {
    state: Mutex<(Instant, W)>,
}

impl<W: Write> PlainLines<W> {
    fn new(out: W) -> Self {
        Self { state: Mutex::new((Instant::now(), out)) }
    }

    fn line(&self, text: &str, now: Instant) -> io::Result<()> {
        let text = text.trim_end();
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let (last, out) = &mut *state;
        if text.is_empty() || now.duration_since(*last) < PLAIN_EVERY {
            return Ok(());
        }
        *last = now;
        writeln!(out, "{text}")
    }
}

impl<W> std::fmt::Debug for PlainLines<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainLines")
    }
}

impl<W: Write + Send> TermLike for PlainLines<W> {
    fn width(&self) -> u16 {
        80
    }

    fn move_cursor_up(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.line(text, Instant::now())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.line(text, Instant::now())
    }

    fn clear_line(&self) -> io::Result<()> {
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_with_escape_codes_is_drawn_on() {
        let of = |terminal, no_color: Option<&str>, term: Option<&str>| {
            Look::of(terminal, no_color.map(OsStr::new), term.map(OsStr::new))
        };
        assert_eq!(of(true, None, Some("xterm")), Look::Drawn);
        assert_eq!(of(true, Some(""), Some("xterm")), Look::Drawn);
        assert_eq!(of(true, Some("1"), Some("xterm")), Look::Plain);
        assert_eq!(of(true, None, Some("dumb")), Look::Plain);
        assert_eq!(of(false, None, Some("xterm")), Look::Hidden);
    }

    #[test]
    fn plain_lines_are_few_and_whole() {
        let lines = PlainLines::new(Vec::new());
        let start = lines.state.lock().unwrap().0;
        for step in 0..60 {
            lines.line(&format!("packing {step}/60   "), start + Duration::from_millis(100 * step)).unwrap();
            lines.line("    ", start + Duration::from_millis(100 * step)).unwrap();
        }
        let written = String::from_utf8(lines.state.into_inner().unwrap().1).unwrap();
        assert_eq!(written, "packing 20/60\npacking 40/60\n");
    }
}
