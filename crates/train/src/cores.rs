//! How many threads are worth starting.

use std::collections::BTreeSet;
use std::fs;

/// Physical cores that this process may use: two hardware threads of one core share its arithmetic units, so a second one
/// brings kernels like these nothing. Limits set for the process (affinity, container quota) count. At least 1.
pub(crate) fn physical() -> usize {
    let logical = std::thread::available_parallelism().map_or(1, usize::from);
    let allowed = fs::read_to_string("/proc/self/status").ok().and_then(|status| allowed_processors(&status));
    let cores = allowed.and_then(|processors| count_cores(&processors, siblings));
    cores.map_or(logical, |cores| cores.min(logical)).max(1)
}

/// The processors that a process may run on, from Linux's `/proc/self/status`.
fn allowed_processors(status: &str) -> Option<Vec<usize>> {
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"))?;
    parse_list(list.trim())
}

/// Reads Linux's notation of processor lists, as in `0-3,8,10-11`.
fn parse_list(list: &str) -> Option<Vec<usize>> {
    let mut processors = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        processors.extend(first.parse::<usize>().ok()?..=last.parse::<usize>().ok()?);
    }
    Some(processors)
}

/// The hardware threads that share a core with `processor`, itself included, as Linux lists them.
fn siblings(processor: usize) -> Option<String> {
    fs::read_to_string(format!("/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")).ok()
}

/// Counts the different cores among `processors`.
fn count_cores(processors: &[usize], siblings: impl Fn(usize) -> Option<String>) -> Option<usize> {
    let cores: Option<BTreeSet<String>> =
        processors.iter().map(|&processor| siblings(processor).map(|list| list.trim().to_owned())).collect();
    cores.map(|cores| cores.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_threads_of_one_core_count_once() {
        let status = "Name:\tstampnet\nCpus_allowed:\tff\nCpus_allowed_list:\t0-3,6\n";
        let processors = allowed_processors(status).unwrap();
        assert_eq!(processors, [0, 1, 2, 3, 6]);
        let pairs = |processor: usize| Some(format!("{}-{}\n", processor / 2 * 2, processor / 2 * 2 + 1));
        assert_eq!(count_cores(&processors, pairs), Some(3));
        assert_eq!(count_cores(&processors, |_| None), None);
        assert_eq!(parse_list("0-x"), None);
        assert!(physical() >= 1);
    }
}
