//! The process: environment in, exit code out.
fn main() {}
