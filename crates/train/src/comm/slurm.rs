//! Slurm's names of machines.

/// The first machine of a node list such as `gpu[03-07,12],login1`; none when the list is not well formed.
///
/// A list is names with commas between them; brackets hold alternatives: numbers and ranges of numbers of fixed width. A
/// name may have several brackets.
pub(super) fn first_host(list: &str) -> Option<String> {
    let mut host = String::new();
    let mut rest = list.trim();
    while let Some(next) = rest.chars().next() {
        match next {
            ',' => break,
            ']' => return None,
            '[' => {
                let (inside, after) = rest[1..].split_once(']')?;
                let first = inside.split([',', '-']).next()?;
                if first.is_empty() || !first.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                host.push_str(first);
                rest = after;
            }
            other => {
                host.push(other);
                rest = &rest[other.len_utf8()..];
            }
        }
    }
    (!host.is_empty()).then_some(host)
}

/// A port that every process of a job step computes alike and another job seldom shares: 20000 to 31999, below the range
/// that Linux gives out by itself.
pub(super) fn port(job: u64, step: u64) -> u16 {
    let offset = (job % 12_000 + step % 12_000 * 7) % 12_000;
    20_000 + u16::try_from(offset).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_every_kind_of_list() {
        for (list, first) in [
            ("gpu7", "gpu7"),
            ("gpu7,gpu9", "gpu7"),
            ("gpu[03-07,12],login1", "gpu03"),
            ("gpu[12,14]", "gpu12"),
            ("rack[1-2]-node[004-128]", "rack1-node004"),
            ("a.cluster.org", "a.cluster.org"),
        ] {
            assert_eq!(first_host(list).as_deref(), Some(first), "{list}");
        }
        for list in ["", ",gpu1", "gpu[1-2", "gpu]", "gpu[]", "gpu[a-b]"] {
            assert_eq!(first_host(list), None, "{list}");
        }
    }

    #[test]
    fn ports_stay_in_their_range() {
        for job in [0, 1, 11_999, 12_000, 4_294_967_295, u64::MAX] {
            assert!((20_000..32_000).contains(&port(job, 3)));
        }
        assert_ne!(port(5, 0), port(5, 1));
    }
}
