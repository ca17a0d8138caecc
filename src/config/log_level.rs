//! `log.level`: one level for everything, or directives `target=level`. `EnvFilter` alone would take any other word
//! for the name of a target, and log nothing else.

/// What a level is called.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// How much alike a misspelt target is to the right one.
const ALIKE: f64 = 0.85;

/// The sentence about a value that would not log what it seems to; it follows the setting's name.
pub(super) fn complaint(value: &str) -> Option<String> {
    if value.trim().is_empty() {
        return Some(format!("is empty: write one of {}", LEVELS.join(", ")));
    }
    let wrong = value.split(',').map(str::trim).find(|directive| !is_directive(directive))?;
    let hint = match wrong.split_once('=') {
        Some((target, level)) if is_level(level) && looks_like_ours(target) => "; did you mean sockeye?",
        _ => "",
    };
    Some(format!(
        "has {wrong:?}, which is no level and no directive: write one of {}, or directives such as \"info,sockeye::store=debug\"{hint}",
        LEVELS.join(", ")
    ))
}

/// The value as `EnvFilter` reads it, which takes no spaces.
pub(crate) fn directives(value: &str) -> String {
    value.split(',').map(str::trim).collect::<Vec<_>>().join(",")
}

fn is_directive(directive: &str) -> bool {
    directive.split_once('=').map_or_else(
        || is_level(directive),
        |(target, level)| is_level(level) && is_target(target) && !looks_like_ours(target),
    )
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
}

/// Whether it is a path of modules, such as `sockeye::store`.
fn is_target(target: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    target.split("::").all(is_name) && !is_level(target)
}

/// Whether its first name is a slip of ours.
fn looks_like_ours(target: &str) -> bool {
    let first = target.split("::").next().unwrap_or_default();
    first != "sockeye" && strsim::jaro_winkler(first, "sockeye") > ALIKE
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;

    use super::{complaint, directives};

    #[test]
    fn levels_and_directives_are_taken_and_the_filter_takes_them_too() {
        for level in ["info", "OFF", "warn,sockeye=debug", "info, sockeye::store=debug ,my_app=trace"] {
            assert_eq!(complaint(level), None, "{level}");
            assert!(directives(level).parse::<EnvFilter>().is_ok(), "{level}");
        }
    }

    #[test]
    fn every_other_word_is_refused_with_the_right_form() {
        let cases = ["", " ", "verbose", "warning", "1", "sockeye::store", "info;debug", "sockeye=verbose", "=debug"];
        for level in cases.into_iter().chain(["info,", "info=sockeye", "sockeye=", "a b=info", "info debug"]) {
            let sentence = complaint(level).expect(level);
            assert!(sentence.contains("error, warn, info, debug, trace, off"), "{sentence}");
        }
        assert!(complaint("sokeye=debug").unwrap().ends_with("did you mean sockeye?"));
    }
}
