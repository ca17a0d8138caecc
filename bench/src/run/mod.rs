//! The whole table: all servers, all cells, in interleaved rounds.

mod cells;
mod report;
mod server;

use std::{fs, io::Write};

use anyhow::{Context, Result, anyhow, bail};

use self::{
    cells::{Cell, cells},
    report::Row,
    server::{Recipe, recipes},
};
use crate::{
    cli::Plan,
    process::{self, Core},
    scenario::Target,
};

/// Measures everything and prints the table. Fails if any run was void.
pub fn run(plan: &Plan) -> Result<()> {
    process::raise_open_files()?;
    let cores = process::allowed_cores()?;
    let pinned = !plan.no_pin && process::pin(&cores, Core::Second)?;
    let recipes = recipes(plan)?;
    let mut rows = rows(&cells(plan), &recipes);
    for round in 0..plan.rounds {
        for row in &mut rows {
            let recipe = &recipes[row.server];
            let figures = if pinned {
                process::pin(&cores, Core::First)?;
                let server = recipe.start(&row.cell);
                process::pin(&cores, Core::Second)?;
                server.and_then(|server| server.measure(&row.cell))
            } else {
                recipe.start(&row.cell).and_then(|server| server.measure(&row.cell))
            };
            match &figures {
                Ok(figures) => eprintln!("round {}, {}, {}: {figures}", round + 1, row.cell.name, recipe.name),
                Err(error) => eprintln!("round {}, {}, {}: void: {error:#}", round + 1, row.cell.name, recipe.name),
            }
            row.rounds.push(figures);
        }
    }
    let table = report::markdown(plan, pinned, &recipes, &rows);
    std::io::stdout().write_all(table.as_bytes())?;
    if let Some(out) = &plan.out {
        fs::write(out, &table).with_context(|| format!("cannot write {}", out.display()))?;
    }
    let void: usize = rows.iter().map(|row| row.rounds.iter().filter(|round| round.is_err()).count()).sum();
    if void > 0 {
        bail!("{void} runs were void");
    }
    Ok(())
}

/// Measures each cell on every server that supports it; servers alternate.
fn rows(cells: &[Cell], recipes: &[Recipe]) -> Vec<Row> {
    let servers = |cell: &Cell| {
        let cell = cell.clone();
        let able = recipes.iter().enumerate().filter(|(_, recipe)| recipe.does(&cell)).map(|(server, _)| server);
        able.map(|server| Row { cell: cell.clone(), server, rounds: Vec::new() }).collect::<Vec<_>>()
    };
    cells.iter().flat_map(servers).collect()
}

impl server::Server {
    fn measure(&self, cell: &Cell) -> Result<crate::figures::Figures> {
        let target = Target { address: self.address, pid: self.pid(), dialect: self.dialect };
        cell.scenario.measure(&target).map_err(|error| anyhow!("{error:#}{}", self.last_words()))
    }
}
