//! Cells on the sides of images.

use serde_json::{Value, json};
use stampnet_autograd::Margins;

use crate::config::ConfigValue;

/// Cells on each side of an image, as Keras accepts them: `1` on all sides, `(1, 2)` rows above and below and columns left and
/// right, `((0, 1), (2, 3))` above, below, left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides(Margins);

impl Sides {
    pub(super) const fn margins(self) -> Margins {
        self.0
    }
}

impl From<usize> for Sides {
    fn from(all: usize) -> Self {
        Self::from((all, all))
    }
}

impl From<(usize, usize)> for Sides {
    fn from((vertical, horizontal): (usize, usize)) -> Self {
        Self::from(((vertical, vertical), (horizontal, horizontal)))
    }
}

impl From<((usize, usize), (usize, usize))> for Sides {
    fn from(((top, bottom), (left, right)): ((usize, usize), (usize, usize))) -> Self {
        Self(Margins { top, bottom, left, right })
    }
}

impl ConfigValue for Sides {
    const EXPECTED: &'static str = "a whole number, [vertical, horizontal] or [[top, bottom], [left, right]]";

    fn read(value: &Value) -> Option<Self> {
        if let Some(all) = usize::read(value) {
            return Some(Self::from(all));
        }
        let pair = |value: &Value| match value.as_array()?.as_slice() {
            [before, after] => Some((usize::read(before)?, usize::read(after)?)),
            _ => None,
        };
        if let Some(both) = pair(value) {
            return Some(Self::from(both));
        }
        match value.as_array()?.as_slice() {
            [rows, columns] => Some(Self::from((pair(rows)?, pair(columns)?))),
            _ => None,
        }
    }

    fn write(&self) -> Value {
        let Margins { top, bottom, left, right } = self.0;
        json!([[top, bottom], [left, right]])
    }
}
