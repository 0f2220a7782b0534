//! resp/pattern
