//! resp/request
