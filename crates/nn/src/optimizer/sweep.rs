//! One pass over many weights.

use stampnet_simd::Level;

use super::Rule;
use super::rule::{Around, Update};

/// Elements that one task updates: few enough for a task per core on a large weight, and the arrays of an optimizer fit into
/// L2. Fixed, so that sums do not depend on the number of threads.
pub(super) const CHUNK: usize = 8192;

/// A weight or some chunks of one, with what belongs to them.
#[derive(Default)]
pub(super) struct Part<'a> {
    pub(super) around: Around,
    pub(super) weight: &'a mut [f32],
    pub(super) gradient: &'a [f32],
    /// For each chunk its states, one after the other.
    pub(super) states: &'a mut [f32],
}

impl Part<'_> {
    /// The first half, in whole chunks, and the rest. There is more than a chunk.
    fn split(&mut self) -> [Part<'_>; 2] {
        let Self { around, weight, gradient, states } = self;
        let (around, states) = (*around, &mut **states);
        let middle = (weight.len() / 2).next_multiple_of(CHUNK);
        let kept = states.len() / weight.len();
        let (weight, more_weight) = weight.split_at_mut(middle);
        let (gradient, more_gradient) = gradient.split_at(middle);
        let (states, more_states) = states.split_at_mut(kept * middle);
        [
            Part { around, weight, gradient, states },
            Part { around, weight: more_weight, gradient: more_gradient, states: more_states },
        ]
    }
}

/// Updates all parts, on all threads at once: small weights are handed out together, large ones in pieces.
pub(super) fn sweep<R: Rule>(level: Level, factors: R::Factors, parts: &mut [Part<'_>]) {
    let len = |parts: &[Part<'_>]| parts.iter().map(|part| part.weight.len()).sum::<usize>();
    let all = len(parts);
    if all <= CHUNK {
        for part in parts {
            let &mut Part { around, ref mut weight, gradient, ref mut states } = part;
            level.run(Update::<R> { factors, around, weight, states, gradient });
        }
        return;
    }
    if let [part] = parts {
        let [mut first, mut second] = part.split().map(|part| [part]);
        rayon::join(|| sweep::<R>(level, factors, &mut first), || sweep::<R>(level, factors, &mut second));
        return;
    }
    let half = (1..parts.len() - 1).find(|&count| 2 * len(&parts[..count]) >= all).unwrap_or(parts.len() - 1);
    let (first, second) = parts.split_at_mut(half);
    rayon::join(|| sweep::<R>(level, factors, first), || sweep::<R>(level, factors, second));
}
