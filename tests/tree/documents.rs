//! The documents: every page is in the summary, every link has a target, every configuration is valid.

use std::{collections::BTreeSet, path::Path};

use crate::{files_below, path, read};

/// Documents beside the pages of `docs`.
const OTHERS: [&str; 8] = [
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "bench/README.md",
    "client-demo/README.md",
    "fuzz/README.md",
];

/// The pages of the site.
fn pages() -> Vec<String> {
    files_below("docs", ".md").into_iter().filter(|page| page != "docs/SUMMARY.md").collect()
}

/// The lines outside of fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_fenced = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_fenced ^= is_fence;
        !is_fence && !is_fenced
    })
}

/// The targets of a document's links, as written; links in code are left out.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        let without_code: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        let targets = without_code.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        links.extend(targets.map(|(target, _)| target.to_owned()));
    }
    links
}

/// The anchors of a document's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
            kept.collect::<String>().to_lowercase().replace(' ', "-")
        })
        .collect()
}

/// Joins a relative link to the folder of the document that has it.
fn target(document: &str, link: &str) -> String {
    let mut parts: Vec<&str> = Path::new(document).parent().unwrap().to_str().unwrap().split('/').collect();
    parts.retain(|part| !part.is_empty());
    for part in link.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn every_page_is_in_the_summary_once() {
    let mut listed: Vec<String> =
        links(&read("docs/SUMMARY.md")).iter().map(|link| target("docs/SUMMARY.md", link)).collect();
    listed.sort();
    assert_eq!(listed, pages());
}

#[test]
fn every_link_has_an_existing_page_and_heading() {
    let mut broken = Vec::new();
    for document in pages().iter().map(String::as_str).chain(OTHERS) {
        let text = read(document);
        for link in links(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            let (file, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(file, anchor)| (file, Some(anchor)));
            let file = if file.is_empty() { document.to_owned() } else { target(document, file) };
            let is_there = path(&file).exists();
            let is_in_site = !document.starts_with("docs/") || file.starts_with("docs/");
            let has_anchor = || anchor.is_none_or(|anchor| anchors(&read(&file)).contains(anchor));
            if !is_there || !is_in_site || !has_anchor() {
                broken.push(format!("{document}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_says_whom_it_is_for() {
    for page in pages().iter().filter(|page| *page != "docs/README.md") {
        let text = read(page);
        let first = text.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default();
        assert!(first.starts_with("For "), "{page} begins with: {first}");
    }
}

#[test]
fn every_block_of_toml_is_a_configuration() {
    for page in pages() {
        let text = read(&page);
        for block in text.split("\n```toml\n").skip(1).filter_map(|rest| rest.split_once("\n```")) {
            if let Err(error) = toml::from_str::<sockeye::Config>(block.0) {
                panic!("{page}: {error}\n{}", block.0);
            }
        }
    }
}

#[test]
fn the_page_about_proxies_shows_the_files_of_deploy() {
    let page = read("docs/proxies.md");
    for file in ["deploy/Caddyfile", "deploy/nginx.conf"] {
        let shown = read(file);
        let code =
            shown.lines().skip_while(|line| line.starts_with('#') || line.is_empty()).collect::<Vec<_>>().join("\n");
        assert!(page.contains(code.trim_end()), "docs/proxies.md does not show {file}");
    }
}

#[test]
fn the_readme_and_architecture_stay_short() {
    for (document, most) in [("README.md", 200), ("ARCHITECTURE.md", 150)] {
        let lines = read(document).lines().count();
        assert!(lines <= most, "{document} has {lines} lines: move some to docs");
    }
}
