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
pub fn markdown(plan: &Plan, pinned: bool, recipes: &[Recipe], rows: &[Row]) -> String {
    let mut text = String::new();
    introduction(&mut text, plan, pinned).expect("a String takes all");
    for rows in rows.chunk_by(|one, other| one.cell.name == other.cell.name) {
        let cost = |name: &str| {
            let row = rows.iter().find(|row| recipes[row.server].name == name)?;
            row.medians().map(|medians| medians.cost)
        };
        let (node, floor) = (cost("node"), cost("floor"));
        heading(&mut text, &rows[0]).expect("a String takes all");
        for row in rows {
            line(&mut text, row, &recipes[row.server].name, node, floor).expect("a String takes all");
        }
        remarks(&mut text, &rows[0], cost).expect("a String takes all");
    }
    text
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
    if let Some(note) = row.cell.scenario.note() {
        writeln!(text, "\n{note}")?;
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
