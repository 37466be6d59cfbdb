//! IDX files, batches, shuffling and checksums.
