//! The std side of Distil: reads Hugging Face folders, packs them, and looks into, runs, verifies and measures packed
//! files. The binary `tools` is a thin shell over this library.

pub mod bench;
pub mod checkfile;
pub mod commands;
pub mod error;
pub mod eval;
pub mod files;
pub mod fixture;
pub mod float;
pub mod hf;
pub mod pack;
pub mod report;
pub mod sentences;
pub mod sequence;
pub mod text;
pub mod threads;
pub mod verify;
