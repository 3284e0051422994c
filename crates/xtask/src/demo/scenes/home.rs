//! Scenes in which somebody asks a home for something.

use super::ask;
use crate::demo::corpus::Rng;
use crate::demo::words::{CAPITALS, DAYS, NAMES, ROOMS};

pub(super) fn lights(rng: &mut Rng) -> String {
    let (room, lamp) = (rng.pick(ROOMS), rng.pick(&["lights", "lamp", "lights"]));
    let line = match rng.pick(&[0, 1, 2, 3, 4]) {
        0 => format!("turn the {room} {lamp} {}", rng.pick(&["on", "off"])),
        1 => format!("switch {} the {lamp} in the {room}", rng.pick(&["on", "off"])),
        2 => {
            let (how, to) =
                rng.pick(&[("dim", "low"), ("dim", "ten percent"), ("brighten", "full"), ("brighten", "high")]);
            format!("{how} the {room} {lamp} to {to}")
        }
        3 => {
            let (why, what) = *rng.pick(&[("dark", "on"), ("bright", "off")]);
            return format!("it is too {why} in the {room}, turn the {lamp} {what}.");
        }
        _ => {
            let colour = rng.pick(&["red", "blue", "green", "warm white", "yellow"]);
            format!("make the {room} {lamp} {colour}")
        }
    };
    ask(rng, line)
}

pub(super) fn thermostat(rng: &mut Rng) -> String {
    let room = rng.pick(&["kitchen", "bedroom", "bathroom", "living room", "office"]);
    let degrees = rng.pick(&["eighteen", "nineteen", "twenty", "twenty one", "twenty two"]);
    match rng.pick(&[0, 1, 2, 3]) {
        0 => ask(rng, format!("set the {room} thermostat to {degrees} degrees")),
        1 => {
            let (state, verb) =
                rng.pick(&[("cold", "raise"), ("hot", "lower"), ("chilly", "raise"), ("warm", "lower")]);
            format!("it is too {state} in the {room}, please {verb} the temperature.")
        }
        2 => {
            let (state, device) =
                rng.pick(&[("cold", "heating"), ("hot", "air conditioning"), ("freezing", "heating")]);
            format!("i am {state}, turn on the {device} in the {room}.")
        }
        _ => format!("what is the temperature in the {room}?"),
    }
}

pub(super) fn appliance(rng: &mut Rng) -> String {
    let (room, device, verb) = rng.pick(&[
        ("kitchen", "oven", "preheat"),
        ("kitchen", "coffee machine", "start"),
        ("kitchen", "dishwasher", "start"),
        ("kitchen", "kettle", "boil"),
        ("bathroom", "washing machine", "start"),
        ("bathroom", "fan", "start"),
        ("living room", "television", "mute"),
        ("living room", "vacuum cleaner", "start"),
        ("garden", "sprinkler", "start"),
        ("office", "printer", "restart"),
        ("office", "computer", "restart"),
        ("garage", "charger", "stop"),
        ("bathroom", "dryer", "start"),
        ("bedroom", "humidifier", "start"),
        ("kitchen", "toaster", "start"),
        ("basement", "freezer", "check"),
        ("attic", "ventilation", "start"),
    ]);
    match rng.pick(&[0, 1, 2]) {
        0 => ask(rng, format!("{verb} the {device} in the {room}")),
        1 => format!("the {device} in the {room} is {}.", rng.pick(&["running", "off", "ready", "broken"])),
        _ => format!("is the {device} in the {room} still {}?", rng.pick(&["on", "running"])),
    }
}

pub(super) fn music(rng: &mut Rng) -> String {
    let room = rng.pick(&["kitchen", "bedroom", "living room", "office", "garage"]);
    match rng.pick(&[0, 1, 2]) {
        0 => {
            let kind = rng.pick(&["jazz", "classical", "rock", "dance", "piano", "quiet"]);
            ask(rng, format!("play some {kind} music in the {room}"))
        }
        1 => {
            let (state, verb) = rng.pick(&[("loud", "down"), ("quiet", "up")]);
            format!("the music in the {room} is too {state}, turn the volume {verb}.")
        }
        _ => {
            let verb = rng.pick(&["stop", "pause", "resume", "skip"]);
            let what = if *verb == "skip" { "song" } else { "music" };
            ask(rng, format!("{verb} the {what} in the {room}"))
        }
    }
}

pub(super) fn timer(rng: &mut Rng) -> String {
    let (food, minutes) =
        rng.pick(&[("eggs", "six"), ("pasta", "ten"), ("rice", "twenty"), ("tea", "three"), ("pizza", "fifteen")]);
    match rng.pick(&[0, 1]) {
        0 => ask(rng, format!("set a timer of {minutes} minutes for the {food}")),
        _ => format!("the {food} will be ready in {minutes} minutes."),
    }
}

pub(super) fn alarm(rng: &mut Rng) -> String {
    let (part, hour) = rng.pick(&[
        ("morning", "six"),
        ("morning", "seven"),
        ("morning", "eight"),
        ("evening", "six"),
        ("evening", "nine"),
        ("afternoon", "two"),
        ("afternoon", "three"),
    ]);
    let (what, day) = (rng.pick(&["wake me up", "remind me"]), rng.pick(DAYS));
    match rng.pick(&[0, 1, 2]) {
        0 => ask(rng, format!("{what} at {hour} in the {part}")),
        1 => ask(rng, format!("set an alarm for {hour} in the {part} on {day}")),
        _ => format!("cancel the alarm on {day} {part}."),
    }
}

pub(super) fn doors(rng: &mut Rng) -> String {
    let (thing, close, open) = rng.pick(&[
        ("front door", "lock", "unlock"),
        ("back door", "lock", "unlock"),
        ("garage door", "close", "open"),
        ("window", "close", "open"),
        ("blinds", "lower", "raise"),
        ("curtains", "close", "open"),
        ("gate", "close", "open"),
    ]);
    match rng.pick(&[0, 1, 2, 3]) {
        0 => ask(rng, format!("{close} the {thing}")),
        1 => ask(rng, format!("{open} the {thing}")),
        2 => format!("we are leaving, please {close} the {thing}."),
        _ => format!("somebody is here, please {open} the {thing}."),
    }
}

pub(super) fn shopping(rng: &mut Rng) -> String {
    let (amount, thing) = rng.pick(&[
        ("a bottle of", "milk"),
        ("a bottle of", "water"),
        ("a bottle of", "juice"),
        ("a loaf of", "bread"),
        ("a pound of", "butter"),
        ("a pound of", "cheese"),
        ("a bag of", "rice"),
        ("a bag of", "flour"),
        ("a dozen", "eggs"),
        ("a cup of", "coffee"),
        ("a cup of", "tea"),
        ("a box of", "chocolates"),
        ("a jar of", "marmalade"),
        ("a jar of", "mustard"),
        ("a tin of", "tuna"),
        ("a packet of", "sugar"),
        ("a packet of", "biscuits"),
        ("a bunch of", "grapes"),
        ("a roll of", "tape"),
        ("a tube of", "toothpaste"),
    ]);
    match rng.pick(&[0, 1, 2]) {
        0 => ask(rng, format!("add {amount} {thing} to the shopping list")),
        1 => format!("we need {amount} {thing} from the store."),
        _ => format!("{} bought {amount} {thing} on {}.", rng.pick(NAMES).0, rng.pick(DAYS)),
    }
}

pub(super) fn question(rng: &mut Rng) -> String {
    match rng.pick(&[0, 1, 2]) {
        0 => format!("what time is it in {}?", rng.pick(CAPITALS).0),
        1 => {
            format!("how do you say {} in {}?", rng.pick(&["hello", "thank you", "good morning"]), rng.pick(CAPITALS).2)
        }
        _ => format!("will it {} on {}?", rng.pick(&["rain", "snow"]), rng.pick(DAYS)),
    }
}
