//! The `stampnet` command.

fn main() {}
