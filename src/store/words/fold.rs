//! Folds letter forms: compatibility forms, case, accents and invisible characters.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// The text in lower case, without accents, and with compatibility forms replaced (NFKC).
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return match text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => Cow::Owned(text.to_ascii_lowercase()),
            false => Cow::Borrowed(text),
        };
    }
    let mut letters = String::with_capacity(text.len());
    for c in text.nfkd().filter(|c| !is_ignored(*c)).flat_map(char::to_lowercase) {
        match plain(c) {
            Some(plain) => letters.push_str(plain),
            None => letters.push(c),
        }
    }
    // A letter in lower case may have an accent that the one in upper case has not.
    Cow::Owned(letters.chars().filter(|c| !is_ignored(*c)).nfc().collect())
}

/// Letters with a form that no decomposition gives. All are in lower case.
fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'đ' => "d",
        'ł' => "l",
        'ı' => "i",
        'ς' => "σ",
        '\u{2018}' | '\u{2019}' | '\u{02bc}' => "'",
        _ => return None,
    })
}

/// Whether a character is an accent of Latin, Greek, Cyrillic, Hebrew or Arabic, or is invisible within a word. Marks of
/// other scripts are vowels, or make other letters.
fn is_ignored(c: char) -> bool {
    matches!(c,
        '\u{00ad}' // Soft hyphen.
        | '\u{0300}'..='\u{036f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20f0}'
        | '\u{0483}'..='\u{0487}' // Cyrillic.
        | '\u{0591}'..='\u{05bd}' | '\u{05bf}' | '\u{05c1}'..='\u{05c2}' | '\u{05c4}'..='\u{05c5}' | '\u{05c7}' // Hebrew.
        | '\u{0610}'..='\u{061a}' | '\u{0640}' | '\u{064b}'..='\u{065f}' | '\u{0670}' // Arabic.
        | '\u{06d6}'..='\u{06dc}' | '\u{06df}'..='\u{06e4}' | '\u{06e7}'..='\u{06e8}' | '\u{06ea}'..='\u{06ed}'
        | '\u{061c}' | '\u{180b}'..='\u{180f}' | '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' // Format.
        | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0100}'..='\u{e01ef}')
}

/// Whether a folded character is of a script that is written without spaces: Han, Hiragana, Katakana, Thai, Lao, Khmer or
/// Myanmar. Their digits are not.
pub(super) fn is_dense(c: char) -> bool {
    matches!(c,
        '\u{3005}'..='\u{3007}' | '\u{3021}'..='\u{3029}' | '\u{3038}'..='\u{303c}' // Han.
        | '\u{2e80}'..='\u{2fdf}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
        | '\u{3041}'..='\u{3096}' | '\u{3099}'..='\u{309a}' | '\u{309d}'..='\u{309f}' // Hiragana.
        | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{31f0}'..='\u{31ff}' // Katakana.
        | '\u{1b000}'..='\u{1b16f}'
        | '\u{0e01}'..='\u{0e3a}' | '\u{0e40}'..='\u{0e4e}' // Thai.
        | '\u{0e81}'..='\u{0ebd}' | '\u{0ec0}'..='\u{0ece}' | '\u{0edc}'..='\u{0edf}' // Lao.
        | '\u{1780}'..='\u{17d3}' | '\u{17d7}' | '\u{17dc}'..='\u{17dd}' // Khmer.
        | '\u{1000}'..='\u{103f}' | '\u{1050}'..='\u{108f}' | '\u{109a}'..='\u{109f}' // Myanmar.
        | '\u{a9e0}'..='\u{a9ef}' | '\u{a9fa}'..='\u{a9fe}' | '\u{aa60}'..='\u{aa7f}')
}
