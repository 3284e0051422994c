//! The scenes of the corpus: each writes one sentence about one subject.

mod everyday;
mod home;

use super::corpus::Rng;
use everyday::{
    animal, breakfast, calendar, capital, colour, family, garden, health, meal, numbers, opposite, repair, school,
    sport, story, travel, weather, work,
};
use home::{alarm, appliance, doors, lights, music, question, shopping, thermostat, timer};

/// Every scene, each equally likely.
pub(super) const SCENES: &[fn(&mut Rng) -> String] = &[
    lights, lights, thermostat, appliance, music, timer, alarm, doors, shopping, question, weather, meal, breakfast,
    animal, travel, capital, work, family, sport, health, garden, school, opposite, colour, story, calendar, repair,
    numbers,
];

/// Scenes in which nobody asks for anything.
pub(super) const EVERYDAY: &[fn(&mut Rng) -> String] =
    &[meal, breakfast, animal, capital, work, family, sport, school, colour];

/// A command, bare or in a polite frame.
pub(super) fn ask(rng: &mut Rng, command: String) -> String {
    match rng.pick(&[0, 0, 0, 1, 2, 3, 4]) {
        1 => format!("please {command}."),
        2 => format!("could you {command}?"),
        3 => format!("{command}, please."),
        4 => format!("i would like you to {command}."),
        _ => format!("{command}."),
    }
}
