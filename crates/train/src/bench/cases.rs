//! The list of real convolutions that benches run over.

use stampnet_geometry::{ConvDescriptor, ConvOptions, GeometryError, Nhwc, Padding, PoolGeometry, PoolOptions};

/// The list, a data file that the Criterion benches share.
const CASES: &str = include_str!("../../../../benches/cases/conv.txt");

/// One convolution of the list.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Its name in the list.
    pub(crate) name: &'static str,
    /// Batch, height, width, input channels, output channels, kernel, stride, padding, groups.
    pub(crate) spec: [usize; 9],
}

impl Case {
    /// Reads a line: a name and nine numbers. None if it is something else.
    fn parse(line: &'static str) -> Option<Self> {
        numbers(line).map(|(name, spec)| Self { name, spec })
    }

    /// The layer.
    pub(crate) fn descriptor(&self) -> ConvDescriptor {
        let [n, h, w, c, filters, kernel, stride, pad, groups] = self.spec;
        let padding = Padding::Explicit { top: pad, bottom: pad, left: pad, right: pad };
        let options = ConvOptions::new(filters, kernel).stride(stride).padding(padding).groups(groups);
        ConvDescriptor { input: Nhwc { n, h, w, c }, options }
    }
}

/// The list of real poolings.
const POOLS: &str = include_str!("../../../../benches/cases/pool.txt");

/// One pooling of the list.
#[derive(Clone, Debug)]
pub(crate) struct PoolCase {
    /// Its name in the list.
    pub(crate) name: &'static str,
    /// Batch, height, width, channels, window, stride, padding.
    pub(crate) spec: [usize; 7],
}

impl PoolCase {
    /// The geometry.
    ///
    /// # Errors
    /// The numbers make no pooling.
    pub(crate) fn geometry(&self) -> Result<PoolGeometry, GeometryError> {
        let [n, h, w, c, kernel, stride, pad] = self.spec;
        let padding = Padding::Explicit { top: pad, bottom: pad, left: pad, right: pad };
        PoolGeometry::new(Nhwc { n, h, w, c }, &PoolOptions::new(kernel).stride(stride).padding(padding))
    }
}

/// Reads a line: a name and `N` numbers. None if it is something else.
fn numbers<const N: usize>(line: &'static str) -> Option<(&'static str, [usize; N])> {
    let mut fields = line.split_whitespace();
    let name = fields.next()?;
    let numbers: Vec<usize> = fields.map(|field| field.parse().ok()).collect::<Option<_>>()?;
    Some((name, numbers.try_into().ok()?))
}

/// All poolings, in the order of the list.
pub(crate) fn pools() -> Vec<PoolCase> {
    let lines = POOLS.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let case = |line| numbers(line).map(|(name, spec)| PoolCase { name, spec });
    lines.map(|line| case(line).expect("a test reads every line of the list")).collect()
}

/// All convolutions, in the order of the list.
pub(crate) fn all() -> Vec<Case> {
    let lines = CASES.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| Case::parse(line).expect("a test reads every line of the list")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_convolution_with_a_name_of_its_own() {
        let cases = all();
        let mut names: Vec<&str> = cases.iter().map(|case| case.name).collect();
        for case in &cases {
            case.descriptor().geometry().unwrap_or_else(|error| panic!("{}: {error}", case.name));
        }
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count, "two cases have one name");
        assert!(pools().iter().all(|case| case.geometry().is_ok()));
    }

    #[test]
    fn a_case_is_a_name_and_nine_numbers() {
        let case = Case::parse("strided 2 9 8 4 6 3 2 1 2").unwrap();
        assert_eq!((case.name, case.spec), ("strided", [2, 9, 8, 4, 6, 3, 2, 1, 2]));
        assert_eq!(case.descriptor().geometry().unwrap().output().dims(), [2, 5, 4, 6]);
        for line in ["", "name 1 2 3", "name 1 2 3 4 5 6 7 8 x", "name 1 2 3 4 5 6 7 8 9 10"] {
            assert!(Case::parse(line).is_none(), "{line}");
        }
    }
}
