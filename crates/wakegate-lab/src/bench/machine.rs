//! What the system says of the machine and of this process. Whatever it does not say is `None`.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Meter;

/// The machine that was measured on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor, as it names itself.
    pub cpu: Option<String>,
    /// The board, where the firmware names it: a Raspberry Pi does.
    pub board: Option<String>,
    /// Processors that are there.
    pub cores: usize,
    /// The processor that the measurement was kept on.
    pub pinned: Option<usize>,
    /// How its frequency is governed.
    pub governor: Option<String>,
    /// Instruction set.
    pub arch: String,
    /// Operating system and its kernel's release.
    pub kernel: Option<String>,
    /// Processes that ran or waited to run in the last minute, on average, before the start.
    pub load: Option<f64>,
    /// Physical memory in MB.
    pub memory_mb: Option<u64>,
}

/// Memory of a process that is resident, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Now, in steady running.
    pub steady: Option<u64>,
    /// The most there was.
    pub peak: Option<u64>,
}

impl Machine {
    /// Reads the system below `root`, which is `/` but for tests.
    pub fn read(root: &Path, pinned: Option<usize>) -> Self {
        let text = |path: String| -> Option<String> {
            let text = fs::read_to_string(root.join(path)).ok()?;
            let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            (!text.is_empty()).then(|| text.to_owned())
        };
        let cpuinfo = text("proc/cpuinfo".to_owned()).unwrap_or_default();
        let meminfo = text("proc/meminfo".to_owned()).unwrap_or_default();
        let governed = pinned.unwrap_or(0);
        let kernel = text("proc/sys/kernel/osrelease".to_owned());
        Self {
            cpu: field(&cpuinfo, "model name").or_else(|| field(&cpuinfo, "Model")),
            board: text("proc/device-tree/model".to_owned()),
            cores: processors(&cpuinfo),
            pinned,
            governor: text(format!(
                "sys/devices/system/cpu/cpu{governed}/cpufreq/scaling_governor"
            )),
            arch: std::env::consts::ARCH.to_owned(),
            kernel: kernel.map(|release| format!("{} {release}", std::env::consts::OS)),
            load: text("proc/loadavg".to_owned())
                .and_then(|load| load.split_whitespace().next()?.parse().ok()),
            memory_mb: field(&meminfo, "MemTotal").and_then(|kib| kilobytes(&kib)).map(|b| b >> 20),
        }
    }
}

impl Memory {
    /// Of the process whose `status` file this is the text of.
    pub fn parse(status: &str) -> Self {
        let bytes = |name: &str| field(status, name).and_then(|text| kilobytes(&text));
        Self { steady: bytes("VmRSS"), peak: bytes("VmHWM") }
    }

    /// Of this process.
    pub fn now() -> Self {
        Self::parse(&fs::read_to_string("/proc/self/status").unwrap_or_default())
    }
}

/// The value of `name` in lines of `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let value = values.into_iter().find(|(key, _)| key.trim() == name)?.1.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Processors that are there, whichever of them this process may use.
fn processors(cpuinfo: &str) -> usize {
    let entries = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let count = entries.filter(|(key, _)| key.trim() == "processor").count();
    if count > 0 { count } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

/// `N kB` in bytes.
fn kilobytes(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// What the rest of the system did to the measurement.
#[derive(Debug, Clone)]
pub struct Watch {
    root: PathBuf,
    cpu: Option<usize>,
    begun: Snapshot,
}

/// What a [`Watch`] saw.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// How often the thread was put off its processor against its will.
    pub preempted: Option<u64>,
    /// Share of the processor, or of all of them, that others had; this process's own part is
    /// left out.
    pub others: Option<f64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Snapshot {
    preempted: Option<u64>,
    busy: Option<u64>,
    total: Option<u64>,
    own: Option<u64>,
}

impl Watched {
    /// What several threads saw at once: together they were put off so often, and others had the
    /// same share of all processors.
    pub fn together(all: &[Self]) -> Self {
        let preempted = all.iter().map(|watched| watched.preempted).sum();
        Self { preempted, others: all.first().and_then(|watched| watched.others) }
    }
}

impl Watch {
    /// Begins to watch `cpu`, or all processors, below `root`, which is `/` but for tests.
    pub fn begin(root: &Path, cpu: Option<usize>) -> Self {
        let begun = Snapshot::take(root, cpu);
        Self { root: root.to_owned(), cpu, begun }
    }

    /// What has happened since.
    pub fn end(&self) -> Watched {
        let (begun, end) = (&self.begun, Snapshot::take(&self.root, self.cpu));
        let since =
            |pick: fn(&Snapshot) -> Option<u64>| Some(pick(&end)?.saturating_sub(pick(begun)?));
        let others = || {
            let (busy, total, own) = (since(|s| s.busy)?, since(|s| s.total)?, since(|s| s.own)?);
            // All three in ticks of the same clock, each rounded by itself.
            (total > 0).then(|| busy.saturating_sub(own) as f64 / total as f64)
        };
        Watched { preempted: since(|s| s.preempted), others: others() }
    }
}

impl Snapshot {
    fn take(root: &Path, cpu: Option<usize>) -> Self {
        let text = |path: &str| fs::read_to_string(root.join(path)).unwrap_or_default();
        let status = text("proc/thread-self/status");
        let preempted =
            field(&status, "nonvoluntary_ctxt_switches").and_then(|count| count.parse().ok());
        let name = cpu.map_or("cpu".to_owned(), |cpu| format!("cpu{cpu}"));
        let stat = text("proc/stat");
        let ticks: Option<Vec<u64>> = stat
            .lines()
            .find_map(|line| line.strip_prefix(&name)?.strip_prefix(' '))
            .map(|line| line.split_whitespace().filter_map(|n| n.parse().ok()).collect());
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
        let (total, idle) = match ticks.as_deref() {
            Some(ticks @ [_, _, _, idle, iowait, ..]) => {
                (Some(ticks.iter().take(8).sum::<u64>()), idle + iowait)
            }
            _ => (None, 0),
        };
        Self {
            preempted,
            busy: total.map(|total| total - idle),
            total,
            own: own_ticks(&text("proc/self/stat")),
        }
    }
}

/// User and system time in ticks. The name in the line may hold spaces and brackets.
fn own_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    Some(user + fields.next()?.parse::<u64>().ok()?)
}

/// Nanoseconds of a fixed piece of arithmetic, the shortest of ten tries: twice the time is half
/// the processor's frequency.
pub fn speed_ns(meter: &impl Meter) -> u64 {
    const ROUNDS: u32 = 100_000;
    let once = || {
        let start = meter.now();
        let sum = (0..ROUNDS).fold(1_u32, |sum, _| {
            black_box(sum.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
        });
        black_box(sum);
        meter.now() - start
    };
    (0..10).map(|_| once()).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, text: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_raspberry_pi_is_read() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "proc/cpuinfo",
            "processor\t: 0\nBogoMIPS\t: 108.00\n\nprocessor\t: 1\n\nModel\t\t: Pi\n",
        );
        write(root, "proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.5\0");
        write(root, "proc/meminfo", "MemTotal:        2097152 kB\nMemFree: 1 kB\n");
        write(root, "proc/loadavg", "0.25 0.10 0.05 1/90 1234\n");
        write(root, "proc/sys/kernel/osrelease", "6.6.31-v8\n");
        write(root, "sys/devices/system/cpu/cpu2/cpufreq/scaling_governor", "ondemand\n");
        let machine = Machine::read(root, Some(2));
        assert_eq!((machine.cpu.as_deref(), machine.cores), (Some("Pi"), 2));
        assert_eq!(machine.board.as_deref(), Some("Raspberry Pi 4 Model B Rev 1.5"));
        assert_eq!(machine.governor.as_deref(), Some("ondemand"));
        assert_eq!(machine.kernel.unwrap().split(' ').nth(1), Some("6.6.31-v8"));
        assert_eq!((machine.load, machine.memory_mb), (Some(0.25), Some(2_048)));
        assert_eq!(Machine::read(root, None).governor, None);
    }

    #[test]
    fn a_system_that_says_nothing_leaves_gaps() {
        let root = tempfile::tempdir().unwrap();
        let machine = Machine::read(root.path(), None);
        assert_eq!((machine.cpu, machine.load, machine.kernel), (None, None, None));
        assert_eq!(Watch::begin(root.path(), None).end(), Watched::default());
        assert_eq!(Memory::parse(""), Memory::default());
    }

    #[test]
    fn others_are_what_was_busy_without_this_process() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let set = |stat: &str, own: &str, preempted: u64| {
            write(root, "proc/stat", stat);
            write(root, "proc/self/stat", own);
            let text = format!("nonvoluntary_ctxt_switches:\t{preempted}\n");
            write(root, "proc/thread-self/status", &text);
        };
        let own = |user: u64| {
            let before = "S 1 1 1 0 -1 4194304 100 0 0 0";
            format!("42 (a (strange) name) {before} {user} 5 0 0 20 0 1 0\n")
        };
        set("cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 100 0 10 800 0 0 0 0 0 0\n", &own(50), 3);
        let watch = Watch::begin(root, Some(1));
        set("cpu  9 9 9 9 9 9 9 9 0 0\ncpu1 160 0 10 830 0 0 0 10 0 0\n", &own(100), 7);
        let watched = watch.end();
        assert_eq!(watched.preempted, Some(4));
        // 70 of 100 ticks were busy, 50 of them its own.
        assert!((watched.others.unwrap() - 0.2).abs() < 1e-12, "{watched:?}");
    }

    #[test]
    fn memory_is_in_bytes() {
        let memory = Memory::parse("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n");
        assert_eq!(memory, Memory { steady: Some(1 << 20), peak: Some(2 << 20) });
        assert!(Memory::now().steady.is_some_and(|bytes| bytes > 100_000));
    }
}
