//! This process's place in a launch, from the variables of its launcher.

use super::slurm;
use crate::{Error, Result};
use std::fmt;

/// Port of rank 0 where the launcher does not say one: the one that PyTorch takes.
const DEFAULT_PORT: u16 = 29_500;

/// Who started the processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Launcher {
    /// `torchrun`, `train launch`, or variables set by hand.
    Torch,
    /// `mpirun` of Open MPI.
    OpenMpi,
    /// `mpiexec` of MPICH and of Intel MPI.
    Mpich,
    /// `srun`.
    Slurm,
}

/// Names of the variables: rank, world, rank on the machine, processes on the machine.
struct Names(&'static str, &'static str, &'static str, &'static str);

impl Launcher {
    /// In order of precedence: `torchrun` may run under the others, `mpirun` under Slurm.
    const ALL: [Self; 4] = [Self::Torch, Self::OpenMpi, Self::Mpich, Self::Slurm];

    fn names(self) -> Names {
        match self {
            Self::Torch => Names("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
            Self::OpenMpi => Names(
                "OMPI_COMM_WORLD_RANK",
                "OMPI_COMM_WORLD_SIZE",
                "OMPI_COMM_WORLD_LOCAL_RANK",
                "OMPI_COMM_WORLD_LOCAL_SIZE",
            ),
            Self::Mpich => Names("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"),
            // A step that srun started knows its own number of tasks; SLURM_NTASKS may be that of the whole allocation.
            Self::Slurm => Names("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", ""),
        }
    }
}

impl fmt::Display for Launcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Torch => "RANK and WORLD_SIZE",
            Self::OpenMpi => "Open MPI",
            Self::Mpich => "PMI",
            Self::Slurm => "Slurm",
        })
    }
}

/// One of several processes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of this process, from 0.
    pub rank: usize,
    /// Number of processes, at least 2.
    pub world: usize,
    /// Number of this process on its machine, which chooses the GPU; none when the launcher does not say.
    pub local_rank: Option<usize>,
    /// Name or address of rank 0's machine.
    pub master: String,
    /// Port that rank 0 listens on.
    pub port: u16,
    /// Who started the processes.
    pub launcher: Launcher,
}

impl Place {
    /// Reads the variables of this process; none when it was not launched with others.
    ///
    /// # Errors
    /// Variables that are incomplete, no numbers, or contradict each other.
    pub fn from_environment() -> Result<Option<Self>> {
        Self::read(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same with any source of variables.
    pub(super) fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let mut found: Option<(Launcher, usize, usize)> = None;
        for launcher in Launcher::ALL {
            let Some((rank, world)) = rank_and_world(launcher, get)? else {
                continue;
            };
            match found {
                None => found = Some((launcher, rank, world)),
                // torchrun numbers its processes by itself, and Slurm's step may be one task a machine.
                Some((outer @ Launcher::Torch, r, w))
                    if launcher != Launcher::Slurm
                        && w == world
                        && r != rank
                        && get("TORCHELASTIC_RUN_ID").is_none() =>
                {
                    return Err(Error::Config(format!(
                        "{outer} say rank {r} of {w}, {launcher} says rank {rank} of {world}; \
                         unset RANK and WORLD_SIZE where {launcher} starts the processes"
                    )));
                }
                Some(_) => {}
            }
        }
        let Some((launcher, rank, world)) = found.filter(|&(.., world)| world > 1) else {
            return Ok(None);
        };
        let names = launcher.names();
        let local_rank = number(names.2, get)?;
        if let Some(local) = local_rank.filter(|&local| local >= world) {
            return Err(Error::Config(format!("{} is {local}, but there are only {world} processes", names.2)));
        }
        let (master, port) = master(launcher, world, get)?;
        Ok(Some(Self { rank, world, local_rank, master, port, launcher }))
    }
}

/// What to put before messages: `rank 2: ` in a launched process, nothing otherwise.
pub fn prefix() -> String {
    match Place::from_environment() {
        Ok(Some(place)) => format!("rank {}: ", place.rank),
        _ => String::new(),
    }
}

/// Whether this process tells people how things go: rank 0, or one that is alone.
pub fn speaks() -> bool {
    !matches!(Place::from_environment(), Ok(Some(place)) if place.rank > 0)
}

/// A line for people, which one process of a run says for all.
pub fn say(text: &str) {
    if speaks() {
        eprintln!("{text}");
    }
}

fn number(name: &str, get: &dyn Fn(&str) -> Option<String>) -> Result<Option<usize>> {
    let Some(text) = get(name) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Error::Config(format!("the variable {name} is `{text}`, not a number; correct or unset it"))),
    }
}

fn rank_and_world(launcher: Launcher, get: &dyn Fn(&str) -> Option<String>) -> Result<Option<(usize, usize)>> {
    let Names(rank_name, world_name, ..) = launcher.names();
    let (rank, mut world) = (number(rank_name, get)?, number(world_name, get)?);
    if launcher == Launcher::Slurm {
        world = world.map_or_else(|| number("SLURM_NTASKS", get), |world| Ok(Some(world)))?;
        // An allocation (salloc, sbatch) has a number of tasks; only a task that was started has a number of its own.
        if rank.is_none() || world.is_none_or(|world| world < 2) {
            return Ok(None);
        }
    }
    match (rank, world) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(partial(rank_name, world_name)),
        (None, Some(_)) => Err(partial(world_name, rank_name)),
        (Some(_), Some(0)) => Err(Error::Config(format!("the variable {world_name} is 0; it counts the processes"))),
        (Some(rank), Some(world)) if rank >= world => Err(Error::Config(format!(
            "the variable {rank_name} is {rank}, but {world_name} is {world}: ranks count from 0 to {}",
            world - 1
        ))),
        (Some(rank), Some(world)) => Ok(Some((rank, world))),
    }
}

fn partial(there: &str, missing: &str) -> Error {
    Error::Config(format!(
        "the variable {there} is set but {missing} is not; set both for several processes, or unset {there} for one"
    ))
}

/// Where rank 0 listens.
fn master(launcher: Launcher, world: usize, get: &dyn Fn(&str) -> Option<String>) -> Result<(String, u16)> {
    let port =
        match number("MASTER_PORT", get)? {
            None => None,
            Some(port) => Some(u16::try_from(port).ok().filter(|&port| port > 0).ok_or_else(|| {
                Error::Config(format!("the variable MASTER_PORT is {port}; ports go from 1 to 65535"))
            })?),
        };
    let address = get("MASTER_ADDR");
    match launcher {
        Launcher::Torch => {
            let missing = |name: &str, example: &str| {
                Error::Config(format!(
                    "RANK and WORLD_SIZE are set but {name} is not; set it on every process, such as {name}={example}, \
                     or use `train launch` or torchrun, which do"
                ))
            };
            let address = address.ok_or_else(|| missing("MASTER_ADDR", "127.0.0.1"))?;
            let port = port.ok_or_else(|| missing("MASTER_PORT", "29500"))?;
            // torchrun's own store listens on MASTER_PORT then.
            let taken = get("TORCHELASTIC_USE_AGENT_STORE").as_deref() == Some("True");
            Ok((address, if taken { port.checked_add(1).unwrap_or(port - 1) } else { port }))
        }
        Launcher::OpenMpi | Launcher::Mpich => {
            let on_machine = number(launcher.names().3, get)?;
            let address =
                address.or_else(|| (on_machine == Some(world)).then(|| "127.0.0.1".into())).ok_or_else(|| {
                    let example = match launcher {
                        Launcher::OpenMpi => "mpirun -x MASTER_ADDR=NAME -x MASTER_PORT=29500 ...",
                        _ => "mpiexec -genv MASTER_ADDR NAME -genv MASTER_PORT 29500 ...",
                    };
                    Error::Config(format!("MASTER_ADDR is not set; name the machine of rank 0: {example}"))
                })?;
            Ok((address, port.unwrap_or(DEFAULT_PORT)))
        }
        Launcher::Slurm => {
            let list = get("SLURM_STEP_NODELIST").or_else(|| get("SLURM_JOB_NODELIST"));
            let first = list.as_deref().and_then(slurm::first_host);
            let address = address.or(first).ok_or_else(|| {
                Error::Config(format!(
                    "SLURM_JOB_NODELIST is {}, which names no machine; set MASTER_ADDR to the machine of task 0",
                    list.map_or("not set".into(), |list| format!("`{list}`"))
                ))
            })?;
            let job = number("SLURM_JOB_ID", get)?.unwrap_or(0) as u64;
            let step = number("SLURM_STEP_ID", get)?.unwrap_or(0) as u64;
            Ok((address, port.unwrap_or_else(|| slurm::port(job, step))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &str) -> Result<Option<Place>> {
        let find = |name: &str| {
            let pairs = variables.split_whitespace().filter_map(|pair| pair.split_once('='));
            pairs.filter(|(key, _)| *key == name).map(|(_, value)| value.to_string()).next()
        };
        Place::read(&find)
    }

    #[track_caller]
    fn found(variables: &str) -> (usize, usize, Option<usize>, String, u16) {
        let place = read(variables).unwrap().expect("a launch");
        (place.rank, place.world, place.local_rank, place.master, place.port)
    }

    #[track_caller]
    fn refused(variables: &str, words: &[&str]) {
        let error = read(variables).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }

    #[test]
    fn every_launcher_is_understood() {
        let torch = "RANK=3 WORLD_SIZE=4 LOCAL_RANK=1 MASTER_ADDR=gpu1 MASTER_PORT=1234";
        assert_eq!(found(torch), (3, 4, Some(1), "gpu1".into(), 1234));
        let agent = format!("{torch} TORCHELASTIC_USE_AGENT_STORE=True");
        assert_eq!(found(&agent).4, 1235);
        let mpi =
            "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_RANK=1 OMPI_COMM_WORLD_LOCAL_SIZE=2";
        assert_eq!(found(mpi), (1, 2, Some(1), "127.0.0.1".into(), 29_500));
        let mpich = "PMI_RANK=0 PMI_SIZE=8 MPI_LOCALRANKID=0 MASTER_ADDR=n0";
        assert_eq!(found(mpich), (0, 8, Some(0), "n0".into(), 29_500));
        let slurm = "SLURM_PROCID=5 SLURM_NTASKS=16 SLURM_LOCALID=1 SLURM_JOB_NODELIST=gpu[04-05,9] SLURM_JOB_ID=77";
        assert_eq!(found(slurm), (5, 16, Some(1), "gpu04".into(), 20_077));
        // srun in an allocation of more tasks than the step has.
        assert_eq!(found(&format!("{slurm} SLURM_STEP_NUM_TASKS=8 SLURM_STEP_NODELIST=gpu05")).1, 8);
    }

    #[test]
    fn one_process_is_alone() {
        for variables in [
            "",
            "MASTER_ADDR=gpu1 MASTER_PORT=1",
            "RANK=0 WORLD_SIZE=1",
            "SLURM_NTASKS=1 SLURM_PROCID=0 SLURM_JOB_NODELIST=a",
            "RANK=0 WORLD_SIZE=1 SLURM_NTASKS=8 SLURM_PROCID=0 SLURM_JOB_NODELIST=a",
            // Inside salloc, and in an interactive step of one task in a larger allocation.
            "SLURM_NTASKS=8 SLURM_JOB_NODELIST=a",
            "SLURM_NTASKS=8 SLURM_PROCID=0 SLURM_STEP_NUM_TASKS=1 SLURM_JOB_NODELIST=a",
        ] {
            assert_eq!(read(variables).unwrap(), None, "{variables}");
        }
    }

    #[test]
    fn the_inner_launcher_wins() {
        let inner = "RANK=9 WORLD_SIZE=16 LOCAL_RANK=1 MASTER_ADDR=a MASTER_PORT=5";
        assert_eq!(found(&format!("{inner} SLURM_PROCID=1 SLURM_NTASKS=2 SLURM_JOB_NODELIST=a")).0, 9);
        let mpi = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 MASTER_ADDR=a";
        assert_eq!(found(&format!("{mpi} SLURM_PROCID=0 SLURM_NTASKS=8 SLURM_JOB_NODELIST=a")).0, 1);
    }

    #[test]
    fn wrong_variables_are_named() {
        refused("RANK=0", &["RANK is set but WORLD_SIZE is not"]);
        refused("WORLD_SIZE=2", &["WORLD_SIZE is set but RANK is not"]);
        refused("RANK=2 WORLD_SIZE=2", &["RANK is 2", "WORLD_SIZE is 2", "0 to 1"]);
        refused("RANK=x WORLD_SIZE=2", &["RANK is `x`"]);
        refused("RANK=0 WORLD_SIZE=0", &["WORLD_SIZE is 0"]);
        refused("RANK=0 WORLD_SIZE=2 MASTER_PORT=1", &["MASTER_ADDR", "train launch"]);
        refused("RANK=0 WORLD_SIZE=2 MASTER_ADDR=a", &["MASTER_PORT"]);
        refused("RANK=0 WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=70000", &["MASTER_PORT is 70000"]);
        refused("RANK=0 WORLD_SIZE=2 LOCAL_RANK=5 MASTER_ADDR=a MASTER_PORT=1", &["LOCAL_RANK is 5"]);
        refused("OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_LOCAL_SIZE=1", &["-x MASTER_ADDR"]);
        refused("PMI_RANK=0 PMI_SIZE=2", &["-genv MASTER_ADDR"]);
        refused("SLURM_PROCID=0 SLURM_NTASKS=2 SLURM_JOB_NODELIST=gpu[", &["SLURM_JOB_NODELIST", "gpu["]);
        refused(
            "RANK=0 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=1",
            &["rank 0 of 2", "Open MPI says rank 1 of 2"],
        );
    }
}
