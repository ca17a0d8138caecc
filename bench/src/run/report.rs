//! The report: a table in Markdown.

use std::{fmt::Write, fs, process::Command};

use anyhow::Result;

use super::{cells::Cell, server::Recipe};
use crate::{
    cli::Plan,
    figures::{Figures, median},
    scenario::Scenario,
};

/// One cell on one server.
pub struct Row {
    /// The cell.
    pub cell: Cell,
    /// The index of the server's recipe.
    pub server: usize,
    /// The results of the rounds; an error voids the row.
    pub rounds: Vec<Result<Figures>>,
}

/// The medians of a row; `None` if a round was void or none was measured.
struct Medians {
    cost: f64,
    least: f64,
    most: f64,
    rate: f64,
    p50: f64,
    p99: f64,
    generator: f64,
    others: f64,
}

impl Row {
    fn medians(&self) -> Option<Medians> {
        let rounds: Vec<&Figures> = self.rounds.iter().map(|round| round.as_ref().ok()).collect::<Option<_>>()?;
        let of = |read: fn(&Figures) -> f64| median(rounds.iter().map(|figures| read(figures)));
        let costs = rounds.iter().map(|figures| figures.cost);
        Some(Medians {
            cost: of(|figures| figures.cost),
            least: costs.clone().fold(f64::INFINITY, f64::min),
            most: costs.fold(0.0, f64::max),
            rate: of(|figures| figures.rate),
            p50: of(|figures| figures.p50),
            p99: of(|figures| figures.p99),
            generator: of(|figures| figures.generator),
            others: of(|figures| figures.others),
        })
    }

    fn why_void(&self) -> String {
        let reasons: Vec<String> =
            self.rounds.iter().filter_map(|round| round.as_ref().err()).map(|error| format!("{error:#}")).collect();
        reasons.first().map(|reason| reason.replace('|', "/")).unwrap_or_default()
    }
}

/// The whole report.
pub fn markdown(plan: &Plan, pinned: bool, recipes: &[Recipe], all: &[Row]) -> String {
    let mut text = String::new();
    introduction(&mut text, plan, pinned).expect("a String takes all");
    for rows in all.chunk_by(|one, other| one.cell.name == other.cell.name) {
        let cost = |name: &str| cost_of(recipes, rows, name);
        let (node, floor) = (cost("node"), cost("floor"));
        heading(&mut text, &rows[0]).expect("a String takes all");
        for row in rows {
            line(&mut text, row, &recipes[row.server].name, node, floor).expect("a String takes all");
        }
        remarks(&mut text, &rows[0], cost).expect("a String takes all");
        if rows[0].cell.scenario.is_variant_of_echo() {
            let echoes: Vec<&Row> = all.iter().filter(|row| matches!(row.cell.scenario, Scenario::Echo(_))).collect();
            compare_with_echo(&mut text, cost, |name| cost_of(recipes, echoes.iter().copied(), name))
                .expect("a String takes all");
        }
    }
    text
}

/// The median cost on a server; `None` without a row that is not void.
fn cost_of<'a>(recipes: &[Recipe], rows: impl IntoIterator<Item = &'a Row>, name: &str) -> Option<f64> {
    let row = rows.into_iter().find(|row| recipes[row.server].name == name)?;
    row.medians().map(|medians| medians.cost)
}

fn introduction(text: &mut String, plan: &Plan, pinned: bool) -> std::fmt::Result {
    let placed = if pinned { "server on one core, generator on the other" } else { "placed by the kernel" };
    writeln!(text, "# What a unit of work costs the server\n")?;
    writeln!(text, "Medians of {} interleaved rounds of {} s each; {placed}.", plan.rounds, plan.seconds)?;
    writeln!(
        text,
        "Cost is user and kernel CPU of the server's whole process tree, or its memory; ÷ node and ÷ floor"
    )?;
    writeln!(text, "are the cost as a multiple of theirs in the same cell. See `bench/README.md`.\n")?;
    writeln!(text, "- Date: {}", said_by("date", &["-u", "+%F"]))?;
    writeln!(text, "- Machine: {} cores, {}, Linux {}", cores(), cpu_model(), read("/proc/sys/kernel/osrelease"))?;
    writeln!(
        text,
        "- Node {}; socket.io and better-sqlite3 as locked in `bench/peers`",
        said_by("node", &["--version"])
    )?;
    writeln!(text, "- Command: `make bench`")
}

fn heading(text: &mut String, row: &Row) -> std::fmt::Result {
    let unit = row.cell.scenario.unit();
    writeln!(text, "\n## {} (`{}`)\n", row.cell.scenario.title(), row.cell.name)?;
    if matches!(row.cell.scenario, Scenario::Idle(_)) {
        writeln!(text, "| server | {unit} | least to most | ÷ node | ÷ floor |")?;
        writeln!(text, "|---|---:|---:|---:|---:|")
    } else {
        write!(text, "| server | {unit} | least to most | ÷ node | ÷ floor |")?;
        writeln!(text, " p50 ms | p99 ms | per s | generator | others |")?;
        writeln!(text, "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    }
}

fn line(text: &mut String, row: &Row, server: &str, node: Option<f64>, floor: Option<f64>) -> std::fmt::Result {
    let Some(medians) = row.medians() else { return writeln!(text, "| {server} | void: {} |", row.why_void()) };
    let Medians { cost, least, most, rate, p50, p99, generator, others } = medians;
    let (to_node, to_floor) = (ratio(cost, node), ratio(cost, floor));
    write!(text, "| {server} | {cost:.2} | {least:.2} to {most:.2} | {to_node} | {to_floor} |")?;
    if !matches!(row.cell.scenario, Scenario::Idle(_)) {
        write!(text, " {p50:.2} | {p99:.2} | {rate:.0} | {generator:.2} | {others:.2} |")?;
    }
    writeln!(text)
}

/// The note below a cell's table. Of our two servers, the more expensive one counts.
fn remarks(text: &mut String, row: &Row, cost: impl Fn(&str) -> Option<f64>) -> std::fmt::Result {
    if let (Some(library), Some(sockeye)) = (cost("library"), cost("sockeye")) {
        let (name, dearer) = if library > sockeye { ("library", library) } else { ("sockeye", sockeye) };
        let ratios = ["node", "floor"].map(|of| (of, ratio(dearer, cost(of))));
        let ratios: Vec<String> =
            ratios.iter().filter(|(_, ratio)| !ratio.is_empty()).map(|(of, ratio)| format!("{ratio} × {of}")).collect();
        writeln!(text, "\nThe dearer of library and sockeye: {name}, {}.", ratios.join(", "))?;
    }
    if let (Some(sockeye), floor @ Some(_)) = (cost("sockeye"), cost("floor-sockeye")) {
        writeln!(text, "\nsockeye: {} × floor-sockeye, which sends the same bytes.", ratio(sockeye, floor))?;
    }
    if let (Some(plain), sockeye @ Some(_)) = (cost("sockeye-ws"), cost("sockeye")) {
        writeln!(text, "\nPlain WebSocket, sockeye-ws: {} × sockeye, which is Socket.IO.", ratio(plain, sockeye))?;
    }
    if let (Some(mounted), library @ Some(_)) = (cost("mounted"), cost("library")) {
        writeln!(text, "\nThe library under `axum::serve`, mounted: {} × library.", ratio(mounted, library))?;
    }
    if let Some(note) = row.cell.scenario.note() {
        writeln!(text, "\n{note}")?;
    }
    Ok(())
}

/// The note below a variant of the echo: its cost as a multiple of the same server's echo, if that was measured too.
fn compare_with_echo(
    text: &mut String,
    cost: impl Fn(&str) -> Option<f64>,
    echo: impl Fn(&str) -> Option<f64>,
) -> std::fmt::Result {
    for name in ["library", "node"] {
        if let (Some(cost), echo @ Some(_)) = (cost(name), echo(name)) {
            writeln!(text, "\n{name} ÷ its echo: {}.", ratio(cost, echo))?;
        }
    }
    Ok(())
}

fn ratio(cost: f64, base: Option<f64>) -> String {
    base.map(|base| format!("{:.2}", cost / base)).unwrap_or_default()
}

fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().map(|output| output.stdout).unwrap_or_default();
    String::from_utf8_lossy(&output).trim().into()
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().into()
}

fn cpu_model() -> String {
    let text = read("/proc/cpuinfo");
    let model = text.lines().find(|line| line.starts_with("model name"));
    model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |(_, model)| model).into()
}

fn cores() -> usize {
    read("/proc/cpuinfo").lines().filter(|line| line.starts_with("processor")).count()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        cli::{Cli, Command},
        run::{cells::cells, server::recipes},
    };

    /// The report of a run in which every server has the cost that `cost` has for it in every cell.
    fn report(only: &str, cost: impl Fn(&Cell, &str) -> f64) -> String {
        let library = std::env::current_exe().unwrap().display().to_string();
        let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");
        let words = ["sockeye-bench", "run", "--peers", peers, "--library", &library, "--only", only];
        let Command::Run(plan) = Cli::parse_from(words).command else { panic!("no plan") };
        let recipes = recipes(&plan).unwrap();
        let mut rows = Vec::new();
        for cell in cells(&plan) {
            for (server, recipe) in recipes.iter().enumerate().filter(|(_, recipe)| recipe.does(&cell)) {
                let cost = cost(&cell, &recipe.name);
                let round = Figures { units: 1, cost, rate: 1.0, p50: 1.0, p99: 1.0, generator: 0.5, others: 0.0 };
                rows.push(Row { cell: cell.clone(), server, rounds: vec![Ok(round)] });
            }
        }
        markdown(&plan, true, &recipes, &rows)
    }

    #[test]
    fn a_variant_of_the_echo_is_compared_with_the_echo_of_the_same_server() {
        let text = report("echo", |cell, server| match (cell.name, server) {
            ("echo", "library") => 2.0,
            ("echo-any", "library") => 2.5,
            ("echo", "node") => 10.0,
            ("echo-any", "node") => 11.0,
            _ => 4.0,
        });
        let (_, catch_all) = text.split_once("(`echo-any`)").unwrap();
        let (catch_all, _) = catch_all.split_once("(`echo-args`)").unwrap();
        assert!(catch_all.contains("\nlibrary ÷ its echo: 1.25.\n"), "{catch_all}");
        assert!(catch_all.contains("\nnode ÷ its echo: 1.10.\n"), "{catch_all}");
        assert_eq!(text.matches("library ÷ its echo").count(), 3, "one for each variant: {text}");
    }

    #[test]
    fn without_the_echo_there_is_nothing_to_compare_its_variants_with() {
        assert!(!report("echo-any", |_, _| 1.0).contains("its echo"));
    }

    #[test]
    fn the_mounted_library_is_compared_with_the_library() {
        let text = report("connect", |_, server| if server == "mounted" { 3.0 } else { 2.0 });
        assert!(text.contains("\nThe library under `axum::serve`, mounted: 1.50 × library.\n"), "{text}");
    }
}
