//! What this process costs.

use std::fs;

use crate::failure::Failure;

/// CPU time of this process so far, user and system, in microseconds. It has one thread.
pub fn cpu_us() -> Result<u64, Failure> {
    let text = fs::read_to_string("/proc/self/schedstat")?;
    let ns: Option<u64> = text.split_whitespace().next().and_then(|n| n.parse().ok());
    ns.map(|ns| ns / 1000)
        .ok_or_else(|| Failure::new("no CPU time in /proc/self/schedstat"))
}
