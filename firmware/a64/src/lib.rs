//! What the 64-bit ARM machines without an operating system share: the way from the first instruction to Rust on every
//! core, address translation and caches, work for all cores, counters, faults, and the serial port.
//!
//! A machine keeps what is its own: where its memory is (linker script, tables, regions), how its other cores are woken,
//! where its serial port lies, and how it ends. It defines three functions that the start-up code calls:
//! `machine_main` on the first core, `machine_other` on each other one, and `machine_fault` when the processor takes an
//! exception.
//!
//! Only [`handover`] and [`fault`] compile for a host, where they are tested.
#![cfg_attr(not(test), no_std)]

pub mod fault;
pub mod handover;

#[cfg(target_os = "none")]
mod boot;
#[cfg(target_os = "none")]
pub mod console;
#[cfg(target_os = "none")]
pub mod cores;
#[cfg(target_os = "none")]
pub mod counter;
#[cfg(target_os = "none")]
pub mod mmu;
#[cfg(target_os = "none")]
pub mod pl011;
#[cfg(target_os = "none")]
pub mod processor;
#[cfg(target_os = "none")]
pub mod regions;
#[cfg(target_os = "none")]
pub mod semihosting;
#[cfg(target_os = "none")]
mod stack;
