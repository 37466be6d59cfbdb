//! Convolutions of real networks.

use stampnet_geometry::{ConvGeometry, ConvOptions, Nhwc, Padding};

use crate::CaseError;
use crate::case::{fields, lines};

/// A named convolution.
#[derive(Clone, Debug)]
pub struct ConvCase {
    /// Network and layer; unique.
    pub name: &'static str,
    /// The resolved geometry.
    pub geometry: ConvGeometry,
}

impl ConvCase {
    /// Every case of `cases/conv.txt`, in its order.
    ///
    /// # Errors
    /// A line of the file is wrong.
    pub fn all() -> Result<Vec<Self>, CaseError> {
        lines(include_str!("../cases/conv.txt")).map(Self::parse).collect()
    }

    fn parse(line: &'static str) -> Result<Self, CaseError> {
        let (name, [n, h, w, c, oc, k, s, p, g]) = fields(line)?;
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
    fn numbers_come_in_the_order_of_the_column_heads() {
        let geometry = ConvCase::parse("strided 2 9 8 4 6 3 2 1 2").unwrap().geometry;
        assert_eq!((geometry.input().dims(), geometry.output().dims()), ([2, 9, 8, 4], [2, 5, 4, 6]));
        assert_eq!((geometry.weight_dims(), geometry.groups()), ([3, 3, 2, 6], 2));
        let message = ConvCase::parse("odd 1 8 8 3 4 3 1 1 2").unwrap_err().to_string();
        assert!(message.starts_with("case 'odd': ") && message.contains("groups"), "{message}");
    }
}
