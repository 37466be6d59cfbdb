//! Convolutions drawn at random, in the ranges that people use.

use stampnet_geometry::{ConvDescriptor, ConvGeometry, ConvOptions, Nhwc, Padding, Size};
use stampnet_tensor::{Purpose, RandomStream};

/// Operations of a pass: enough to be measured, few enough for hundreds of measurements.
const FLOPS: std::ops::RangeInclusive<f64> = 1e5..=4e8;

/// Elements of an array at most, so that a draw does not measure the memory of the machine alone.
const MAX_ELEMENTS: usize = 1 << 23;

/// Channel counts of common networks, and two that no vector divides.
const CHANNELS: &[usize] = &[1, 3, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 96, 100, 128, 160, 192, 256, 384, 512];

/// Kernel sizes, the common ones more often.
const KERNELS: &[[usize; 2]] = &[
    [1, 1],
    [1, 1],
    [1, 1],
    [2, 2],
    [3, 3],
    [3, 3],
    [3, 3],
    [3, 3],
    [3, 3],
    [5, 5],
    [7, 7],
    [1, 3],
    [3, 1],
    [1, 7],
    [5, 3],
];

/// Convolution number `index` of the series of `seed`.
pub(crate) fn convolution(seed: u64, index: u32) -> (ConvDescriptor, ConvGeometry) {
    let mut random = RandomStream::new(seed, Purpose::Test, 1, index);
    loop {
        let layer = draw(&mut random);
        if let Some(geometry) = layer.geometry().ok().filter(is_measurable) {
            return (layer, geometry);
        }
    }
}

fn is_measurable(g: &ConvGeometry) -> bool {
    let elements = g.input().len().max(g.output().len()).max(g.weight_len());
    FLOPS.contains(&g.flops()) && elements <= MAX_ELEMENTS
}

fn draw(random: &mut RandomStream) -> ConvDescriptor {
    let n = 1 << random.below(8);
    let [h, w] = image(random);
    let [kh, kw] = pick(random, KERNELS);
    let stride = pick(random, &[1, 1, 1, 1, 1, 1, 2, 2, 2, 3]);
    let dilation = pick(random, &[1, 1, 1, 1, 1, 1, 1, 1, 2, 3]);
    let (c, filters, groups) = channels(random);
    let options = ConvOptions::new(filters, Size { h: if h == 1 { 1 } else { kh }, w: kw });
    let options = options.stride(Size { h: if h == 1 { 1 } else { stride }, w: stride }).dilation(dilation);
    ConvDescriptor { input: Nhwc { n, h, w, c }, options: options.padding(padding(random)).groups(groups) }
}

/// Rows and columns: images that are less than twice as high as wide or as wide as high, some of any shape, and sequences,
/// which are images of height 1.
fn image(random: &mut RandomStream) -> [usize; 2] {
    match random.below(8) {
        0 => [1, 4 * size(random, 8)],
        1 => [size(random, 7), size(random, 7)],
        _ => {
            let cells = 4 * size(random, 5);
            let mut side = || cells + random.below(cells as u32) as usize;
            [side(), side()]
        }
    }
}

/// A number of cells, each power of two as likely as the next, and any in between.
fn size(random: &mut RandomStream, powers: u32) -> usize {
    let low = 1 << random.below(powers);
    (low + random.below(low)) as usize
}

/// Input channels, filters, and groups: mostly one group, sometimes several, sometimes as many as channels.
fn channels(random: &mut RandomStream) -> (usize, usize, usize) {
    let (c, filters) = (pick(random, CHANNELS), pick(random, CHANNELS));
    match random.below(10) {
        0 | 1 => (c, c * pick(random, &[1, 1, 1, 2]), c),
        2 => {
            let groups = pick(random, &[2, 4, 8, 32]);
            (c * groups, filters * groups, groups)
        }
        _ => (c, filters, 1),
    }
}

fn padding(random: &mut RandomStream) -> Padding {
    match random.below(8) {
        0..=4 => Padding::Same,
        5 | 6 => Padding::Valid,
        _ => {
            let mut pad = || random.below(4) as usize;
            Padding::Explicit { top: pad(), bottom: pad(), left: pad(), right: pad() }
        }
    }
}

fn pick<T: Copy>(random: &mut RandomStream, from: &[T]) -> T {
    from[random.below(from.len() as u32) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn draws_repeat_and_cover_what_people_use() {
        let draws: Vec<_> = (0..400).map(|index| convolution(7, index)).collect();
        assert_eq!(draws[5].0, convolution(7, 5).0);
        assert_ne!(draws[5].0, convolution(8, 5).0);
        let count = |is: &dyn Fn(&ConvGeometry) -> bool| draws.iter().filter(|(_, g)| is(g)).count();
        assert!(count(&|g| g.groups() > 1) > 40 && count(&|g| g.groups() == g.c()) > 20);
        assert!(count(&|g| g.w().stride() > 1) > 40 && count(&|g| g.w().dilation() > 1) > 20);
        assert!(count(&|g| g.h().input() != g.w().input()) > 200 && count(&|g| g.h().input() == 1) > 10);
        assert!(count(&|g| g.is_unpadded()) > 40 && count(&|g| g.h().before() != g.w().before()) > 10);
        assert_eq!(draws.iter().map(|(_, g)| g.n()).collect::<BTreeSet<_>>().len(), 8);
    }
}
