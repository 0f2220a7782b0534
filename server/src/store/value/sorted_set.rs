//! store/value/sorted_set
