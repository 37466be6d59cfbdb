//! The weights of a model, and whether they have changed.

use std::ops::{Deref, DerefMut};

use super::Weight;

/// All weights of a model. Every exclusive access but [`lend`](Self::lend) counts as a change, so that what was made of the
/// weights is made anew.
#[derive(Debug)]
pub(super) struct Weights {
    all: Vec<Weight>,
    changes: u64,
}

impl Weights {
    pub(super) const fn new(all: Vec<Weight>) -> Self {
        Self { all, changes: 0 }
    }

    /// The weights, for a run that gives all of them back as they are, and the number of changes so far.
    pub(super) fn lend(&mut self) -> (&mut [Weight], u64) {
        (&mut self.all, self.changes)
    }
}

impl Deref for Weights {
    type Target = [Weight];

    fn deref(&self) -> &[Weight] {
        &self.all
    }
}

impl DerefMut for Weights {
    fn deref_mut(&mut self) -> &mut [Weight] {
        self.changes += 1;
        &mut self.all
    }
}
