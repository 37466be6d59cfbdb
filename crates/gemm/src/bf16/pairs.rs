//! Pairs of two rows, as the products that sum over rows read them.

use half::bf16;

/// Overwrites `pairs` with pairs of `even` and `odd`, which have as many numbers; zero stands for what is not there.
#[inline(always)]
pub fn interleave(pairs: &mut [u32], even: Option<&[bf16]>, odd: Option<&[bf16]>) {
    match (even, odd) {
        (Some(even), Some(odd)) => {
            // Pieces of known length become a few vector instructions.
            let ((pairs, pairs_rest), (even, even_rest), (odd, odd_rest)) =
                (pairs.as_chunks_mut::<8>(), even.as_chunks::<8>(), odd.as_chunks::<8>());
            for ((pairs, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
                join(pairs, even, odd);
            }
            join(pairs_rest, even_rest, odd_rest);
        }
        (Some(even), None) => pairs.iter_mut().zip(even).for_each(|(pair, even)| *pair = u32::from(even.to_bits())),
        (None, Some(odd)) => pairs.iter_mut().zip(odd).for_each(|(pair, odd)| *pair = u32::from(odd.to_bits()) << 16),
        (None, None) => pairs.fill(0),
    }
}

/// Pairs of neighbours in two slices.
#[inline(always)]
fn join(pairs: &mut [u32], even: &[bf16], odd: &[bf16]) {
    for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
        *pair = u32::from(even.to_bits()) | u32::from(odd.to_bits()) << 16;
    }
}

/// Overwrites `to`, `[columns][rows]`, with the transpose of `from`, `[rows][columns]`.
pub fn transpose(from: &[u32], columns: usize, to: &mut [u32]) {
    let rows = from.len() / columns;
    for (i, row) in from.chunks_exact(columns).enumerate() {
        for (j, &value) in row.iter().enumerate() {
            to[j * rows + i] = value;
        }
    }
}
