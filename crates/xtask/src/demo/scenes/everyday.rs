//! Scenes of everyday life.

use super::ask;
use crate::demo::corpus::Rng;
use crate::demo::words::{CAPITALS, DAYS, NAMES, NUMBERS, ROOMS};

pub(super) fn weather(rng: &mut Rng) -> String {
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

pub(super) fn meal(rng: &mut Rng) -> String {
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

pub(super) fn breakfast(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (drink, verb) = rng.pick(&[("coffee", "drinks"), ("tea", "drinks"), ("bread", "eats"), ("an apple", "eats")]);
    match rng.pick(&[0, 1]) {
        0 => format!("every morning {name} {verb} {drink} before {he} goes to {}.", rng.pick(&["work", "school"])),
        _ => format!("{name} {verb} {drink} and reads {his} {}.", rng.pick(&["book", "newspaper", "letters"])),
    }
}

pub(super) fn animal(rng: &mut Rng) -> String {
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

pub(super) fn travel(rng: &mut Rng) -> String {
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

pub(super) fn capital(rng: &mut Rng) -> String {
    let (city, country, language) = rng.pick(CAPITALS);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("{city} is the capital of {country}."),
        1 => format!("people in {country} speak {language}."),
        _ => format!("{} learned {language} in {city}, the capital of {country}.", rng.pick(NAMES).0),
    }
}

pub(super) fn work(rng: &mut Rng) -> String {
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

pub(super) fn family(rng: &mut Rng) -> String {
    let (name, he, his) = rng.pick(NAMES);
    let (person, other) =
        rng.pick(&[("mother", "father"), ("brother", "sister"), ("son", "daughter"), ("uncle", "aunt")]);
    match rng.pick(&[0, 1]) {
        0 => format!("{name} called {his} {person} and {his} {other} on {}.", rng.pick(DAYS)),
        _ => format!("{name} says that {he} misses {his} {other} and {his} {person}."),
    }
}

pub(super) fn sport(rng: &mut Rng) -> String {
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

pub(super) fn health(rng: &mut Rng) -> String {
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

pub(super) fn garden(rng: &mut Rng) -> String {
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

pub(super) fn school(rng: &mut Rng) -> String {
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

pub(super) fn opposite(rng: &mut Rng) -> String {
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

pub(super) fn colour(rng: &mut Rng) -> String {
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

pub(super) fn story(rng: &mut Rng) -> String {
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

pub(super) fn calendar(rng: &mut Rng) -> String {
    let i = rng.pick(&[0, 1, 2, 3, 4, 5, 6]);
    let (today, next) = (DAYS[*i], DAYS[(*i + 1) % DAYS.len()]);
    match rng.pick(&[0, 1, 2]) {
        0 => format!("today is {today}, so tomorrow is {next}."),
        1 => format!("{next} comes after {today}."),
        _ => ask(rng, format!("move my meeting from {today} to {next}")),
    }
}

pub(super) fn repair(rng: &mut Rng) -> String {
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

pub(super) fn numbers(rng: &mut Rng) -> String {
    let few = &NUMBERS[..10];
    let a = few.iter().position(|n| n == rng.pick(few)).unwrap_or(0);
    let b = few.iter().position(|n| n == rng.pick(few)).unwrap_or(0);
    if rng.chance(50) {
        return format!("{} plus {} is {}.", NUMBERS[a], NUMBERS[b], NUMBERS[a + b + 1]);
    }
    format!("after {} comes {}.", NUMBERS[a + b], NUMBERS[a + b + 1])
}
