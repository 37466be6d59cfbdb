//! Convolutions of real networks.

use stampnet_geometry::{ConvGeometry, ConvOptions, GeometryError, Nhwc, Padding};

const CASES: &str = include_str!("../cases/conv.txt");

/// A named convolution.
#[derive(Clone, Debug)]
pub struct ConvCase {
    /// Network and layer; unique.
    pub name: &'static str,
    /// The resolved geometry.
    pub geometry: ConvGeometry,
}

/// A line that is not a case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// Not a name and nine numbers.
    #[error("a case is a name and nine numbers (n h w c oc k s p g); received '{0}'")]
    Syntax(String),
    /// The numbers do not fit together.
    #[error("case '{name}': {source}")]
    Geometry {
        /// The case.
        name: String,
        /// What is wrong.
        source: GeometryError,
    },
}

impl ConvCase {
    /// Every case of `cases/conv.txt`, in its order.
    ///
    /// # Errors
    /// A line of the file is wrong.
    pub fn all() -> Result<Vec<Self>, CaseError> {
        let lines = CASES.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(Self::parse).collect()
    }

    fn parse(line: &'static str) -> Result<Self, CaseError> {
        let syntax = || CaseError::Syntax(line.to_owned());
        let (name, numbers) = line.split_once(char::is_whitespace).ok_or_else(syntax)?;
        let numbers: Result<Vec<usize>, _> = numbers.split_whitespace().map(str::parse).collect();
        let [n, h, w, c, oc, k, s, p, g] = *numbers.map_err(|_| syntax())?.as_slice() else { return Err(syntax()) };
        let padding = Padding::Explicit { top: p, bottom: p, left: p, right: p };
        let options = ConvOptions::new(oc, k).stride(s).padding(padding).groups(g);
        let geometry = ConvGeometry::new(Nhwc { n, h, w, c }, &options)
            .map_err(|source| CaseError::Geometry { name: name.to_owned(), source })?;
        Ok(Self { name, geometry })
    }

    /// The same layer over the largest batch, up to its own, whose pass costs no more than `flops`; at least one image.
    ///
    /// ```
    /// let case = &stampnet_benches::ConvCase::all()?[0];
    /// assert_eq!(case.within(0.0).n(), 1);
    /// assert_eq!(case.within(f64::INFINITY), case.geometry);
    /// # Ok::<(), stampnet_benches::CaseError>(())
    /// ```
    pub fn within(&self, flops: f64) -> ConvGeometry {
        let images = flops / self.geometry.flops() * self.geometry.n() as f64;
        let n = (images as usize).clamp(1, self.geometry.n());
        self.geometry.with_batch(n).expect("a smaller batch of an accepted geometry is accepted")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_case_with_a_name_of_its_own() {
        let cases = ConvCase::all().unwrap();
        let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn wrong_lines_are_refused() {
        for line in ["name", "name 1 2 3", "name 1 8 8 1 1 3 1 1 1 1", "name 1 8 8 1 1 3 1 x 1"] {
            let message = ConvCase::parse(line).unwrap_err().to_string();
            assert_eq!(message, format!("a case is a name and nine numbers (n h w c oc k s p g); received '{line}'"));
        }
        let message = ConvCase::parse("name 1 8 8 3 4 3 1 1 2").unwrap_err().to_string();
        assert!(message.starts_with("case 'name': "), "{message}");
    }
}
