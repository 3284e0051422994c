//! Words that several scenes share, with what goes with them.

/// Rooms of a house.
pub(super) const ROOMS: &[&str] =
    &["kitchen", "bedroom", "bathroom", "living room", "hallway", "garage", "garden", "office", "basement", "attic"];

/// Names, with their pronouns.
pub(super) const NAMES: &[(&str, &str, &str)] = &[
    ("anna", "she", "her"),
    ("maria", "she", "her"),
    ("julia", "she", "her"),
    ("emma", "she", "her"),
    ("sarah", "she", "her"),
    ("laura", "she", "her"),
    ("alice", "she", "her"),
    ("clara", "she", "her"),
    ("nora", "she", "her"),
    ("lucy", "she", "her"),
    ("helen", "she", "her"),
    ("ruth", "she", "her"),
    ("irene", "she", "her"),
    ("martha", "she", "her"),
    ("olivia", "she", "her"),
    ("sophie", "she", "her"),
    ("ella", "she", "her"),
    ("grace", "she", "her"),
    ("diana", "she", "her"),
    ("eva", "she", "her"),
    ("peter", "he", "his"),
    ("thomas", "he", "his"),
    ("david", "he", "his"),
    ("paul", "he", "his"),
    ("mark", "he", "his"),
    ("jonas", "he", "his"),
    ("simon", "he", "his"),
    ("oscar", "he", "his"),
    ("felix", "he", "his"),
    ("henry", "he", "his"),
    ("george", "he", "his"),
    ("robert", "he", "his"),
    ("martin", "he", "his"),
    ("daniel", "he", "his"),
    ("adam", "he", "his"),
    ("leo", "he", "his"),
    ("victor", "he", "his"),
    ("frank", "he", "his"),
    ("walter", "he", "his"),
    ("hugo", "he", "his"),
];

/// One to twenty, in words.
pub(super) const NUMBERS: &[&str] = &[
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
    "twenty",
];

/// Days of the week, in order.
pub(super) const DAYS: &[&str] = &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Capitals, with country and language.
pub(super) const CAPITALS: &[(&str, &str, &str)] = &[
    ("paris", "france", "french"),
    ("rome", "italy", "italian"),
    ("madrid", "spain", "spanish"),
    ("berlin", "germany", "german"),
    ("lisbon", "portugal", "portuguese"),
    ("athens", "greece", "greek"),
    ("warsaw", "poland", "polish"),
    ("stockholm", "sweden", "swedish"),
    ("tokyo", "japan", "japanese"),
    ("beijing", "china", "chinese"),
    ("oslo", "norway", "norwegian"),
    ("helsinki", "finland", "finnish"),
    ("copenhagen", "denmark", "danish"),
    ("budapest", "hungary", "hungarian"),
    ("prague", "czechia", "czech"),
    ("moscow", "russia", "russian"),
    ("ankara", "turkey", "turkish"),
    ("bangkok", "thailand", "thai"),
    ("hanoi", "vietnam", "vietnamese"),
    ("seoul", "korea", "korean"),
    ("london", "england", "english"),
    ("bucharest", "romania", "romanian"),
    ("sofia", "bulgaria", "bulgarian"),
    ("reykjavik", "iceland", "icelandic"),
];
