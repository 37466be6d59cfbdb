//! A strip on tiles of 16 rows by 64 bytes.
//!
//! ```text
//!                     tile 6: 16 pairs x 16     tile 7: the other 16 of the width
//!   tile 4: a group   tile 0                    tile 1
//!   tile 5: the next  tile 2                    tile 3          sums
//! ```
//!
//! 1. A row of sums is cut into groups of equal size, at most 16; two groups share what is loaded of B.
//! 2. A step takes as many pairs as divide a run evenly, at most 16, so that no tile reads beyond a run: a neighbour's
//!    infinity times a padded zero would be a NaN.
//! 3. The last group of a row may be smaller. Such groups come last, after the tiles have been shaped for them.

use stampnet_simd::bf16::{TileShape, Tiles};

use super::strip::Strip;

/// Columns of a tile of sums.
const LANES: usize = 16;

/// The most pairs of one step that divide `pairs` evenly.
fn step_pairs(pairs: usize) -> usize {
    (1..=16).rev().find(|step| pairs.is_multiple_of(*step)).expect("one divides every number")
}

/// Groups of one size: those of a row, or its last one.
#[derive(Clone, Copy)]
struct Groups {
    /// The first one's column.
    first: usize,
    /// In each row.
    count: usize,
    /// Columns of sums in each.
    len: usize,
}

/// All sums.
///
/// # Safety
/// The bounds that `Strip::check` asserts hold.
#[inline(always)]
pub(super) unsafe fn run<T: Tiles>(strip: &mut Strip<'_>, tiles: &mut T) {
    let columns = strip.size[1];
    let len = columns.div_ceil(columns.div_ceil(16));
    let (count, rest) = (columns / len, columns % len);
    for groups in [Groups { first: 0, count, len }, Groups { first: count * len, count: 1, len: rest }] {
        if groups.len == 0 {
            continue;
        }
        // SAFETY: the groups lie within the size.
        unsafe {
            if strip.width == 2 * LANES {
                all::<T, 2>(strip, tiles, groups);
            } else {
                all::<T, 1>(strip, tiles, groups);
            }
        }
    }
}

/// The groups of all rows, two at a time.
///
/// # Safety
/// The groups lie within the size, and the bounds that `Strip::check` asserts hold.
#[inline(always)]
unsafe fn all<T: Tiles, const N: usize>(strip: &mut Strip<'_>, tiles: &mut T, groups: Groups) {
    let pairs = step_pairs(strip.terms.pairs);
    let sums = TileShape { rows: groups.len, row_bytes: 64 };
    let left = TileShape { rows: groups.len, row_bytes: 4 * pairs };
    let right = TileShape { rows: pairs, row_bytes: 64 };
    tiles.configure(&[sums, sums, sums, sums, left, left, right, right]);
    let at = |group: usize| [group / groups.count, groups.first + group % groups.count * groups.len];
    let total = strip.size[0] * groups.count;
    for group in (0..total).step_by(2) {
        // SAFETY: both groups exist, or the last one alone.
        unsafe {
            if group + 1 < total {
                some::<T, 2, N>(strip, tiles, [at(group), at(group + 1)], pairs);
            } else {
                some::<T, 1, N>(strip, tiles, [at(group); 2], pairs);
            }
        }
    }
}

/// `G` groups by `N` tiles.
///
/// # Safety
/// The groups lie within the size, the tiles are shaped for them, and the bounds that `Strip::check` asserts hold.
#[inline(always)]
unsafe fn some<T: Tiles, const G: usize, const N: usize>(
    strip: &mut Strip<'_>,
    tiles: &mut T,
    at: [[usize; 2]; 2],
    pairs: usize,
) {
    let (terms, grid, width) = (strip.terms, strip.grid, N * LANES);
    assert_eq!(terms.a_pair, 2, "tiles read neighbouring pairs");
    let (a_step, b_step, sums_step) = (2 * grid.column, 4 * width, 4 * width);
    // SAFETY: check has asserted that A, B and the sums hold all that is read and written here.
    unsafe {
        let to = at.map(|[y, x]| strip.sums.as_mut_ptr().add((y * strip.size[1] + x) * width));
        let from = at.map(|[y, x]| strip.a.as_ptr().add(grid.origin + y * grid.row + x * grid.column));
        begin::<T, G, N>(tiles, strip.add.then_some(to.map(<*mut f32>::cast_const)), sums_step);
        for row in 0..terms.rows {
            for run in 0..terms.runs {
                let (a, mut b) = (row * terms.a_row + run * terms.a_run, row * terms.b_row + run * terms.b_run);
                for pair in (0..terms.pairs).step_by(pairs) {
                    let left = from.map(|from| from.add(a + 2 * pair).cast::<u8>());
                    let right = strip.b.as_ptr().add(b);
                    tiles.load::<4>(left[0], a_step);
                    tiles.load::<6>(right.cast(), b_step);
                    tiles.dot::<0, 4, 6>();
                    if N == 2 {
                        tiles.load::<7>(right.add(2 * LANES).cast(), b_step);
                        tiles.dot::<1, 4, 7>();
                    }
                    if G == 2 {
                        tiles.load::<5>(left[1], a_step);
                        tiles.dot::<2, 5, 6>();
                        if N == 2 {
                            tiles.dot::<3, 5, 7>();
                        }
                    }
                    b += 2 * pairs * width;
                }
            }
        }
        tiles.store::<0>(to[0].cast(), sums_step);
        if N == 2 {
            tiles.store::<1>(to[0].add(LANES).cast(), sums_step);
        }
        if G == 2 {
            tiles.store::<2>(to[1].cast(), sums_step);
            if N == 2 {
                tiles.store::<3>(to[1].add(LANES).cast(), sums_step);
            }
        }
    }
}

/// Reads the sums of `G` groups by `N` tiles, or begins with zeros.
///
/// # Safety
/// The sums, if given, are those of groups for which the tiles are shaped.
#[inline(always)]
unsafe fn begin<T: Tiles, const G: usize, const N: usize>(tiles: &mut T, sums: Option<[*const f32; 2]>, step: usize) {
    let Some([first, second]) = sums else {
        tiles.zero::<0>();
        tiles.zero::<1>();
        tiles.zero::<2>();
        tiles.zero::<3>();
        return;
    };
    // SAFETY: as the caller's.
    unsafe {
        tiles.load::<0>(first.cast(), step);
        if N == 2 {
            tiles.load::<1>(first.add(LANES).cast(), step);
        }
        if G == 2 {
            tiles.load::<2>(second.cast(), step);
            if N == 2 {
                tiles.load::<3>(second.add(LANES).cast(), step);
            }
        }
    }
}
