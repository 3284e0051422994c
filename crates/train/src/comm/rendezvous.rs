//! How processes find each other: all come to rank 0, which checks them and tells each where its neighbour listens.

use super::chain::Chain;
use super::environment::Place;
use super::settings::Settings;
use super::wire::{self, Kind, MAGIC, wrong};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

/// Who a rank is, for messages and for its neighbours.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Peer {
    pub(super) rank: usize,
    pub(super) world: usize,
    /// Version of the program.
    pub(super) version: String,
    pub(super) host: String,
    pub(super) process: u32,
    /// The cores it may use: processes of one machine that say the same share them.
    pub(super) cores: String,
    /// Where it listens for the rank above it; the address as rank 0 sees it.
    pub(super) address: Option<IpAddr>,
    pub(super) port: u16,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} (process {} on {})", self.rank, self.process, self.host)
    }
}

/// Everyone, and the secret that keeps other runs' connections out of the chain.
#[derive(Serialize, Deserialize)]
struct Welcome {
    peers: Vec<Peer>,
    token: u64,
}

/// The connections of a rank.
pub(super) struct Joined {
    /// At rank 0 to everyone, elsewhere to rank 0.
    pub(super) links: Vec<(Peer, TcpStream)>,
    pub(super) chain: Chain,
    /// All ranks in order.
    pub(super) peers: Vec<Peer>,
}

/// Waits for all ranks.
pub(super) fn join(place: &Place, settings: &Settings) -> Result<Joined> {
    let wait = Wait { place, start: Instant::now(), limit: settings.rendezvous };
    // Nobody else can reach a loopback address, so no other machine has to reach the listeners.
    let local = place.master == "localhost" || place.master.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let failed = |error: io::Error| Error::Group(format!("the connections of rank {} failed: {error}", place.rank));
    let own = listener(place, local, 0).map_err(failed)?;
    let hello = Peer {
        rank: place.rank,
        world: place.world,
        version: env!("CARGO_PKG_VERSION").into(),
        host: super::threads::host(),
        process: std::process::id(),
        cores: super::threads::cores(),
        address: None,
        port: own.local_addr().map_err(failed)?.port(),
    };
    let (links, welcome) = if place.rank == 0 { wait.gather(hello, local)? } else { wait.introduce(hello)? };
    let below = match place.rank {
        0 => None,
        rank => {
            let neighbour = &welcome.peers[rank - 1];
            let master = links[0].1.peer_addr().map_err(failed)?.ip();
            // A process beside rank 0 came to it by a loopback address, which is of no use elsewhere.
            let ip = neighbour.address.filter(|ip| !ip.is_loopback()).unwrap_or(master);
            let to = SocketAddr::new(ip, neighbour.port);
            let stream = connect_below(to, place.rank, welcome.token).map_err(|error| {
                Error::Group(format!(
                    "rank {} does not reach {neighbour} at {to}: {error}; \
                     the machines of a run need free TCP connections to each other",
                    place.rank
                ))
            })?;
            Some(stream)
        }
    };
    let above = match place.rank + 1 {
        rank if rank == place.world => None,
        rank => Some(accept_above(&own, rank, welcome.token, wait.left().max(Duration::from_secs(10))).map_err(
            |error| Error::Group(format!("{} did not connect to rank {}: {error}", welcome.peers[rank], place.rank)),
        )?),
    };
    Ok(Joined { links, chain: Chain { below, above, sequence: 0 }, peers: welcome.peers })
}

/// A listening socket for this machine only, or for all of them.
fn listener(place: &Place, local: bool, port: u16) -> io::Result<TcpListener> {
    let v6 = (place.master.as_str(), 0).to_socket_addrs().is_ok_and(|mut all| all.all(|a| a.is_ipv6()));
    let ip: IpAddr = match (v6, local) {
        (true, true) => Ipv6Addr::LOCALHOST.into(),
        (true, false) => Ipv6Addr::UNSPECIFIED.into(),
        (false, true) => Ipv4Addr::LOCALHOST.into(),
        (false, false) => Ipv4Addr::UNSPECIFIED.into(),
    };
    TcpListener::bind((ip, port))
}

fn connect_below(to: SocketAddr, rank: usize, token: u64) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(10))?;
    stream.set_nodelay(true)?;
    stream.write_all(&MAGIC)?;
    stream.write_all(&token.to_le_bytes())?;
    stream.write_all(&(rank as u64).to_le_bytes())?;
    Ok(stream)
}

fn accept_above(own: &TcpListener, rank: usize, token: u64, limit: Duration) -> io::Result<TcpStream> {
    let start = Instant::now();
    while start.elapsed() < limit {
        if let Some((mut stream, _)) = accept(own)? {
            let mut said = [0; 24];
            let expected = [MAGIC, token.to_le_bytes(), (rank as u64).to_le_bytes()].concat();
            if stream.read_exact(&mut said).is_ok() && said[..] == expected[..] {
                stream.set_read_timeout(None)?;
                return Ok(stream);
            }
        }
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// The next connection, if one comes within a moment; reads from it are limited to 5 s.
fn accept(listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    listener.set_nonblocking(true)?;
    match listener.accept() {
        Ok((stream, from)) => {
            stream.set_nonblocking(false)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            Ok(Some((stream, from)))
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
            std::thread::sleep(Duration::from_millis(10));
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Waiting with a limit, and a word about it now and then.
struct Wait<'a> {
    place: &'a Place,
    start: Instant,
    limit: Duration,
}

impl Wait<'_> {
    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.start.elapsed())
    }

    /// Rank 0: everyone else, each checked.
    fn gather(&self, hello: Peer, local: bool) -> Result<(Vec<(Peer, TcpStream)>, Welcome)> {
        let place = self.place;
        let listener = listener(place, local, place.port).map_err(|error| {
            let port = place.port;
            Error::Group(match error.kind() {
                io::ErrorKind::AddrInUse => {
                    format!("port {port} is in use on this machine, maybe by another run; choose another MASTER_PORT")
                }
                _ => format!("rank 0 cannot listen on port {port}: {error}; choose another MASTER_PORT"),
            })
        })?;
        let mut came: Vec<Option<(Peer, TcpStream)>> = (0..place.world).map(|_| None).collect();
        let mut note = Duration::from_secs(5);
        let missing = |came: &[Option<(Peer, TcpStream)>]| -> Vec<usize> {
            (1..place.world).filter(|&rank| came[rank].is_none()).collect()
        };
        while came.iter().skip(1).any(Option::is_none) {
            if self.start.elapsed() > self.limit {
                let text = format!(
                    "{} of {} did not come to rank 0 (port {}) within {} s; start all processes, and look for messages of \
                     those that ended early",
                    ranks(&missing(&came)),
                    place.world,
                    place.port,
                    self.limit.as_secs()
                );
                return Err(refuse(&came, text));
            }
            if self.start.elapsed() > note {
                note = self.start.elapsed() + Duration::from_secs(15);
                eprintln!("rank 0 waits for {} of {} on port {}", ranks(&missing(&came)), place.world, place.port);
            }
            let next = accept(&listener)
                .map_err(|error| Error::Group(format!("rank 0 cannot listen on port {}: {error}", place.port)))?;
            let Some((stream, from)) = next else {
                continue;
            };
            match read_hello(&stream) {
                Err(error) => eprintln!("rank 0: {from} is no rank of a training run ({error}); left out"),
                Ok(mut peer) => {
                    peer.address = Some(from.ip());
                    let rank = peer.rank;
                    if let Some(reason) = mismatch(&hello, &peer, came.get(rank).and_then(Option::as_ref)) {
                        // The stranger is told as well.
                        came.push(Some((peer, stream)));
                        return Err(refuse(&came, reason));
                    }
                    came[rank] = Some((peer, stream));
                }
            }
        }
        let links: Vec<(Peer, TcpStream)> = came.into_iter().flatten().collect();
        let peers = std::iter::once(&hello).chain(links.iter().map(|(peer, _)| peer)).cloned().collect();
        let welcome = Welcome { peers, token: token(&hello) };
        let text = serde_json::to_vec(&welcome).map_err(|e| Error::Group(e.to_string()))?;
        for (peer, stream) in &links {
            wire::write(stream, Kind::Welcome, &text)
                .map_err(|error| Error::Group(format!("{peer} left during the start: {error}")))?;
        }
        Ok((links, welcome))
    }

    /// Any other rank: to rank 0, which may come later.
    fn introduce(&self, hello: Peer) -> Result<(Vec<(Peer, TcpStream)>, Welcome)> {
        let stream = self.connect()?;
        let lost = |error: io::Error| {
            Error::Group(format!("rank 0 at {} ended during the start ({error}); look for its messages", self.master()))
        };
        let text = serde_json::to_vec(&hello).map_err(|e| Error::Group(e.to_string()))?;
        (&stream).write_all(&MAGIC).and_then(|()| wire::write(&stream, Kind::Hello, &text)).map_err(lost)?;
        // Rank 0 gives up by itself; its word about why should arrive.
        stream.set_read_timeout(Some(self.left() + Duration::from_secs(10))).map_err(lost)?;
        match wire::read(&stream).map_err(lost)? {
            (Kind::Welcome, text) => {
                let welcome: Welcome =
                    serde_json::from_slice(&text).map_err(|e| Error::Group(format!("rank 0's welcome: {e}")))?;
                if welcome.peers.len() != self.place.world {
                    return Err(Error::Group(format!("rank 0 speaks of {} ranks", welcome.peers.len())));
                }
                Ok((vec![(welcome.peers[0].clone(), stream)], welcome))
            }
            (Kind::Abort, reason) => Err(Error::Group(String::from_utf8_lossy(&reason).into_owned())),
            (kind, _) => Err(Error::Group(format!("rank 0 answered with a {kind:?}"))),
        }
    }

    fn master(&self) -> String {
        format!("{}:{}", self.place.master, self.place.port)
    }

    fn connect(&self) -> Result<TcpStream> {
        let mut note = Duration::from_secs(5);
        loop {
            let attempt = (self.place.master.as_str(), self.place.port).to_socket_addrs().and_then(|addresses| {
                let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
                for address in addresses {
                    match TcpStream::connect_timeout(&address, Duration::from_secs(5)) {
                        Ok(stream) => return Ok(stream),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            });
            let error = match attempt {
                Ok(stream) => {
                    stream.set_nodelay(true).map_err(|error| Error::Group(error.to_string()))?;
                    return Ok(stream);
                }
                Err(error) => error,
            };
            let (rank, master) = (self.place.rank, self.master());
            if self.left().is_zero() {
                return Err(Error::Group(format!(
                    "rank {rank} did not reach rank 0 at {master} within {} s: {error}; check MASTER_ADDR and MASTER_PORT, \
                     that rank 0 runs there, and the firewall",
                    self.limit.as_secs()
                )));
            }
            if self.start.elapsed() > note {
                note = self.start.elapsed() + Duration::from_secs(15);
                eprintln!("rank {rank} waits for rank 0 at {master} ({error})");
            }
            std::thread::sleep(Duration::from_millis(100).min(self.left()));
        }
    }
}

fn read_hello(mut stream: &TcpStream) -> io::Result<Peer> {
    let mut magic = [0; 8];
    stream.read_exact(&mut magic)?;
    if magic[..7] != MAGIC[..7] {
        return Err(wrong("it does not speak the protocol"));
    }
    if magic != MAGIC {
        return Err(wrong("it speaks another version of the protocol: run the same program everywhere"));
    }
    match wire::read(stream)? {
        (Kind::Hello, text) => serde_json::from_slice(&text).map_err(|error| wrong(error.to_string())),
        (kind, _) => Err(wrong(format!("it began with a {kind:?}"))),
    }
}

/// Why a rank cannot take part.
fn mismatch(own: &Peer, peer: &Peer, same: Option<&(Peer, TcpStream)>) -> Option<String> {
    if peer.version != own.version {
        return Some(format!(
            "{peer} runs version {}, rank 0 version {}; run the same everywhere",
            peer.version, own.version
        ));
    }
    if peer.world != own.world {
        return Some(format!(
            "{peer} counts {} processes, rank 0 counts {}; WORLD_SIZE must be the same everywhere",
            peer.world, own.world
        ));
    }
    if peer.rank == 0 || peer.rank >= own.world || same.is_some() {
        let other = same.map_or(own, |(other, _)| other);
        return Some(format!("two processes are rank {}: {peer} and {other}; each needs a RANK of its own", peer.rank));
    }
    None
}

/// Tells everyone who came, and gives the error for rank 0 itself.
fn refuse(came: &[Option<(Peer, TcpStream)>], reason: String) -> Error {
    for (_, stream) in came.iter().flatten() {
        let _ = wire::write(stream, Kind::Abort, reason.as_bytes());
    }
    Error::Group(reason)
}

/// `rank 1`, `ranks 1, 4 and 5`.
fn ranks(missing: &[usize]) -> String {
    match missing {
        [] => "nobody".into(),
        [one] => format!("rank {one}"),
        [most @ .., last] => {
            let most: Vec<String> = most.iter().map(ToString::to_string).collect();
            format!("ranks {} and {last}", most.join(", "))
        }
    }
}

/// Differs from run to run; not a secret against attackers.
fn token(hello: &Peer) -> u64 {
    std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), hello.process)
}
