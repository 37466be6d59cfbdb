//! Dense layers on bfloat16: the product with a weight matrix, and the weight's gradient.
//!
//! ```text
//! c[i][j]           = round(relu(bias[j] + sum over k of a[i][k] * b[k][j]))      a, c bfloat16; b float32, rounded
//! grad_weight[k][j] = sum over i of a[i][k] * grad[i][j]                          a, grad bfloat16; the result float32
//! ```

use half::bf16;
use rayon::prelude::*;
use stampnet_simd::bf16::{Bf16Kernel, Bf16Simd, Bf16Unit};
use stampnet_tensor::AlignedVec;

use super::{Columns, Finish, Grid, Strip, Terms, interleave, packed_len, strip_width, transpose};
use crate::{Epilogue, Matrix};

/// Rows of a task at most: whole register tiles of 14, and whole tiles of 16.
const TASK_ROWS: usize = 28;
const TASK_TILE_ROWS: usize = 32;

/// Values of a tile of the weight's gradient, for vectors and for tiles.
const VALUES: usize = 8;
const TILE_VALUES: usize = 16;

/// Tiles of values in a task.
const TASK_TILES: usize = 8;

/// Sums of one strip at most: 32 rows, 32 columns.
const STRIP: usize = TASK_TILE_ROWS * 32;

/// A product of fixed shape, `C = epilogue(A B)` with A `m x k` and B `k x n`, and the memory for its packed B.
///
/// It serves the forward pass (B is the weight) and the input's gradient (B is the weight's transpose). Runs on the threads
/// of the current pool, with the same bits for any number of them.
///
/// ```
/// use half::bf16;
/// use stampnet_gemm::bf16::Bf16GemmPlan;
/// use stampnet_gemm::{Epilogue, Matrix};
///
/// let x = [1.0, 2.0, 3.0, 4.0].map(bf16::from_f32);
/// let mut y = [bf16::ZERO; 4];
/// let epilogue = Epilogue { bias: Some(&[0.5, 0.0]), relu: true };
/// Bf16GemmPlan::new(2, 2, 2).run(&x, Matrix::row_major(&[1.0, 0.0, 0.0, -1.0], 2, 2), epilogue, &mut y);
/// assert_eq!(y.map(f32::from), [1.5, 0.0, 3.5, 0.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Bf16GemmPlan {
    m: usize,
    k: usize,
    n: usize,
    unit: Bf16Unit,
    packed: AlignedVec<bf16>,
    /// A with its odd number of columns rounded up, if it has.
    even: AlignedVec<bf16>,
}

impl Bf16GemmPlan {
    /// A plan on the current unit.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        Self::on_unit(m, k, n, Bf16Unit::current())
    }

    /// A plan on `unit`.
    pub fn on_unit(m: usize, k: usize, n: usize, unit: Bf16Unit) -> Self {
        let even = if k % 2 == 1 { m * (k + 1) } else { 0 };
        let packed = AlignedVec::zeroed(packed_len(k, n, unit.lanes()));
        Self { m, k, n, unit, packed, even: AlignedVec::zeroed(even) }
    }

    /// Overwrites `c`, `[m][n]`. `a` is `[m][k]`.
    ///
    /// # Panics
    /// If a shape differs from the plan's, or the bias has not `n` elements.
    pub fn run(&mut self, a: &[bf16], b: Matrix<'_>, epilogue: Epilogue<'_>, c: &mut [bf16]) {
        assert_eq!([b.rows(), b.columns()], [self.k, self.n], "B has the plan's shape");
        if self.m > 0 && self.n > 0 {
            self.pack(&b);
        }
        self.run_again(a, epilogue, c);
    }

    /// As [`run`](Self::run), with the B of the last run, which is not packed again.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn run_again(&mut self, a: &[bf16], epilogue: Epilogue<'_>, c: &mut [bf16]) {
        let (m, k, n, unit) = (self.m, self.k, self.n, self.unit);
        assert_eq!(a.len(), m * k, "A has the plan's shape");
        assert_eq!(c.len(), m * n, "C has the plan's shape");
        assert!(epilogue.bias.is_none_or(|bias| bias.len() == n), "the bias has a number for each column");
        if m == 0 || n == 0 {
            return;
        }
        let even = k.next_multiple_of(2);
        let a = if even == k {
            a
        } else {
            for (row, a) in self.even.chunks_exact_mut(even).zip(a.chunks_exact(k)) {
                row[..k].copy_from_slice(a);
            }
            &*self.even
        };
        let packed = &*self.packed;
        let most = if unit.has_tiles() { TASK_TILE_ROWS } else { TASK_ROWS };
        let rows = m.div_ceil(m.div_ceil(most));
        c.par_chunks_mut(rows * n).enumerate().for_each(|(task, c)| {
            let size = [1, c.len() / n];
            let mut sums = [0.0; STRIP];
            for first in (0..n).step_by(2 * unit.lanes()) {
                let width = strip_width(n, first, unit.lanes());
                let grid = Grid { origin: task * rows * even, row: 0, column: even };
                let (terms, b) = (Terms::run(even / 2), &packed[first * even..]);
                Strip { size, a, grid, terms, b, width, sums: &mut sums, add: false }.sum(unit);
                let channels = width.min(n - first);
                let pixels = Grid { origin: first, row: 0, column: n };
                let bias = epilogue.bias.map(|bias| &bias[first..first + channels]);
                Finish { size, sums: &sums, width, channels, bias, relu: epilogue.relu, output: c, pixels }.store(unit);
            }
        });
    }

    /// Rounds and packs B.
    fn pack(&mut self, b: &Matrix<'_>) {
        let (k, n, unit) = (self.k, self.n, self.unit);
        let (data, row_step, column_step) = b.parts();
        let block = 2 * unit.lanes() * k.next_multiple_of(2);
        self.packed.par_chunks_mut(block.max(1)).enumerate().for_each(|(i, packed)| {
            let first = i * 2 * unit.lanes();
            let width = strip_width(n, first, unit.lanes());
            let columns = width.min(n - first);
            Columns { data: &data[first * column_step..], rows: k, columns, row_step, column_step }
                .pack(unit, width, packed);
        });
    }
}

/// The weight's gradient of a dense layer, `C = Aᵀ G` with A `m x k` and G `m x n`, and the memory for both in pairs of
/// rows.
///
/// Runs on the threads of the current pool, with the same bits for any number of them.
///
/// ```
/// use half::bf16;
/// use stampnet_gemm::bf16::Bf16GradWeightPlan;
///
/// let (x, grad) = ([1.0, 2.0, 3.0, 4.0].map(bf16::from_f32), [1.0, 10.0].map(bf16::from_f32));
/// let mut grad_weight = [0.0; 2];
/// Bf16GradWeightPlan::new(2, 2, 1).run(&x, &grad, &mut grad_weight);
/// assert_eq!(grad_weight, [31.0, 42.0]);
/// ```
#[derive(Clone, Debug)]
pub struct Bf16GradWeightPlan {
    m: usize,
    k: usize,
    n: usize,
    unit: Bf16Unit,
    /// Values of a tile.
    len: usize,
    /// `[k / tile][m / 2][tile][2]`
    values: AlignedVec<u32>,
    /// The same for tiles, the pairs of one value being neighbours: `[k / tile][tile][m / 2][2]`.
    turned: AlignedVec<u32>,
    /// `[n / block][m / 2][block][2]`
    gradient: AlignedVec<u32>,
}

impl Bf16GradWeightPlan {
    /// A plan on the current unit.
    pub fn new(m: usize, k: usize, n: usize) -> Self {
        Self::on_unit(m, k, n, Bf16Unit::current())
    }

    /// A plan on `unit`.
    pub fn on_unit(m: usize, k: usize, n: usize, unit: Bf16Unit) -> Self {
        let tiles = k.div_ceil(if unit.has_tiles() { TILE_VALUES } else { VALUES });
        let len = k.div_ceil(tiles.max(1)).max(1);
        let values = AlignedVec::zeroed(tiles * len * m.div_ceil(2));
        let gradient = AlignedVec::zeroed(n.next_multiple_of(unit.lanes()) * m.div_ceil(2));
        let turned = AlignedVec::zeroed(if unit.has_tiles() { values.len() } else { 0 });
        Self { m, k, n, unit, len, values, turned, gradient }
    }

    /// Overwrites `c`, `[k][n]`. `a` is `[m][k]`, `grad` `[m][n]`.
    ///
    /// # Panics
    /// If a length differs from the plan's.
    pub fn run(&mut self, a: &[bf16], grad: &[bf16], c: &mut [f32]) {
        self.multiply(a, grad, c, false);
    }

    /// As [`run`](Self::run), but adds to `c`.
    ///
    /// # Panics
    /// As [`run`](Self::run).
    pub fn add(&mut self, a: &[bf16], grad: &[bf16], c: &mut [f32]) {
        self.multiply(a, grad, c, true);
    }

    fn multiply(&mut self, a: &[bf16], grad: &[bf16], c: &mut [f32], adds: bool) {
        let Self { m, k, n, unit, len, .. } = *self;
        assert_eq!([a.len(), grad.len(), c.len()], [m * k, m * n, k * n], "the arrays have the plan's shapes");
        if k == 0 || n == 0 {
            return;
        }
        let pairs = m.div_ceil(2);
        if pairs == 0 {
            if !adds {
                c.fill(0.0);
            }
            return;
        }
        self.values.par_chunks_mut(pairs * len).enumerate().for_each(|(tile, values)| {
            let columns = [tile * len, len.min(k - tile * len)];
            unit.run(PairRows { from: a, row_len: k, columns, width: len, pairs: values });
        });
        let turned = self.turned.par_chunks_mut(pairs * len).zip(self.values.par_chunks(pairs * len));
        turned.for_each(|(turned, values)| transpose(values, len, turned));
        self.gradient.par_chunks_mut(pairs * 2 * unit.lanes()).enumerate().for_each(|(block, gradient)| {
            let first = block * 2 * unit.lanes();
            let width = strip_width(n, first, unit.lanes());
            let columns = [first, width.min(n - first)];
            unit.run(PairRows { from: grad, row_len: n, columns, width, pairs: gradient });
        });
        let values = if unit.has_tiles() { &self.turned } else { &self.values };
        let (values, gradient): (&[bf16], &[bf16]) =
            (bytemuck::cast_slice(values), bytemuck::cast_slice(&self.gradient));
        let (a_pair, column) = if unit.has_tiles() { (2, 2 * pairs) } else { (2 * len, 2) };
        let terms = Terms { a_pair, ..Terms::run(pairs) };
        c.par_chunks_mut(TASK_TILES * len * n).enumerate().for_each(|(task, c)| {
            let mut sums = [0.0; STRIP];
            for first in (0..n).step_by(2 * unit.lanes()) {
                let width = strip_width(n, first, unit.lanes());
                let b = &gradient[2 * pairs * first..];
                for (tile, c) in c.chunks_mut(len * n).enumerate() {
                    let origin = (task * TASK_TILES + tile) * 2 * pairs * len;
                    let grid = Grid { origin, row: 0, column };
                    let size = [1, len];
                    Strip { size, a: values, grid, terms, b, width, sums: &mut sums, add: false }.sum(unit);
                    let channels = width.min(n - first);
                    for (c, sums) in c.chunks_exact_mut(n).zip(sums.chunks_exact(width)) {
                        let (c, sums) = (&mut c[first..first + channels], &sums[..channels]);
                        if adds {
                            c.iter_mut().zip(sums).for_each(|(c, sum)| *c += sum);
                        } else {
                            c.copy_from_slice(sums);
                        }
                    }
                }
            }
        });
    }
}

/// Pairs of rows, of some columns: the first of them and their number. Others up to the width are zero.
struct PairRows<'a> {
    from: &'a [bf16],
    row_len: usize,
    columns: [usize; 2],
    width: usize,
    /// `[rows / 2][width]`
    pairs: &'a mut [u32],
}

impl<'a> Bf16Kernel for PairRows<'a> {
    type Output = ();

    #[inline(always)]
    fn run<V: Bf16Simd>(self, _: V) {
        let [first, columns] = self.columns;
        for (pairs, rows) in self.pairs.chunks_exact_mut(self.width).zip(self.from.chunks(2 * self.row_len)) {
            let (pairs, rest) = pairs.split_at_mut(columns);
            let odd = rows.get(self.row_len..).filter(|odd| !odd.is_empty());
            let of = |row: &'a [bf16]| &row[first..first + columns];
            interleave(pairs, Some(of(rows)), odd.map(of));
            rest.fill(0);
        }
    }
}
