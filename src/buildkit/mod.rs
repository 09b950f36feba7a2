//! buildkit.
