//! The std side of Distil: reads Hugging Face folders, packs them, and looks into, runs, verifies and measures packed
//! files. The binary `tools` is a thin shell over this library.

pub mod float;
pub mod hf;
