//! Problems, exact fills and comparisons for tests.
