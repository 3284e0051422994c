//! Commands for the student to tell apart: sentences with the name of what they ask for.

use super::corpus::Rng;
use super::scenes::{EVERYDAY, ask};
use super::words::ROOMS;

/// The command that the demo shows; no other set has it.
pub(super) const SHOWN: &str = "turn the kitchen lights off";
/// Commands to learn from.
const TRAIN: usize = 4_000;
/// Commands held out; none of them is one to learn from.
const HELD_OUT: usize = 500;

/// What a command asks for, and sentences that ask for it.
type Intent = (&'static str, fn(&mut Rng) -> String);

/// Every intent, each equally likely.
const INTENTS: &[Intent] = &[
    ("lights.on", |rng| lights(rng, "on", "dark")),
    ("lights.off", |rng| lights(rng, "off", "bright")),
    ("lights.dim", |rng| brightness(rng, "dim", &["low", "ten percent"])),
    ("lights.brighten", |rng| brightness(rng, "brighten", &["full", "high"])),
    ("heating.up", |rng| heating(rng, "raise", &["cold", "chilly", "freezing"])),
    ("heating.down", |rng| heating(rng, "lower", &["hot", "warm"])),
    ("music.play", |rng| {
        let (kind, room) = (rng.pick(&["jazz", "classical", "rock", "dance", "piano", "quiet"]), rng.pick(ROOMS));
        command(rng, &[format!("play some {kind} music in the {room}"), format!("play {kind} music")])
    }),
    ("music.stop", |rng| {
        let (verb, room) = (rng.pick(&["stop", "pause"]), rng.pick(ROOMS));
        command(rng, &[format!("{verb} the music in the {room}"), format!("{verb} the music")])
    }),
    ("timer.set", |rng| {
        let food = rng.pick(&["eggs", "pasta", "rice", "tea", "pizza"]);
        let minutes = rng.pick(&["three", "six", "ten", "fifteen", "twenty", "thirty"]);
        command(
            rng,
            &[format!("set a timer of {minutes} minutes for the {food}"), format!("set a timer of {minutes} minutes")],
        )
    }),
    ("alarm.set", |rng| {
        let hour = rng.pick(&["two", "three", "six", "seven", "eight", "nine"]);
        let part = rng.pick(&["morning", "afternoon", "evening"]);
        command(rng, &[format!("wake me up at {hour} in the {part}"), format!("set an alarm for {hour} in the {part}")])
    }),
    ("door.open", |rng| door(rng, &["open", "unlock"], "somebody is here")),
    ("door.close", |rng| door(rng, &["close", "lock"], "we are leaving")),
    ("nothing", |rng| rng.pick(EVERYDAY)(rng)),
];

/// Sentences with the names of their intents, in a fixed order.
pub(super) struct Commands {
    /// To learn from.
    pub(super) train: Vec<String>,
    /// Held out.
    pub(super) held_out: Vec<String>,
}

impl Commands {
    /// Generates both as lines of a file, tabs between sentence and intent, the columns named in the first.
    pub(super) fn generate(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let header = || vec!["text\tlabel".to_owned()];
        let (mut train, mut held_out) = (header(), header());
        while train.len() <= TRAIN || held_out.len() <= HELD_OUT {
            let (label, sentence) = sentence(&mut rng);
            let bare = bare(&sentence);
            if bare == SHOWN {
                continue;
            }
            let (set, most) = if is_held_out(&bare) { (&mut held_out, HELD_OUT) } else { (&mut train, TRAIN) };
            if set.len() <= most {
                set.push(format!("{sentence}\t{label}"));
            }
        }
        Self { train, held_out }
    }
}

/// One in eight, by its words (FNV-1a), so that a sentence is always in the same set.
fn is_held_out(bare: &str) -> bool {
    let hash = bare
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    (hash >> 32).is_multiple_of(8)
}

fn sentence(rng: &mut Rng) -> (&'static str, String) {
    let (label, make) = *rng.pick(INTENTS);
    (label, make(rng))
}

/// A sentence without its polite frame, by which two are told apart.
fn bare(sentence: &str) -> String {
    let sentence = sentence.trim_end_matches(['.', '?']).trim_end_matches(", please");
    let frames = ["please ", "could you ", "i would like you to "];
    frames.iter().find_map(|frame| sentence.strip_prefix(frame)).unwrap_or(sentence).to_owned()
}

/// One of some ways to say a command, bare or in a polite frame.
fn command(rng: &mut Rng, ways: &[String]) -> String {
    let way = rng.pick(ways).clone();
    ask(rng, way)
}

fn lights(rng: &mut Rng, to: &str, why: &str) -> String {
    let (room, lamp) = (rng.pick(ROOMS), rng.pick(&["lights", "lamp", "lights"]));
    match rng.pick(&[0, 1, 2, 3]) {
        0 => ask(rng, format!("turn the {room} {lamp} {to}")),
        1 => ask(rng, format!("turn {to} the {lamp} in the {room}")),
        2 => ask(rng, format!("switch {to} the {lamp} in the {room}")),
        _ => format!("it is too {why} in the {room}, turn the {lamp} {to}."),
    }
}

fn brightness(rng: &mut Rng, verb: &str, levels: &[&str]) -> String {
    let (room, lamp, level) = (rng.pick(ROOMS), rng.pick(&["lights", "lamp"]), rng.pick(levels));
    command(rng, &[format!("{verb} the {room} {lamp} to {level}"), format!("{verb} the {lamp} in the {room}")])
}

fn heating(rng: &mut Rng, verb: &str, states: &[&str]) -> String {
    let (room, state) = (rng.pick(ROOMS), rng.pick(states));
    match rng.pick(&[0, 1]) {
        0 => format!("it is too {state} in the {room}, please {verb} the temperature."),
        _ => ask(rng, format!("{verb} the temperature in the {room}")),
    }
}

fn door(rng: &mut Rng, verbs: &[&str], why: &str) -> String {
    let (verb, thing) = (rng.pick(verbs), rng.pick(&["front door", "back door", "garage door", "gate"]));
    match rng.pick(&[0, 1, 2]) {
        0 => format!("{why}, please {verb} the {thing}."),
        _ => ask(rng, format!("{verb} the {thing}")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn commands_are_repeatable_and_held_out_apart() {
        let (a, b) = (Commands::generate(1), Commands::generate(1));
        assert_eq!((&a.train, &a.held_out), (&b.train, &b.held_out));
        assert_eq!((a.train.len(), a.held_out.len()), (TRAIN + 1, HELD_OUT + 1));
        let text = |line: &String| bare(line.split_once('\t').unwrap().0);
        let train: HashSet<String> = a.train.iter().skip(1).map(text).collect();
        assert!(a.held_out.iter().skip(1).all(|line| !train.contains(&text(line))));
        // What is shown is neither learned nor held out, however it is framed.
        assert!(!train.contains(SHOWN) && a.held_out.iter().all(|line| text(line) != SHOWN));
        for (label, _) in INTENTS {
            let count = |lines: &[String]| lines.iter().filter(|line| line.ends_with(&format!("\t{label}"))).count();
            assert!(count(&a.train) > 100 && count(&a.held_out) > 0, "{label}");
        }
    }

    #[test]
    fn frames_do_not_count() {
        for framed in ["open the gate.", "please open the gate.", "could you open the gate?", "open the gate, please."]
        {
            assert_eq!(bare(framed), "open the gate");
        }
    }
}
