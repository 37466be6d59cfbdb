//! Where people read: which stream, and whether in colour.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use console::{Style, StyledObject, Term};

/// The stream for people. Machine-readable lines always go to standard output; when a command prints them, everything else
/// moves to standard error.
pub(crate) struct Console {
    stream: Box<dyn Write>,
    color: bool,
}

impl Console {
    /// Standard output, or standard error when `json` lines take standard output.
    pub(crate) fn new(json: bool) -> Self {
        let is_terminal = if json { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        let stream: Box<dyn Write> = if json { Box::new(io::stderr()) } else { Box::new(io::stdout()) };
        Self { stream, color: is_terminal && color_is_wanted() }
    }

    /// The width of a table that fits: the terminal's less 4, at most 88, as Keras has it.
    pub(crate) fn width(&self) -> usize {
        let columns = Term::stderr().size_checked().map_or(80, |(_, columns)| usize::from(columns));
        columns.saturating_sub(4).min(88)
    }

    /// `value` in `style` where colours are shown, plain elsewhere.
    pub(crate) fn paint<T: Display>(&self, style: Style, value: T) -> StyledObject<T> {
        style.force_styling(self.color).apply_to(value)
    }
}

impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// The conventions of NO_COLOR (any value but the empty one) and of terminals without colours.
fn color_is_wanted() -> bool {
    env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Prints one JSON object on a line of standard output.
pub(crate) fn print_json(value: &impl serde::Serialize) -> io::Result<()> {
    let mut line = serde_json::to_string(value)?;
    line.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(line.as_bytes())?;
    out.flush()
}

/// `1234567` as `1,234,567`.
pub(crate) fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `count` things: `1 image`, `12,000 images`.
pub(crate) fn counted(count: usize, thing: &str) -> String {
    format!("{} {thing}{}", thousands(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let got = [0, 999, 1000, 123_456, 1_234_567].map(thousands);
        assert_eq!(got, ["0", "999", "1,000", "123,456", "1,234,567"]);
        assert_eq!((counted(1, "image"), counted(1000, "image")), ("1 image".into(), "1,000 images".into()));
    }
}
