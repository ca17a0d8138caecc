//! Fuzzes the reading of Socket.IO packets.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sockeye::fuzzing::packet(text));
