//! Fuzzes the reading of JSON as clients send it.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| sockeye::fuzzing::json(text));
