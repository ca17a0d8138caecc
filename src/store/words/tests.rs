//! Words of texts and queries, in many scripts.

use proptest::prelude::*;

use super::*;

fn words(text: &str) -> Vec<String> {
    let mut words = String::new();
    add_words(text, &mut words);
    words.split_terminator(' ').map(str::to_owned).collect()
}

/// The words of a query; `*` marks those that match longer words.
fn query(text: &str) -> Vec<String> {
    let star = |term: Term| if term.is_prefix { term.word + "*" } else { term.word };
    terms(text).into_iter().map(star).collect()
}

/// Whether a text has all words of a query.
fn is_found(text: &str, query: &str) -> bool {
    let words = words(text);
    let has = |term: &Term| {
        words.iter().any(|word| if term.is_prefix { word.starts_with(&term.word) } else { *word == term.word })
    };
    terms(query).iter().all(has)
}

#[test]
fn words_are_cut_at_their_boundaries() {
    assert_eq!(words("Hello, world! (Again?)"), ["hello", "world", "again"]);
    assert_eq!(words("  tabs\tand\nlines  "), ["tabs", "and", "lines"]);
    assert_eq!(words("v2 costs 3.50 EUR"), ["v2", "costs", "3.50", "3", "50", "eur"]);
    assert_eq!(words("don't l\u{2019}eau"), ["don't", "don", "t", "l'eau", "l", "eau"]);
    assert_eq!(words("see example.com/a_b"), ["see", "example.com", "example", "com", "a_b", "a", "b"]);
    assert_eq!(words("\u{1f389} ... --- !"), [] as [&str; 0]);
    assert_eq!(words(""), [] as [&str; 0]);
}

#[test]
fn a_beginning_that_another_word_of_the_query_has_is_left_out() {
    assert_eq!(query("abc abcd abcdef xyz"), ["abcdef*", "xyz*"]);
    assert_eq!(query("ab abc"), ["ab", "abc*"], "a word that matches only itself stays");
}

#[test]
fn letter_forms_do_not_matter() {
    for (one, other) in [
        ("Café", "CAFE"),
        ("Cafe\u{301}", "café"),
        ("STRASSE", "straße"),
        ("ﬁne", "FINE"),
        ("ｆｕｌｌ", "full"),
        ("Łódź", "lodz"),
        ("İstanbul", "istanbul"),
        ("ISTANBUL", "ıstanbul"),
        ("Øresund", "oresund"),
        ("ΌΔΟΣ", "οδος"),
        ("ёлка", "Елка"),
        ("co\u{ad}operate", "cooperate"),
        ("شُكْرًا", "شكرا"),
        ("שָׁלוֹם", "שלום"),
        ("ｶﾞｲﾄﾞ", "ガイド"),
        ("한국어".nfd_text().as_str(), "한국어"),
    ] {
        assert_eq!(words(one), words(other), "{one} {other}");
        assert!(!words(one).is_empty(), "{one}");
    }
    assert_ne!(words("か"), words("が"), "another letter");
    assert_ne!(words("กี"), words("กา"), "another vowel");
}

#[test]
fn scripts_without_spaces_become_pairs_of_characters() {
    assert_eq!(words("中文字"), ["中文", "文字", "字"]);
    assert_eq!(words("中"), ["中"]);
    assert_eq!(words("iPhone用のケース"), ["iphone", "用の", "のケ", "ケー", "ース", "ス"]);
    assert_eq!(query("中文字"), ["中文", "文字"]);
    assert_eq!(query("中"), ["中*"]);
    assert_eq!(query("用 iPhone"), ["用*", "iphone*"]);
    for (text, found, missing) in [
        ("今日は東京へ行きます", "東京", "京都"),
        ("今日は東京へ行きます", "す", "せ"),
        ("สวัสดีครับ", "ครับ", "ค่ะ"),
        ("ສະບາຍດີ", "ບາຍ", "ບີຍ"),
        ("ភាសាខ្មែរ", "ខ្មែរ", "ថៃ"),
        ("မြန်မာစာ", "မာစာ", "စာမာ"),
        ("カタカナ", "カナ", "ナカ"),
    ] {
        assert!(is_found(text, found), "{text} {found}");
        assert!(!is_found(text, missing), "{text} {missing}");
    }
}

#[test]
fn words_with_spaces_between_them_match_by_their_beginning() {
    assert_eq!(query("Big meeting at 10"), ["big*", "meeting*", "at", "10"]);
    assert_eq!(query("tea Tea TEA"), ["tea*"]);
    assert_eq!(query("l\u{2019}eau"), ["l'eau*"]);
    assert_eq!(query("... \u{1f389}"), [] as [&str; 0]);
    assert!(is_found("The meetings were long", "meeting LONG"));
    assert!(!is_found("The meetings were long", "meeting short"));
    assert!(!is_found("The meetings were long", "we"), "fewer than three letters");
    assert!(is_found("l'eau de vie", "eau"));
    assert!(is_found("안녕하세요 여러분", "안녕하"));
    assert!(is_found("नमस्ते दुनिया", "नमस्"));
    assert!(is_found("see https://example.com/path", "example.com"));
    assert!(is_found("see https://example.com/path", "com"));
}

#[test]
fn words_and_texts_have_a_maximum_length() {
    let long = "x".repeat(1_000);
    assert_eq!(words(&long), ["x".repeat(WORD_CHARS)]);
    assert!(is_found(&long, &long));
    let long = "é".repeat(40_000);
    assert_eq!(words(&long), ["e".repeat(WORD_CHARS)]);
    assert_eq!(words(&"a ".repeat(5_000)).len(), TEXT_WORDS);
    assert_eq!(words(&"中".repeat(5_000)).len(), TEXT_WORDS);
    assert_eq!(words(&format!("{} z", ". ".repeat(TEXT_BYTES))), [] as [&str; 0]);
}

proptest! {
    #[test]
    fn any_text_is_found_by_itself_and_words_are_plain(text in "\\PC{0,40}|[a-zA-Z0-9.,:;'_ -]{0,40}|[ก-๛あ-んァ-ヶ一-十가-깋ÀÉß' a-f]{0,20}") {
        for word in words(&text) {
            let is_plain = |c: char| !c.is_ascii() || c.is_ascii_lowercase() || c.is_ascii_digit() || ".,:;'\"_".contains(c);
            prop_assert!(!word.is_empty() && word.chars().all(is_plain), "{word:?}");
            prop_assert!(!word.contains(char::is_whitespace) && !word.contains(char::is_control), "{word:?}");
        }
        prop_assert!(is_found(&text, &text));
    }
}

trait Nfd {
    fn nfd_text(&self) -> String;
}

impl Nfd for str {
    fn nfd_text(&self) -> String {
        unicode_normalization::UnicodeNormalization::nfd(self).collect()
    }
}
