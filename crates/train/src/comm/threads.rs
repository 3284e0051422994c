//! Cores of a machine shared by several processes.

use super::rendezvous::Peer;

/// This machine's name.
pub(super) fn host() -> String {
    let kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = kernel.map(|name| name.trim().to_string()).or_else(|| std::env::var("HOSTNAME").ok());
    name.filter(|name| !name.is_empty()).unwrap_or_else(|| "this machine".into())
}

/// The cores that this process may use, as the system writes them: launchers can bind each process to its own.
pub(super) fn cores() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    list.map_or_else(|| "all".into(), |list| list.trim().to_string())
}

/// Gives this process its share of the cores that it and others may use; RAYON_NUM_THREADS takes precedence.
pub(super) fn divide(rank: usize, peers: &[Peer]) {
    if std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return;
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Where a pool runs already, as in a program of several groups, it stays as it is.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(share(cores, rank, peers)).build_global();
}

fn share(cores: usize, rank: usize, peers: &[Peer]) -> usize {
    let own = &peers[rank];
    let sharing = peers.iter().filter(|peer| peer.host == own.host && peer.cores == own.cores).count();
    (cores / sharing.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(host: &str, cores: &str) -> Peer {
        Peer {
            rank: 0,
            world: 1,
            version: String::new(),
            host: host.into(),
            process: 1,
            cores: cores.into(),
            address: None,
            port: 0,
        }
    }

    #[test]
    fn cores_go_to_those_who_share_them() {
        let free = [peer("a", "0-7"), peer("a", "0-7"), peer("b", "0-7"), peer("a", "0-7")];
        assert_eq!([0, 1, 2, 3].map(|rank| share(8, rank, &free)), [2, 2, 8, 2]);
        let bound = [peer("a", "0-3"), peer("a", "4-7")];
        assert_eq!([0, 1].map(|rank| share(4, rank, &bound)), [4, 4]);
        assert_eq!(share(1, 0, &free), 1);
        assert!(!host().is_empty() && !cores().is_empty());
    }
}
