//! Bugs that are planted are found. `cargo test -p qc-simulation --features planted-bugs`
