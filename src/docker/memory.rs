//! How much memory this machine has: the daemon's, as its Unix socket is one of this kernel's.

/// Bytes of memory, as `/proc/meminfo` says (`proc_meminfo(5)`); none where it does not.
pub fn machine_memory() -> Option<u64> {
    total(&std::fs::read_to_string("/proc/meminfo").ok()?)
}

fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        for none in ["", "MemFree: 1 kB\n", "MemTotal: many kB\n", "MemTotal: 5\n"] {
            assert_eq!(total(none), None, "{none}");
        }
        assert!(machine_memory().is_some_and(|bytes| bytes > 64 << 20));
    }
}
