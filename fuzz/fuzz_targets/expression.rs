//! Expressions of expectations, read and asked.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../bodies/expression.rs"]
mod body;

fuzz_target!(|text: &str| body::expression(text));
