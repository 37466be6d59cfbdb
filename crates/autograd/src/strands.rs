//! Reductions of a slice that vectorize: sixteen strands run side by side and are joined at the end. The number is a
//! constant, so every SIMD level gives the same bits.

const STRANDS: usize = 16;

/// A function of `N` numbers to be summed. Mark `term` as `#[inline(always)]`.
pub(crate) trait Term<const N: usize>: Copy + Send + Sync {
    /// The function.
    fn term(self, x: [f64; N]) -> f64;
}

/// Each element as it is.
#[derive(Clone, Copy)]
pub(crate) struct Plain;

impl Term<1> for Plain {
    #[inline(always)]
    fn term(self, [x]: [f64; 1]) -> f64 {
        x
    }
}

/// The product of two elements.
#[derive(Clone, Copy)]
pub(crate) struct Product;

impl Term<2> for Product {
    #[inline(always)]
    fn term(self, [a, b]: [f64; 2]) -> f64 {
        a * b
    }
}

/// The sum of `f` over all elements of `inputs`, which have the same length, in double precision.
#[inline(always)]
pub(crate) fn sum<const N: usize>(f: impl Term<N>, inputs: [&[f32]; N]) -> f64 {
    let len = inputs[0].len();
    let whole = len - len % STRANDS;
    let mut sums = [0.0_f64; STRANDS];
    for start in (0..whole).step_by(STRANDS) {
        let blocks = inputs.map(|x| &x[start..start + STRANDS]);
        for (strand, sum) in sums.iter_mut().enumerate() {
            *sum += f.term(blocks.map(|x| f64::from(x[strand])));
        }
    }
    for (i, sum) in (whole..len).zip(&mut sums) {
        *sum += f.term(inputs.map(|x| f64::from(x[i])));
    }
    join(sums, |a, b| a + b)
}

/// The largest element; minus infinity of nothing. A NaN is passed over.
#[inline(always)]
pub(crate) fn max(x: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut maxima = [f32::NEG_INFINITY; STRANDS];
    let blocks = x.chunks_exact(STRANDS);
    for (&x, max) in blocks.remainder().iter().zip(&mut maxima) {
        *max = larger(*max, x);
    }
    for block in blocks {
        for (&x, max) in block.iter().zip(&mut maxima) {
            *max = larger(*max, x);
        }
    }
    join(maxima, larger)
}

/// Joins neighbours at half the distance, again and again.
#[inline(always)]
fn join<T: Copy>(mut strands: [T; STRANDS], f: impl Fn(T, T) -> T) -> T {
    let mut half = STRANDS / 2;
    while half > 0 {
        for i in 0..half {
            strands[i] = f(strands[i], strands[i + half]);
        }
        half /= 2;
    }
    strands[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_found_wherever_it_stands() {
        for len in 1..=50 {
            for at in 0..len {
                let mut x = vec![-3.0; len];
                x[at] = -1.0;
                assert_eq!(max(&x), -1.0, "position {at} of {len}");
            }
        }
        assert_eq!(max(&[]), f32::NEG_INFINITY);
        assert_eq!(max(&[f32::NAN, 1.0]), 1.0);
    }
}
