//! Pooling layers of real networks.

use stampnet_geometry::{Nhwc, Padding, PoolGeometry, PoolOptions};

use crate::CaseError;
use crate::case::{fields, lines};

/// A named pooling layer.
#[derive(Clone, Debug)]
pub struct PoolCase {
    /// Network and layer; unique.
    pub name: &'static str,
    /// The resolved geometry.
    pub geometry: PoolGeometry,
}

impl PoolCase {
    /// Every case of `cases/pool.txt`, in its order.
    ///
    /// # Errors
    /// A line of the file is wrong.
    pub fn all() -> Result<Vec<Self>, CaseError> {
        lines(include_str!("../cases/pool.txt")).map(Self::parse).collect()
    }

    fn parse(line: &'static str) -> Result<Self, CaseError> {
        let (name, [n, h, w, c, k, s, p]) = fields(line)?;
        let padding = Padding::Explicit { top: p, bottom: p, left: p, right: p };
        let geometry = PoolGeometry::new(Nhwc { n, h, w, c }, &PoolOptions::new(k).stride(s).padding(padding))
            .map_err(|source| CaseError::Geometry { name: name.to_owned(), source })?;
        Ok(Self { name, geometry })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_line_is_a_case_with_a_name_of_its_own() {
        let cases = PoolCase::all().unwrap();
        let names: HashSet<_> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
    }

    #[test]
    fn numbers_come_in_the_order_of_the_column_heads() {
        let geometry = PoolCase::parse("strided 2 9 8 4 3 2 1").unwrap().geometry;
        assert_eq!((geometry.input().dims(), geometry.output().dims()), ([2, 9, 8, 4], [2, 5, 4, 4]));
        let message = PoolCase::parse("large 1 8 8 3 9 1 0").unwrap_err().to_string();
        assert!(message.starts_with("case 'large': "), "{message}");
    }
}
