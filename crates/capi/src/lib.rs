//! The runtime for programs in C and C++: `include/distil.h` is made from this crate, and docs/c-interface.md shows how to use it.
//!
//! Nothing here allocates, keeps state between calls (but the hook for panics), or unwinds into the caller. Everything
//! lies in memory of the caller: a model is a structure of a fixed size, a session is at the start of the buffer that it
//! works in. Every pointer is checked for being null or misaligned, every length against a bound, every text for being
//! UTF-8, every handle for having been made here; what is wrong has a number (`status`).
//!
//! # Safety
//! What cannot be checked is the caller's promise, the same for every function:
//! - A pointer with a length points to that many elements that can be read, and, if it is not `const`, written. Other
//!   pointers point to one element, or are null where that is said.
//! - A file's bytes stay where and as they are for as long as a model, an opening or a session made from them is used. A
//!   session's buffer is the session's own until the session is not used any more.
//! - What a function writes to does not overlap what it reads.
//! - One session is used by one thread at a time, as is an opening; models can be used by several.
//!
//! Unsafe code stands in the folder `boundary` alone, and there every function that is called from C is unsafe for these
//! reasons and no others.
#![no_std]
#![allow(non_camel_case_types, reason = "the types have the names that C sees")]

#[cfg(test)]
extern crate std;

pub mod boundary;
mod message;
pub mod status;
pub mod types;
