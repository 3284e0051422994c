//! The std side of Distil: reads Hugging Face folders, packs them, and looks into, runs, verifies, compares and measures
//! packed files. The binary `tools` is a thin shell over this library.

pub mod bench;
pub mod calibrate;
pub mod checkfile;
pub mod commands;
pub mod diff;
pub mod error;
pub mod eval;
pub mod export;
pub mod files;
pub mod fixture;
pub mod float;
pub mod folders;
pub mod hf;
pub mod hub;
pub mod keep_vocabulary;
pub mod original;
pub mod pack;
pub mod progress;
pub mod report;
pub mod sentences;
pub mod sequence;
pub mod shape;
pub mod signing;
pub mod text;
pub mod threads;
pub mod unpack;
pub mod verify;
