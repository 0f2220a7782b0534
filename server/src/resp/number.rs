//! resp/number
