//! Checks `log.level`: one level, or directives `target=level`. `EnvFilter` does not reject a misspelt level such as
//! `verbose`: it takes any unknown word for a target, and then logs only that target.

/// The names of levels.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// The modules that log, as targets below `sockeye::`.
const MODULES: [&str; 35] = [
    "allocator",
    "app",
    "auth",
    "chat",
    "cli",
    "config",
    "deadlines",
    "engine",
    "erasure",
    "error",
    "handlers",
    "http",
    "hub",
    "input",
    "io",
    "limits",
    "metrics",
    "model",
    "namespace",
    "observer",
    "open_files",
    "presence",
    "protocol",
    "pusher",
    "restart",
    "retention",
    "server",
    "store",
    "supervise",
    "sync",
    "telemetry",
    "tellings",
    "testing",
    "token_expiry",
    "typescript",
];
/// Similarity from which a target counts as a misspelling of `sockeye`.
const ALIKE: f64 = 0.85;

/// The error message for a value that is not valid, or that would log nothing. The caller puts the setting's name
/// before the message.
pub(super) fn complaint(value: &str) -> Option<String> {
    if value.trim().is_empty() {
        return Some(format!("is empty: write one of {}", LEVELS.join(", ")));
    }
    let Some(wrong) = value.split(',').map(str::trim).find(|directive| !is_directive(directive)) else {
        return nothing_is_logged(value);
    };
    let hint = match wrong.split_once('=') {
        Some((target, level)) if is_level(level) && looks_like_ours(target) => "; did you mean sockeye?",
        _ => "",
    };
    Some(format!(
        "has {wrong:?}, which is no level and no directive: write one of {}, or directives such as \"info,sockeye::store=debug\"{hint}",
        LEVELS.join(", ")
    ))
}

/// The error message if every directive names a module that does not exist.
fn nothing_is_logged(value: &str) -> Option<String> {
    let unknown = |directive: &str| {
        let module = directive.trim().split('=').next()?.strip_prefix("sockeye::")?.split("::").next()?.to_owned();
        Some(module).filter(|module| !MODULES.contains(&&**module))
    };
    let modules: Vec<String> = value.split(',').map(unknown).collect::<Option<_>>()?;
    let module = modules.first()?;
    let alike = |known: &&&str| strsim::jaro_winkler(known, module);
    let nearest = MODULES.iter().max_by(|a, b| alike(a).total_cmp(&alike(b))).filter(|known| alike(known) > ALIKE);
    let hint = nearest.map_or_else(String::new, |known| format!("; did you mean sockeye::{known}?"));
    Some(format!("logs nothing: there is no module sockeye::{module}{hint}"))
}

/// The value without spaces, which `EnvFilter` does not accept.
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

/// Whether `target` is a module path such as `sockeye::store`.
fn is_target(target: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(|first: char| first.is_ascii_digit())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    target.split("::").all(is_name) && !is_level(target)
}

/// Whether the crate name at the start of `target` is a misspelling of `sockeye`.
fn looks_like_ours(target: &str) -> bool {
    let first = target.split("::").next().unwrap_or_default();
    first != "sockeye" && strsim::jaro_winkler(first, "sockeye") > ALIKE
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::EnvFilter;

    use super::{MODULES, complaint, directives};

    #[test]
    fn valid_levels_and_directives_are_accepted_by_the_env_filter_too() {
        for level in ["info", "OFF", "warn,sockeye=debug", "info, sockeye::store=debug ,my_app=trace"] {
            assert_eq!(complaint(level), None, "{level}");
            assert!(directives(level).parse::<EnvFilter>().is_ok(), "{level}");
        }
    }

    #[test]
    fn directives_that_name_only_unknown_modules_are_refused() {
        let sentence = complaint("sockeye::stroe=debug").unwrap();
        assert_eq!(sentence, "logs nothing: there is no module sockeye::stroe; did you mean sockeye::store?");
        let sentence = complaint("sockeye::xyzzy::deep=debug, sockeye::stroe=info").unwrap();
        assert_eq!(sentence, "logs nothing: there is no module sockeye::xyzzy");
        for level in ["info,sockeye::stroe=debug", "sockeye::store::writer=debug", "sockeye=debug", "my_app=info"] {
            assert_eq!(complaint(level), None, "{level}");
        }
    }

    #[test]
    fn the_list_of_modules_is_complete() {
        let declared = include_str!("../lib.rs").lines().filter_map(|line| {
            let line = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("mod ")?;
            line.strip_suffix(';')
        });
        let missing: Vec<_> = declared.filter(|name| !MODULES.contains(name)).collect();
        assert_eq!(missing, ["generated"]);
    }

    #[test]
    fn any_other_word_is_refused_and_the_right_form_named() {
        let cases = ["", " ", "verbose", "warning", "1", "sockeye::store", "info;debug", "sockeye=verbose", "=debug"];
        for level in cases.into_iter().chain(["info,", "info=sockeye", "sockeye=", "a b=info", "info debug"]) {
            let sentence = complaint(level).expect(level);
            assert!(sentence.contains("error, warn, info, debug, trace, off"), "{sentence}");
        }
        assert!(complaint("sokeye=debug").unwrap().ends_with("did you mean sockeye?"));
    }
}
