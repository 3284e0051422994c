//! The scenes of the corpus: each writes one sentence about one subject.

use super::corpus::Rng;
use super::words::{CAPITALS, DAYS, NAMES, NUMBERS, ROOMS};

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

fn lights(rng: &mut Rng) -> String {
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

fn thermostat(rng: &mut Rng) -> String {
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

fn appliance(rng: &mut Rng) -> String {
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

fn music(rng: &mut Rng) -> String {
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

fn timer(rng: &mut Rng) -> String {
    let (food, minutes) =
        rng.pick(&[("eggs", "six"), ("pasta", "ten"), ("rice", "twenty"), ("tea", "three"), ("pizza", "fifteen")]);
    match rng.pick(&[0, 1]) {
        0 => ask(rng, format!("set a timer of {minutes} minutes for the {food}")),
        _ => format!("the {food} will be ready in {minutes} minutes."),
    }
}

fn alarm(rng: &mut Rng) -> String {
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

fn doors(rng: &mut Rng) -> String {
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

fn shopping(rng: &mut Rng) -> String {
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

fn question(rng: &mut Rng) -> String {
    match rng.pick(&[0, 1, 2]) {
        0 => format!("what time is it in {}?", rng.pick(CAPITALS).0),
        1 => {
            format!("how do you say {} in {}?", rng.pick(&["hello", "thank you", "good morning"]), rng.pick(CAPITALS).2)
        }
        _ => format!("will it {} on {}?", rng.pick(&["rain", "snow"]), rng.pick(DAYS)),
    }
}

fn weather(rng: &mut Rng) -> String {
    let (weather, take, season) = rng.pick(&[
        ("raining", "an umbrella", "autumn"),
        ("snowing", "a warm coat", "winter"),
        ("sunny", "a hat", "summer"),
        ("windy", "a jacket", "spring"),
        ("freezing", "gloves", "winter"),
    ]);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("it is {weather} outside, so take {take} with you."),
        1 => format!("in {season} it is often {weather} here."),
        _ => format!("take {take} on {}, because it will be {weather}.", rng.pick(DAYS)),
    }
}

fn meal(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (dish, with) = rng.pick(&[
        ("pasta", "tomato sauce"),
        ("fish", "lemon"),
        ("soup", "bread"),
        ("rice", "vegetables"),
        ("steak", "potatoes"),
        ("pancakes", "syrup"),
        ("salad", "olive oil"),
        ("chips", "salt"),
        ("chicken", "mushrooms"),
        ("toast", "jam"),
        ("beans", "bacon"),
        ("porridge", "honey"),
        ("noodles", "ginger"),
        ("lamb", "garlic"),
        ("omelette", "onions"),
        ("curry", "coconut"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} cooked {dish} with {with} for {his} {}.", rng.pick(&["family", "friends", "parents"])),
        _ => format!("for dinner {name} had {dish} with {with} because {he} was hungry."),
    }
}

fn breakfast(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (drink, verb) = rng.pick(&[("coffee", "drinks"), ("tea", "drinks"), ("bread", "eats"), ("an apple", "eats")]);
    match rng.pick(&[0, 1]) {
        0 => format!("every morning {name} {verb} {drink} before {he} goes to {}.", rng.pick(&["work", "school"])),
        _ => format!("{name} {verb} {drink} and reads {his} {}.", rng.pick(&["book", "newspaper", "letters"])),
    }
}

fn animal(rng: &mut Rng) -> String {
    let (animal, sound, place, food) = rng.pick(&[
        ("dog", "barks", "garden", "meat"),
        ("cat", "sleeps", "sofa", "fish"),
        ("cow", "stands", "field", "grass"),
        ("horse", "runs", "field", "hay"),
        ("bird", "sings", "tree", "seeds"),
        ("fish", "swims", "pond", "insects"),
        ("duck", "swims", "lake", "bread"),
        ("bee", "flies", "flower", "honey"),
        ("sheep", "stands", "meadow", "clover"),
        ("rabbit", "hides", "bush", "carrots"),
        ("monkey", "climbs", "jungle", "bananas"),
        ("bear", "sleeps", "cave", "berries"),
        ("frog", "jumps", "swamp", "flies"),
        ("mouse", "hides", "cellar", "cheese"),
        ("squirrel", "climbs", "oak", "nuts"),
        ("goat", "climbs", "mountain", "herbs"),
        ("owl", "hunts", "forest", "mice"),
    ]);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("the {animal} {sound} in the {place}."),
        1 => format!("our {animal} likes to eat {food}."),
        _ => format!("look, a {animal} that {sound} near the {place}!"),
    }
}

fn travel(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (verb, vehicle, place) = rng.pick(&[
        ("took", "the train", "station"),
        ("took", "the plane", "airport"),
        ("took", "the bus", "bus stop"),
        ("took", "the boat", "harbour"),
        ("rode", "a bicycle", "park"),
        ("drove", "a car", "parking lot"),
    ]);
    let city = rng.pick(CAPITALS).0;
    match rng.pick(&[0, 1]) {
        0 => format!("{name} {verb} {vehicle} to {city} on {}.", rng.pick(DAYS)),
        _ => format!("{name} {verb} {vehicle} and left {his} bag at the {place} when {he} arrived."),
    }
}

fn capital(rng: &mut Rng) -> String {
    let (city, country, language) = rng.pick(CAPITALS);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("{city} is the capital of {country}."),
        1 => format!("people in {country} speak {language}."),
        _ => format!("{} learned {language} in {city}, the capital of {country}.", rng.pick(NAMES).0),
    }
}

fn work(rng: &mut Rng) -> String {
    let (name, he, _) = rng.pick(NAMES);
    let (job, place, verb) = rng.pick(&[
        ("doctor", "hospital", "helps patients"),
        ("teacher", "school", "teaches children"),
        ("cook", "restaurant", "prepares meals"),
        ("farmer", "farm", "grows corn"),
        ("pilot", "airport", "flies planes"),
        ("nurse", "hospital", "helps patients"),
        ("baker", "bakery", "bakes bread"),
        ("judge", "court", "decides cases"),
        ("painter", "studio", "paints portraits"),
        ("mechanic", "workshop", "repairs engines"),
        ("waiter", "cafe", "serves guests"),
        ("librarian", "library", "sorts books"),
        ("actor", "theatre", "learns lines"),
        ("sailor", "harbour", "loads ships"),
        ("tailor", "shop", "sews clothes"),
        ("chemist", "laboratory", "mixes liquids"),
        ("programmer", "office", "writes code"),
        ("carpenter", "workshop", "builds tables"),
    ]);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("{name} is a {job} and works at the {place}."),
        1 => format!("as a {job}, {he} {verb} every day."),
        _ => format!("a {job} {verb} at the {place}."),
    }
}

fn family(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (person, other) =
        rng.pick(&[("mother", "father"), ("brother", "sister"), ("son", "daughter"), ("uncle", "aunt")]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} called {his} {person} and {his} {other} on {}.", rng.pick(DAYS)),
        _ => format!("{name} says that {he} misses {his} {other} and {his} {person}."),
    }
}

fn sport(rng: &mut Rng) -> String {
    let (name, _, his) = rng.pick(NAMES);
    let (verb, sport, tool) = rng.pick(&[
        ("plays", "tennis", "racket"),
        ("plays", "football", "ball"),
        ("plays", "basketball", "ball"),
        ("plays", "hockey", "stick"),
        ("plays", "chess", "board"),
        ("plays", "the piano", "notes"),
        ("plays", "the guitar", "strings"),
        ("plays", "golf", "club"),
        ("plays", "cards", "deck"),
        ("plays", "the drums", "sticks"),
        ("plays", "the violin", "bow"),
        ("plays", "volleyball", "net"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} {verb} {sport} with {his} friends on {}.", rng.pick(DAYS)),
        _ => format!("before {name} {verb} {sport}, look for the {tool}."),
    }
}

fn health(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (part, why) = rng.pick(&[
        ("head", "tired"),
        ("teeth", "at the dentist"),
        ("stomach", "sick"),
        ("back", "old"),
        ("feet", "running"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} is {why}, and {his} {part} hurts."),
        _ => format!("{his} {part} hurts, says {name}, so {he} stays in bed."),
    }
}

fn garden(rng: &mut Rng) -> String {
    let (plant, colour, season) = rng.pick(&[
        ("roses", "red", "summer"),
        ("tulips", "yellow", "spring"),
        ("apples", "green", "autumn"),
        ("tomatoes", "red", "summer"),
        ("leaves", "brown", "autumn"),
        ("strawberries", "red", "summer"),
        ("daffodils", "yellow", "spring"),
        ("pumpkins", "orange", "autumn"),
        ("plums", "purple", "summer"),
        ("lilies", "white", "spring"),
        ("cherries", "red", "summer"),
        ("pears", "green", "autumn"),
    ]);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("the {plant} in our garden are {colour} in {season}."),
        1 => format!("water the {plant} on {} {}.", rng.pick(DAYS), rng.pick(&["morning", "evening"])),
        _ => format!("in {season} {} picks {colour} {plant}.", rng.pick(NAMES).0),
    }
}

fn school(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (verb, thing, tool) = rng.pick(&[
        ("writes", "a letter", "pen"),
        ("reads", "a book", "lamp"),
        ("draws", "a picture", "pencil"),
        ("cuts", "some paper", "scissors"),
        ("counts", "the coins", "fingers"),
        ("measures", "the table", "ruler"),
        ("erases", "a mistake", "rubber"),
        ("glues", "the pieces", "glue"),
        ("solves", "the puzzle", "calculator"),
        ("watches", "the stars", "telescope"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} {verb} {thing} with {his} {tool}."),
        _ => format!("at school {he} {verb} {thing}, and {name} likes it."),
    }
}

fn opposite(rng: &mut Rng) -> String {
    let (a, b) = rng.pick(&[
        ("hot", "cold"),
        ("big", "small"),
        ("old", "young"),
        ("fast", "slow"),
        ("happy", "sad"),
        ("full", "empty"),
        ("heavy", "light"),
        ("early", "late"),
        ("rich", "poor"),
        ("clean", "dirty"),
        ("strong", "weak"),
        ("wide", "narrow"),
        ("deep", "shallow"),
        ("hard", "soft"),
        ("loud", "silent"),
        ("sweet", "sour"),
        ("wet", "dry"),
        ("cheap", "expensive"),
        ("brave", "afraid"),
        ("high", "low"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("the opposite of {a} is {b}."),
        _ => format!("the {} is not {a}, it is {b}.", rng.pick(&["house", "car", "box", "room", "soup", "man"])),
    }
}

fn colour(rng: &mut Rng) -> String {
    let (thing, colour) = rng.pick(&[
        ("sky", "blue"),
        ("grass", "green"),
        ("snow", "white"),
        ("sun", "yellow"),
        ("night", "black"),
        ("blood", "red"),
        ("lemon", "yellow"),
        ("milk", "white"),
        ("coal", "black"),
        ("sea", "blue"),
        ("carrot", "orange"),
        ("chocolate", "brown"),
        ("violet", "purple"),
        ("flamingo", "pink"),
        ("silver", "grey"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("the {thing} is {colour}."),
        _ => format!("{} painted the door {colour} like the {thing}.", rng.pick(NAMES).0),
    }
}

fn story(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (verb, thing, reaction) = rng.pick(&[
        ("lost", "keys", "sad"),
        ("lost", "phone", "sad"),
        ("found", "keys", "happy"),
        ("found", "phone", "happy"),
        ("broke", "glasses", "angry"),
        ("sold", "car", "happy"),
        ("forgot", "umbrella", "wet"),
        ("won", "game", "happy"),
        ("won", "prize", "proud"),
        ("missed", "train", "late"),
        ("missed", "bus", "late"),
        ("spilled", "drink", "sorry"),
        ("tore", "trousers", "embarrassed"),
        ("finished", "homework", "relieved"),
    ]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} {verb} {his} {thing} and was {reaction}."),
        _ => format!("on {} {name} was {reaction} because {he} {verb} {his} {thing}.", rng.pick(DAYS)),
    }
}

fn calendar(rng: &mut Rng) -> String {
    let i = rng.pick(&[0, 1, 2, 3, 4, 5, 6]);
    let (today, next) = (DAYS[*i], DAYS[(*i + 1) % DAYS.len()]);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("today is {today}, so tomorrow is {next}."),
        1 => format!("{next} comes after {today}."),
        _ => ask(rng, format!("move my meeting from {today} to {next}")),
    }
}

fn repair(rng: &mut Rng) -> String {
    let (thing, problem, tool) = rng.pick(&[
        ("sink", "leaking", "wrench"),
        ("door", "squeaking", "oil"),
        ("shelf", "loose", "screwdriver"),
        ("picture", "crooked", "hammer"),
        ("rope", "too long", "knife"),
        ("floor", "dirty", "broom"),
        ("wall", "damp", "brush"),
        ("tap", "dripping", "pliers"),
        ("lamp", "flickering", "bulb"),
        ("drain", "blocked", "plunger"),
        ("hinge", "rusty", "grease"),
        ("fence", "broken", "nails"),
    ]);
    let room = rng.pick(ROOMS);
    match rng.pick(&[0, 1]) {
        0 => format!("the {thing} in the {room} is {problem}, bring the {tool}."),
        _ => ask(rng, format!("add a {tool} to the list, because the {thing} in the {room} is {problem}")),
    }
}

fn numbers(rng: &mut Rng) -> String {
    let few = &NUMBERS[..10];
    let a = few.iter().position(|n| n == rng.pick(few)).unwrap_or(0);
    let b = few.iter().position(|n| n == rng.pick(few)).unwrap_or(0);
    if rng.chance(50) {
        return format!("{} plus {} is {}.", NUMBERS[a], NUMBERS[b], NUMBERS[a + b + 1]);
    }
    format!("after {} comes {}.", NUMBERS[a + b], NUMBERS[a + b + 1])
}
