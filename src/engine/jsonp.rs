//! JSONP polling, which clients of Socket.IO 2 use in old browsers (engine.io's `polling-jsonp`). A `script` element
//! sends the GET, and the response is a script that calls a function with the payload. A form sends the POST.

use std::fmt::Write as _;

/// The number of the JavaScript function that each response calls: the script for number 3 calls `___eio[3](...)`. The
/// client sends the number as `j` in the query of the request that opens the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Callback(Box<str>);

impl Callback {
    /// Reads the value of `j`. All characters except digits are removed.
    pub(super) fn of(j: &str) -> Self {
        Self(j.chars().filter(char::is_ascii_digit).collect())
    }

    /// Writes the script that calls the function with a payload.
    pub(super) fn script(&self, payload: &str) -> String {
        let json = serde_json::to_string(payload).expect("every string can be encoded as JSON");
        let mut script = String::with_capacity(json.len() + 16);
        write!(script, "___eio[{}](", self.0).expect("writing to a String cannot fail");
        // U+2028 and U+2029 are valid in JSON strings, but in JavaScript strings only since ECMAScript 2019.
        script.push_str(&json.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029"));
        script.push_str(");");
        script
    }
}

/// The payload in the body of a form: its field `d`, with the client's escapes removed. `None` unless there is exactly
/// one such field, as in Node.
pub(super) fn payload(form: &str) -> Option<String> {
    let fields: Vec<(String, String)> = serde_urlencoded::from_str(form).ok()?;
    let mut data = fields.into_iter().filter(|(name, _)| name == "d").map(|(_, value)| value);
    match (data.next(), data.next()) {
        (Some(data), None) => Some(unescaped(&data)),
        _ => None,
    }
}

/// Removes the client's escapes: `\n` stands for a newline, and `\\n` for `\n`.
fn unescaped(data: &str) -> String {
    let mut text = String::with_capacity(data.len());
    let mut rest = data;
    while let Some(place) = rest.find('\\') {
        text.push_str(&rest[..place]);
        rest = &rest[place..];
        let (piece, len) = if rest.starts_with("\\\\n") {
            ("\\n", 3)
        } else if rest.starts_with("\\n") {
            ("\n", 2)
        } else {
            ("\\", 1)
        };
        text.push_str(piece);
        rest = &rest[len..];
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_becomes_a_script() {
        assert_eq!(Callback::of("0").script("6"), r#"___eio[0]("6");"#);
        assert_eq!(Callback::of("a1<2").script("4\"\n\u{2028}"), r#"___eio[12]("4\"\n\u2028");"#);
        assert_eq!(Callback::of("").script(""), r#"___eio[]("");"#);
    }

    #[test]
    fn a_form_contains_a_payload() {
        assert_eq!(payload("d=2%3A40"), Some("2:40".to_owned()));
        assert_eq!(payload("d=a+b%2Bc"), Some("a b+c".to_owned()));
        assert_eq!(payload(r"x=1&d=a\nb\\nc\\\nd\e\"), Some("a\nb\\nc\\\\nd\\e\\".to_owned()));
        assert_eq!(payload("d="), Some(String::new()));
        for none in ["", "x=1", "d=1&d=2", "40"] {
            assert_eq!(payload(none), None, "{none}");
        }
    }
}
