//! Makes the words by which messages are searched, the same for both engines.
//!
//! A text is folded first: compatibility forms, case and accents do not matter. Then it is cut into words as UAX #29 says
//! (<https://unicode.org/reports/tr29/#Word_Boundaries>). Scripts that are written without spaces have no word boundaries
//! that could be found without a dictionary: their words are the pairs of neighbouring characters.

mod fold;

use unicode_segmentation::UnicodeSegmentation;

use fold::{folded, is_dense};

/// Maximum length of a word, in characters. Longer words are cut, in texts and in queries.
const WORD_CHARS: usize = 32;
/// Maximum number of words of a text. Later words are not found.
const TEXT_WORDS: usize = 2_000;
/// Maximum length of a text, in bytes. What comes later is not found.
const TEXT_BYTES: usize = 65_536;
/// Minimum length of a word that matches longer words, in characters. Shorter words match only themselves: nearly every
/// message has a word that begins with some letter.
pub(super) const PREFIX_CHARS: usize = 3;
/// Maximum number of words of a query.
pub(super) const QUERY_WORDS: usize = 64;

/// A word of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    /// The word.
    pub(super) word: String,
    /// Whether longer words match too, if they begin with this one.
    pub(super) is_prefix: bool,
}

/// Adds the words of a text to `words`, each after a blank if it is not the first.
pub(super) fn add_words(text: &str, words: &mut String) {
    let mut rest = TEXT_WORDS;
    let mut add = |word: &str| {
        if rest > 0 {
            rest -= 1;
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(cut(word));
        }
    };
    let text = folded(&text[..text.floor_char_boundary(TEXT_BYTES)]);
    for (run, is_dense) in runs(&text) {
        if is_dense {
            // The last character stands alone, so that each character begins a word.
            each_pair(run, &mut add);
            add(last_char(run));
            continue;
        }
        for word in words_of(run) {
            add(word);
            // "l'eau" is found as "eau", and "example.com" as "com".
            let is_inner = |c: char| c.is_ascii_punctuation();
            if word.contains(is_inner) {
                word.split(is_inner).filter(|part| !part.is_empty()).for_each(&mut add);
            }
        }
    }
}

/// The words of a query, each once. A message matches if it has all of them.
pub(super) fn terms(text: &str) -> Vec<Term> {
    let mut terms: Vec<Term> = Vec::new();
    let mut add = |word: &str, is_prefix: bool| {
        let word = cut(word).to_owned();
        if !terms.iter().any(|term| term.word == word) {
            terms.push(Term { word, is_prefix });
        }
    };
    for (run, is_dense) in runs(&folded(text)) {
        if !is_dense {
            words_of(run).for_each(|word| add(word, word.chars().nth(PREFIX_CHARS - 1).is_some()));
        } else if last_char(run) == run {
            add(run, true);
        } else {
            each_pair(run, &mut |pair| add(pair, false));
        }
    }
    // A beginning that another word of the query has says nothing, and the index would gather all its words.
    let words: Vec<String> = terms.iter().map(|term| term.word.clone()).collect();
    terms
        .retain(|term| !term.is_prefix || !words.iter().any(|word| *word != term.word && word.starts_with(&term.word)));
    terms
}

/// The words of a folded run of a script with spaces.
fn words_of(run: &str) -> impl Iterator<Item = &str> {
    // A mark belongs to the character before it, even if that is a blank.
    let is_outside = |c: char| !c.is_alphanumeric() && c != '_';
    run.unicode_words().map(move |word| word.trim_start_matches(is_outside))
}

/// The word without what is beyond its maximum length.
fn cut(word: &str) -> &str {
    if word.len() <= WORD_CHARS {
        return word;
    }
    word.char_indices().nth(WORD_CHARS).map_or(word, |(end, _)| &word[..end])
}

/// The longest parts of a folded text that are all of scripts without spaces, or all of others, in their order.
fn runs(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_first_dense = is_dense(rest.chars().next()?);
        let end = match rest.is_ascii() {
            true => rest.len(),
            false => rest.find(|c| is_dense(c) != is_first_dense).unwrap_or(rest.len()),
        };
        let (run, later) = rest.split_at(end);
        rest = later;
        Some((run, is_first_dense))
    })
}

fn each_pair(run: &str, add: &mut dyn FnMut(&str)) {
    let ends = run.char_indices().map(|(start, c)| start + c.len_utf8()).skip(1);
    for (start, end) in run.char_indices().map(|(start, _)| start).zip(ends) {
        add(&run[start..end]);
    }
}

fn last_char(run: &str) -> &str {
    run.char_indices().next_back().map_or("", |(start, _)| &run[start..])
}

#[cfg(test)]
mod tests;
