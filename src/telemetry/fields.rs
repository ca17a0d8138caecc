//! Formats the fields of a text log line as `name=value`. Values can come from clients: none may start a new line,
//! contain a terminal escape sequence, or look like another field.

use std::{
    error::Error,
    fmt::{self, Debug, Write as _},
};

use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::{MakeVisitor, VisitFmt, VisitOutput},
    fmt::format::Writer,
};

/// Creates the visitor that writes the fields of one event.
pub(super) struct Fields;

impl<'a> MakeVisitor<Writer<'a>> for Fields {
    type Visitor = FieldWriter<'a>;

    fn make_visitor(&self, writer: Writer<'a>) -> Self::Visitor {
        FieldWriter { writer, is_first: true, result: Ok(()) }
    }
}

/// Writes the fields of one event.
pub(super) struct FieldWriter<'a> {
    writer: Writer<'a>,
    is_first: bool,
    result: fmt::Result,
}

impl FieldWriter<'_> {
    fn write(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        // The `log` crate's metadata fields.
        if self.result.is_err() || field.name().starts_with("log.") {
            return;
        }
        let space = if self.is_first { "" } else { " " };
        self.is_first = false;
        let name = field.name().trim_start_matches("r#");
        self.result = if name == "message" {
            write!(self.writer, "{space}{value}")
        } else if self.writer.has_ansi_escapes() {
            // The name in italics, the equals sign dimmed.
            write!(self.writer, "{space}\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}")
        } else {
            write!(self.writer, "{space}{name}={value}")
        };
    }

    fn write_text(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            self.write(field, format_args!("{}", Escaped(text)));
        } else if is_word(text) || is_quoted(text) {
            self.write(field, format_args!("{text}"));
        } else {
            self.write(field, format_args!("{text:?}"));
        }
    }
}

impl Visit for FieldWriter<'_> {
    fn record_str(&mut self, field: &Field, text: &str) {
        if field.name() == "message" {
            self.write_text(field, text);
        } else {
            self.write(field, format_args!("{text:?}"));
        }
    }

    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(error) = source {
            // Writing to a `String` cannot fail.
            let _ = write!(text, ": {error}");
            source = error.source();
        }
        self.write_text(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.write_text(field, &format!("{value:?}"));
    }
}

impl VisitOutput<fmt::Result> for FieldWriter<'_> {
    fn finish(self) -> fmt::Result {
        self.result
    }
}

impl VisitFmt for FieldWriter<'_> {
    fn writer(&mut self) -> &mut dyn fmt::Write {
        &mut self.writer
    }
}

/// A log message. Only control characters are escaped: the rest is constant text.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            if is_plain(letter) {
                f.write_char(letter)?;
            } else {
                write!(f, "{}", letter.escape_debug())?;
            }
        }
        Ok(())
    }
}

/// Whether `char::escape_debug` leaves the character unchanged. It escapes characters that do not print, such as
/// U+2028 or U+202E.
fn is_plain(letter: char) -> bool {
    matches!(letter, '"' | '\'' | '\\') || letter.escape_debug().len() == 1
}

/// Whether the value needs no quotes, so that it ends at the next space.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|letter| is_plain(letter) && !letter.is_whitespace() && !"\"'\\=".contains(letter))
}

/// Whether the value is already quoted, as the `?` sigil quotes text.
fn is_quoted(text: &str) -> bool {
    let Some(inner) = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) else { return false };
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return false,
            // An escaped quote does not end the text.
            '\\' if letters.next().is_none_or(|escaped| !is_plain(escaped)) => return false,
            letter if !is_plain(letter) => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use std::{io, sync::Arc};

    use parking_lot::Mutex;
    use tracing_subscriber::fmt::MakeWriter;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Lines {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    /// The line that the text format writes for `log`.
    fn written(log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let text = tracing_subscriber::fmt().with_writer(lines.clone()).with_ansi(false).without_time();
        tracing::subscriber::with_default(text.with_target(false).fmt_fields(Fields).finish(), log);
        let bytes = lines.0.lock().clone();
        String::from_utf8(bytes).unwrap().trim_start().to_owned()
    }

    #[test]
    fn plain_values_are_written_unchanged() {
        let line = written(|| {
            let error = io::Error::other("no space");
            tracing::info!(user = %"ada", n = 5, open = true, text = "a b", quoted = ?"a b", path = %"/a/b?c", %error, "it is \"here\"");
        });
        let wanted =
            "INFO it is \"here\" user=ada n=5 open=true text=\"a b\" quoted=\"a b\" path=/a/b?c error=\"no space\"\n";
        assert_eq!(line, wanted);
    }

    #[test]
    fn no_value_can_add_a_line_or_a_field_or_an_escape_sequence() {
        let hostile = [
            "a\nERROR forged=yes",
            "a\r forged=yes",
            "\x1b[2J forged=yes",
            "a\u{2028}forged=yes",
            "\u{202e}forged=yes",
            "\u{9b}31m forged=yes",
            "a forged=yes",
            "a\" forged=\"yes",
            "\"a\" forged=\"yes\"",
            "\"a\\\" forged=yes",
            "\"a\\\\\" forged=\"yes\"",
            "forged=yes",
            "\"a\n forged=yes\"",
            "",
        ];
        for text in hostile {
            let error: Box<dyn Error> = text.into();
            let line = written(|| tracing::warn!(shown = %text, debug = ?text, text, error, end = 1, "message"));
            assert_eq!(line.matches('\n').count(), 1, "{line:?}");
            assert!(line.trim_end().chars().all(is_plain), "{line:?}");
            // The text outside of quotes comes from this crate.
            let mut bare = String::new();
            let (mut letters, mut is_in_quotes) = (line.chars(), false);
            while let Some(letter) = letters.next() {
                match letter {
                    '\\' if is_in_quotes => drop(letters.next()),
                    '"' => is_in_quotes = !is_in_quotes,
                    _ if is_in_quotes => {}
                    _ => bare.push(letter),
                }
            }
            assert_eq!(bare, "WARN message shown= debug= text= error= end=1\n", "{line:?}");
        }
        let message = written(|| tracing::warn!("{}", "a\nb\x1b[2J\u{2028}"));
        assert_eq!(message, "WARN a\\nb\\u{1b}[2J\\u{2028}\n");
    }
}
