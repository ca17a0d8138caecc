//! Fuzzes the reading of WebSocket frames.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| sockeye::fuzzing::websocket(data));
