//! The BuildKit client.
