//! The files of `src` as text: their first sentences, their tokens, their modules. They are not parsed as Rust: the
//! format of rustfmt is regular enough.

use crate::{files_below, read};

/// One file of the library.
pub struct File {
    /// As in `src/engine/reader.rs`.
    pub path: String,
    /// As in `["engine", "reader"]`; empty for `lib.rs`.
    pub module: Vec<String>,
    /// Identifiers, `::` and single characters, without comments, texts and the tests at the end.
    pub tokens: Vec<String>,
}

/// All files of the library, without those that only its tests have.
pub fn files() -> Vec<File> {
    let paths = files_below("src", ".rs").into_iter().filter(|path| !is_test(path) && path != "src/main.rs");
    paths.map(|path| File { module: module(&path), tokens: tokens(&code(&read(&path))), path }).collect()
}

fn is_test(path: &str) -> bool {
    path.ends_with("/tests.rs")
        || path.contains("/tests/")
        || path.ends_with("/models.rs")
        || path == "src/generated.rs"
        || path.starts_with("src/generated/")
}

fn module(path: &str) -> Vec<String> {
    let inner = path.strip_prefix("src/").and_then(|path| path.strip_suffix(".rs")).unwrap();
    if inner == "lib" { Vec::new() } else { inner.split('/').map(str::to_owned).collect() }
}

/// The first sentence of a file's `//!`; empty if it has none.
pub fn first_sentence(text: &str) -> String {
    let lines =
        text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim).take_while(|line| !line.is_empty());
    let paragraph = lines.collect::<Vec<_>>().join(" ");
    match paragraph.find(". ") {
        Some(end) => paragraph[..=end].to_owned(),
        None => paragraph,
    }
}

/// The text without its tests, which are at the end of a file.
fn code(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    without_comments_and_texts(&text[..end])
}

fn without_comments_and_texts(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("r\"") || rest.starts_with("r#\"") {
            let close = if rest.starts_with("r#") { "\"#" } else { "\"" };
            let start = rest.find('"').unwrap() + 1;
            start + rest[start..].find(close).unwrap() + close.len()
        } else if next == '"' {
            text_length(rest)
        } else if next == '\'' {
            character_length(rest)
        } else {
            0
        };
        if skipped == 0 {
            code.push(next);
            rest = &rest[next.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The length of the string literal at the beginning of `text`.
fn text_length(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, next) in text.char_indices().skip(1) {
        match next {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the character literal at the beginning of `text`; 0 if it is a lifetime.
fn character_length(text: &str) -> usize {
    let mut following = text.char_indices().skip(1);
    match following.next() {
        Some((_, '\\')) => 3 + text[3..].find('\'').unwrap_or(0),
        Some(_) => following.next().filter(|&(_, close)| close == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut is_in_word = false;
    for next in code.chars() {
        let is_word = next.is_alphanumeric() || next == '_';
        match tokens.last_mut() {
            Some(last) if is_word && is_in_word => last.push(next),
            Some(last) if next == ':' && last == ":" => last.push(next),
            _ if next.is_whitespace() => {}
            _ => tokens.push(next.to_string()),
        }
        is_in_word = is_word;
    }
    tokens
}

#[test]
fn a_file_is_read_without_comments_texts_and_tests() {
    let text = "use a::b; // use c::d\nlet x: &'a str = \"e::f\\\"\"; '\\'' '\"'\n#[cfg(test)]\nmod tests {\nuse g::h;";
    assert_eq!(tokens(&code(text)).join(" "), "use a :: b ; let x : & ' a str = ;");
    assert_eq!(first_sentence("//! One. Two.\n\nmod a;"), "One.");
    assert_eq!(first_sentence("//! One\n//! line.\n//!\n//! Two."), "One line.");
}
