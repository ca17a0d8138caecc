//! Fuzzes the reading of Engine.IO payloads of polling.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockeye::fuzzing::payload(data));
