//! Groups of threads over loopback: sums, and how a failure of one becomes the failure of all.

use super::testing::{SETTINGS, free_port, place, ranks};
use super::{Group, Settings, TcpGroup};
use candle_core::{Device, Tensor};
use std::net::TcpStream;
use std::time::{Duration, Instant};

#[test]
fn every_operation_gives_everyone_the_same() {
    for world in [2, 3, 5] {
        let results = ranks(world, |group| {
            // More than one chunk, and no whole number of them.
            let values: Vec<f32> = (0..200_003).map(|i| (i * (group.rank() + 1)) as f32 * 1e-3).collect();
            let flat = Tensor::new(values, &Device::Cpu).unwrap();
            let part = flat.narrow(0, 3, 200_000).unwrap();
            group.sum(&part).unwrap();
            group.barrier().unwrap();
            let mut doubles = [group.rank() as f64, 0.1];
            group.sum_f64(&mut doubles).unwrap();
            group.sum_f64(&mut []).unwrap();
            let own = vec![group.rank() as u8; 300_000 * (group.rank() + 1)];
            let bytes = group.broadcast(own).unwrap();
            group.finish().unwrap();
            (flat.to_vec1::<f32>().unwrap(), doubles, bytes)
        });
        for (rank, (floats, doubles, bytes)) in results.into_iter().enumerate() {
            for (i, got) in floats.into_iter().enumerate() {
                let of = |rank: usize| (i * (rank + 1)) as f32 * 1e-3;
                let sum = || (0..world).map(of).reduce(|a, b| a + b).unwrap();
                let expected = if i < 3 { of(rank) } else { sum() };
                assert_eq!(got, expected, "number {i} at rank {rank} of {world}");
            }
            assert_eq!(doubles[0], (world * (world - 1) / 2) as f64);
            assert_eq!(doubles[1], (1..world).fold(0.1, |sum, _| sum + 0.1));
            assert!(bytes.len() == 300_000 && bytes.iter().all(|&b| b == 0));
        }
    }
}

#[test]
fn a_message_of_one_reaches_all() {
    for failing in [0, 1, 2] {
        let start = Instant::now();
        let results = ranks(3, |group| {
            // The message may come before the last word of the barrier.
            let met = group.barrier();
            if group.rank() == failing {
                group.fail("the disk is full");
                return String::new();
            }
            met.and_then(|()| group.sum_f64(&mut [1.0; 1000])).unwrap_err().to_string()
        });
        for (rank, message) in results.iter().enumerate().filter(|(rank, _)| *rank != failing) {
            assert_eq!(message, &format!("rank {failing}: the disk is full"), "at rank {rank}");
        }
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn a_rank_that_leaves_early_is_noticed() {
    let results = ranks(3, |group| match group.rank() {
        1 => String::new(),
        _ => group.barrier().unwrap_err().to_string(),
    });
    assert!(results[0].contains("rank 1"), "{}", results[0]);
    assert!(results[2].contains("rank 1"), "{}", results[2]);
}

#[test]
fn a_panic_is_told() {
    let port = free_port();
    let join = |rank| TcpGroup::join(&place(rank, 2, port), &SETTINGS).unwrap();
    let message = std::thread::scope(|scope| {
        let panicking = scope.spawn(|| {
            let _group = join(1);
            // Not `panic!`: no message in the test's output.
            std::panic::resume_unwind(Box::new(()));
        });
        let message = join(0).barrier().unwrap_err().to_string();
        assert!(panicking.join().is_err());
        message
    });
    assert_eq!(message, "rank 1: internal error (panic)");
}

#[test]
fn silence_is_noticed() {
    let port = free_port();
    let settings = Settings { silence: Duration::from_secs(1), ..SETTINGS };
    let quiet = Settings { silence: Duration::from_secs(1000), ..SETTINGS };
    let message = std::thread::scope(|scope| {
        // Beats every 200 s.
        let silent = scope.spawn(|| TcpGroup::join(&place(1, 2, port), &quiet).unwrap().barrier());
        let group = TcpGroup::join(&place(0, 2, port), &settings).unwrap();
        std::thread::sleep(Duration::from_millis(1500));
        let message = group.barrier().unwrap_err().to_string();
        silent.join().unwrap().unwrap_err();
        message
    });
    assert!(message.contains("rank 1") && message.contains("no sign of life for 1 s"), "{message}");
}

#[test]
fn different_operations_are_noticed() {
    let results = ranks(2, |group| match group.rank() {
        0 => group.sum_f64(&mut [0.0; 3]).unwrap_err().to_string(),
        _ => group.sum_f64(&mut [0.0; 4]).unwrap_err().to_string(),
    });
    assert!(results[1].contains("gone apart"), "{}", results[1]);
}

#[test]
fn who_does_not_belong_is_named() {
    let port = free_port();
    let join = |rank, world| TcpGroup::join(&place(rank, world, port), &SETTINGS).map(|_| ()).unwrap_err().to_string();
    // A stranger that talks nonsense and one that says nothing do no harm.
    let strange = || {
        while let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            if std::io::Write::write_all(&mut stream, b"GET / HTTP/1.1\r\n\r\n").is_ok() {
                break;
            }
        }
    };
    let (first, second) = std::thread::scope(|scope| {
        let first = scope.spawn(|| join(0, 3));
        std::thread::sleep(Duration::from_millis(100));
        strange();
        let second = scope.spawn(|| join(1, 2));
        (first.join().unwrap(), second.join().unwrap())
    });
    assert_eq!(first, second);
    assert!(first.contains("rank 1 (process") && first.contains("counts 2 processes, rank 0 counts 3"), "{first}");

    let errors = std::thread::scope(|scope| {
        let threads = [0, 1, 1].map(|rank| scope.spawn(move || join(rank, 3)));
        threads.map(|thread| thread.join().unwrap())
    });
    assert!(errors.iter().all(|error| error.contains("two processes are rank 1")), "{errors:?}");
}

#[test]
fn ranks_that_do_not_come_are_named() {
    let port = free_port();
    let settings = Settings { rendezvous: Duration::from_secs(1), ..SETTINGS };
    let join = |rank| TcpGroup::join(&place(rank, 4, port), &settings).map(|_| ()).unwrap_err().to_string();
    let alone = join(2);
    assert!(alone.contains("rank 2 did not reach rank 0 at 127.0.0.1") && alone.contains("MASTER_ADDR"), "{alone}");
    let errors =
        std::thread::scope(|scope| [0, 2].map(|rank| scope.spawn(move || join(rank))).map(|t| t.join().unwrap()));
    assert!(errors.iter().all(|error| error.contains("ranks 1 and 3 of 4 did not come")), "{errors:?}");
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    assert!(join(0).contains(&format!("port {port} is in use")));
    drop(taken);
}
