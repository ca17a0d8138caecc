//! Process information from the kernel: CPU, memory, and core affinity.

use std::{fs, time::Duration};

use anyhow::{Context, Result, ensure};
use rustix::{
    process::{Pid, Resource, Rlimit, getrlimit, setrlimit},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
};

/// The fields of `/proc/<pid>/stat` that are used (proc_pid_stat(5)).
struct Stat {
    pid: u32,
    parent: u32,
    /// User and kernel CPU, of the process and of children it has waited for.
    cpu: Duration,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    fn parse(line: &str) -> Option<Stat> {
        let pid = line.split(' ').next()?.parse().ok()?;
        // The name is in parentheses, and may itself contain parentheses.
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let parent = fields.get(1)?.parse().ok()?;
        let ticks: u64 = fields.get(11..15)?.iter().map(|field| field.parse::<u64>()).sum::<Result<_, _>>().ok()?;
        Some(Stat { pid, parent, cpu: from_ticks(ticks) })
    }
}

fn from_ticks(ticks: u64) -> Duration {
    Duration::from_nanos(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}

/// The process and all its descendants.
fn tree(root: u32) -> Result<Vec<Stat>> {
    let pids = fs::read_dir("/proc")?.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let (mut family, mut others): (Vec<Stat>, Vec<Stat>) =
        pids.filter_map(Stat::read).partition(|stat| stat.pid == root);
    ensure!(!family.is_empty(), "the server's process {root} is gone");
    loop {
        let (children, rest) = others.into_iter().partition(|stat| family.iter().any(|one| one.pid == stat.parent));
        others = rest;
        let children: Vec<Stat> = children;
        if children.is_empty() {
            return Ok(family);
        }
        family.extend(children);
    }
}

/// User and kernel CPU of a process and its children so far.
pub fn cpu(root: u32) -> Result<Duration> {
    Ok(tree(root)?.iter().map(|stat| stat.cpu).sum())
}

/// User and kernel CPU of the generator so far, without the servers that it has started.
pub fn cpu_of_this() -> Result<Duration> {
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Ok(Duration::try_from(clock)?)
}

/// CPU that the whole machine has used so far.
pub fn cpu_of_machine() -> Result<Duration> {
    let text = fs::read_to_string("/proc/stat")?;
    let ticks: Vec<u64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_ascii_whitespace()
        .skip(1)
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("/proc/stat")?;
    // user, nice, system, (idle, iowait), irq, softirq: proc_stat(5).
    let busy = ticks.iter().enumerate().filter(|(place, _)| matches!(place, 0..=2 | 5..=6)).map(|(_, ticks)| ticks);
    Ok(from_ticks(busy.sum()))
}

/// Proportional set size of a process and its children, in KiB.
pub fn pss(root: u32) -> Result<u64> {
    tree(root)?.iter().map(|stat| pss_of(stat.pid)).sum()
}

fn pss_of(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).context("cannot read the server's memory")?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no Pss in smaps_rollup")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Raises the limit of open files to the hard limit, for this process and its children.
pub fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let enough = limit.maximum.is_none_or(|files| files >= 6_000);
    ensure!(enough, "5,000 connections need `ulimit -Hn` of 6,000 or more");
    Ok(())
}

/// The core a process runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Core {
    /// The server's.
    First,
    /// The generator's.
    Second,
}

/// Pins this thread, and the processes that it starts later, to one of the first two cores available. Returns false
/// without a change if only one is available.
pub fn pin(allowed: &CpuSet, core: Core) -> Result<bool> {
    let mut given = (0..CpuSet::MAX_CPU).filter(|&cpu| allowed.is_set(cpu));
    let (Some(first), Some(second)) = (given.next(), given.next()) else { return Ok(false) };
    let mut one = CpuSet::new();
    one.set(if core == Core::First { first } else { second });
    sched_setaffinity(None, &one)?;
    Ok(true)
}

/// The cores that a process may run on.
pub fn cores_of(pid: u32) -> Result<CpuSet> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("no process")?;
    sched_getaffinity(Some(pid)).context("cannot read where the server's process may run")
}

/// Pins this thread to these cores.
pub fn run_on(cores: &CpuSet) -> Result<()> {
    Ok(sched_setaffinity(None, cores)?)
}

/// The cores that this thread may run on.
pub fn allowed_cores() -> Result<CpuSet> {
    Ok(sched_getaffinity(None)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_confuse() {
        let line = "12 (a) b) S 7 12 12 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 5 6 7";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.cpu), (12, 7, from_ticks(127)));
    }

    #[test]
    fn this_process_has_memory_and_cpu() {
        assert!(pss(std::process::id()).unwrap() > 0);
        assert!(cpu_of_machine().unwrap() > cpu(std::process::id()).unwrap());
    }
}
