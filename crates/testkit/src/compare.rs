//! Comparisons that name the element.
//!
//! Both return an error rather than panic, so that a property test can use `?` and a plain test `unwrap`.

use std::fmt;

use stampnet_geometry::{ConvGeometry, Nhwc};

/// The axes of an array, to name an element of it.
#[derive(Clone, Copy, Debug)]
pub struct Axes {
    names: [&'static str; 4],
    dims: [usize; 4],
}

impl Axes {
    /// Activations: n, h, w, c.
    pub const fn image(shape: Nhwc) -> Self {
        Self { names: ["n", "h", "w", "c"], dims: shape.dims() }
    }

    /// Weights: kh, kw, c, oc.
    pub const fn weight(geometry: &ConvGeometry) -> Self {
        Self { names: ["kh", "kw", "c", "oc"], dims: geometry.weight_dims() }
    }

    /// A bias or any other vector.
    pub const fn vector(len: usize) -> Self {
        Self { names: ["", "", "", "index"], dims: [1, 1, 1, len] }
    }

    fn len(&self) -> usize {
        self.dims.iter().product()
    }

    fn name(&self, element: usize) -> String {
        let mut rest = element;
        let mut parts = Vec::new();
        for (name, dim) in self.names.into_iter().zip(self.dims).rev() {
            if !name.is_empty() {
                parts.push(format!("{name} {}", rest % dim));
            }
            rest /= dim;
        }
        parts.reverse();
        parts.join(", ")
    }
}

/// Two arrays differ.
pub struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Mismatch {}

/// Whether `got` and `want` are the same bit for bit. All NaNs count as one.
///
/// # Errors
/// A length is not that of `axes`, or an element differs: the first one, both values, and how many differ.
pub fn same_bits(axes: Axes, got: &[f32], want: &[f32]) -> Result<(), Mismatch> {
    check_lengths(axes, got, want)?;
    let differs = |(_, (g, w)): &(usize, (&f32, &f32))| g.to_bits() != w.to_bits() && !(g.is_nan() && w.is_nan());
    let mut different = got.iter().zip(want).enumerate().filter(differs);
    let Some((element, (g, w))) = different.next() else { return Ok(()) };
    let (count, len) = (1 + different.count(), want.len());
    Err(Mismatch(format!("at {}: got {g:?}, want {w:?}; {count} of {len} elements differ", axes.name(element))))
}

/// What an error is measured against.
#[derive(Clone, Copy, Debug)]
pub enum Scale<'a> {
    /// One number for all elements.
    All(f32),
    /// A number for each element: the sum of the absolute values of its terms, say.
    Each(&'a [f32]),
}

/// Whether `|got - want| <= tolerance * scale` for every element. A NaN fails.
///
/// # Errors
/// A length is not that of `axes`, or an element is off: the worst one, both values, its error and the bound.
pub fn within(axes: Axes, got: &[f32], want: &[f32], scale: Scale<'_>, tolerance: f64) -> Result<(), Mismatch> {
    check_lengths(axes, got, want)?;
    if let Scale::Each(scales) = scale {
        check_lengths(axes, got, scales)?;
    }
    let mut worst: Option<(f64, usize)> = None;
    for (element, (&g, &w)) in got.iter().zip(want).enumerate() {
        let scale = match scale {
            Scale::All(scale) => scale,
            Scale::Each(scales) => scales[element],
        };
        let (error, bound) = ((f64::from(g) - f64::from(w)).abs(), tolerance * f64::from(scale));
        if error <= bound {
            continue;
        }
        let excess = if error.is_nan() { f64::INFINITY } else { error - bound };
        if worst.is_none_or(|(most, _)| excess > most) {
            worst = Some((excess, element));
        }
    }
    let Some((excess, element)) = worst else { return Ok(()) };
    let (g, w, at) = (got[element], want[element], axes.name(element));
    Err(Mismatch(format!("at {at}: got {g:?}, want {w:?}, {excess:e} beyond the bound of {tolerance:e} x scale")))
}

fn check_lengths(axes: Axes, got: &[f32], want: &[f32]) -> Result<(), Mismatch> {
    if got.len() == axes.len() && want.len() == axes.len() {
        return Ok(());
    }
    let (got, want, len) = (got.len(), want.len(), axes.len());
    Err(Mismatch(format!("arrays of {got} and {want} elements, compared under axes that have {len}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXES: Axes = Axes::image(Nhwc { n: 1, h: 2, w: 1, c: 3 });

    #[test]
    fn same_bits_names_the_first_difference() {
        let want = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert!(same_bits(AXES, &want, &want).is_ok());
        let got = [1.0, 2.0, 3.0, 4.0, f32::NAN, 7.0];
        assert!(same_bits(AXES, &got, &got).is_ok());
        let text = same_bits(AXES, &got, &want).unwrap_err().to_string();
        assert_eq!(text, "at n 0, h 1, w 0, c 1: got NaN, want 5.0; 2 of 6 elements differ");
        let text = same_bits(Axes::vector(1), &[0.0], &[-0.0]).unwrap_err().to_string();
        assert_eq!(text, "at index 0: got 0.0, want -0.0; 1 of 1 elements differ");
        let text = same_bits(AXES, &got, &want[1..]).unwrap_err().to_string();
        assert_eq!(text, "arrays of 6 and 5 elements, compared under axes that have 6");
    }

    #[test]
    fn within_names_the_worst() {
        let want = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let got = [1.5, 2.0, 3.0, 3.0, 5.0, 6.0];
        assert!(within(AXES, &got, &want, Scale::All(1.0), 1.0).is_ok());
        assert!(within(AXES, &got, &want, Scale::Each(&[2.0, 0.0, 0.0, 4.0, 0.0, 0.0]), 0.25).is_ok());
        let text = within(AXES, &got, &want, Scale::All(1.0), 0.25).unwrap_err().to_string();
        assert_eq!(text, "at n 0, h 1, w 0, c 0: got 3.0, want 4.0, 7.5e-1 beyond the bound of 2.5e-1 x scale");
        let nan = [f32::NAN; 6];
        assert!(within(AXES, &nan, &want, Scale::All(f32::MAX), 1.0).is_err());
    }
}
