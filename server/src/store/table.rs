//! store/table
