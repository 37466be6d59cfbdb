//! Problems as one line of text, the line that describes a layer.

use std::fmt;
use std::str::FromStr;

use stampnet_geometry::{ConvDescriptor, ParseDescriptorError, PoolDescriptor};

use crate::{ConvProblem, PoolProblem};

impl fmt::Display for ConvProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self { input, options } = self;
        ConvDescriptor { input, options }.fmt(f)
    }
}

impl fmt::Display for PoolProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let &Self { input, options } = self;
        PoolDescriptor { input, options }.fmt(f)
    }
}

impl FromStr for ConvProblem {
    type Err = ParseDescriptorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ConvDescriptor { input, options } = text.parse()?;
        Ok(Self { input, options })
    }
}

impl FromStr for PoolProblem {
    type Err = ParseDescriptorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let PoolDescriptor { input, options } = text.parse()?;
        Ok(Self { input, options })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::strategy;

    proptest! {
        #[test]
        fn a_line_reads_back_as_its_problem(conv in strategy::conv(), pool in strategy::pool()) {
            prop_assert_eq!(conv.to_string().parse(), Ok(conv));
            prop_assert_eq!(pool.to_string().parse(), Ok(pool));
        }
    }
}
