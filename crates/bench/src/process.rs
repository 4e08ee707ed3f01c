//! The processor time and memory of a process, as Linux reports them in `/proc`.

use std::fs;
use std::time::Duration;

use crate::Outcome;

/// The process that is measured: another one or this one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) fn of(id: u32) -> Self {
        Self(id)
    }

    /// Returns the processor time so far, in user and system mode. Linux counts it in steps of ten
    /// milliseconds.
    pub(crate) fn cpu(self) -> Outcome<Duration> {
        // utime is the 14th field and stime the 15th.
        self.ticks(2)
    }

    /// Returns the processor time including that of all children, even those that have ended.
    pub(crate) fn cpu_with_children(self) -> Outcome<Duration> {
        // The fields cutime and cstime follow.
        let mut all = self.ticks(4)?;
        let children = self.read(&format!("task/{}/children", self.0))?;
        for child in children.split_whitespace() {
            // The parent's fields include a child that has just ended from the next reading on.
            all += Self(child.parse()?).cpu().unwrap_or_default();
        }
        Ok(all)
    }

    /// Returns the sum of this number of fields, from the 14th on.
    fn ticks(self, fields: usize) -> Outcome<Duration> {
        let stat = self.read("stat")?;
        // The second field is the name of the program in brackets, and may contain any character. The third
        // field follows the last closing bracket.
        let (_, rest) = stat.rsplit_once(')').ok_or("/proc/PID/stat has an unexpected format")?;
        let ticks = rest.split_whitespace().skip(11).take(fields).map(str::parse::<u64>);
        let ticks = ticks.sum::<Result<u64, _>>()?;
        let per_second = rustix::param::clock_ticks_per_second().max(1);
        Ok(Duration::from_secs_f64(ticks as f64 / per_second as f64))
    }

    /// Returns the resident memory in MiB.
    pub(crate) fn memory(self) -> Outcome<f64> {
        let status = self.read("status")?;
        let held = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = held.and_then(|line| line.split_whitespace().next());
        let kib = kib.ok_or("/proc/PID/status has no VmRSS")?.parse::<f64>()?;
        Ok(kib / 1024.0)
    }

    fn read(self, what: &str) -> Outcome<String> {
        let path = format!("/proc/{}/{what}", self.0);
        fs::read_to_string(&path).map_err(|error| {
            format!("cannot read {path} ({error}): processes can be measured only on Linux").into()
        })
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn work_costs_time_and_memory_is_held() {
        let this = Process::of(std::process::id());
        let before = this.cpu().unwrap();
        let mut work = 0_u64;
        while this.cpu().unwrap() < before + Duration::from_millis(20) {
            work = std::hint::black_box(work.wrapping_mul(31).wrapping_add(7));
        }
        assert!(this.memory().unwrap() > 0.5);
    }

    #[test]
    fn a_process_that_is_gone_cannot_be_measured() {
        let error = Process::of(u32::MAX).cpu().unwrap_err().to_string();
        assert!(error.contains("/proc/4294967295/stat"), "{error}");
    }
}
