//! Every unit against the definition of its instruction, bit for bit.

use half::bf16;

use super::{Bf16Kernel, Bf16Product, Bf16Simd, Bf16Unit, TileShape, Tiles, flush, round};
use crate::{Isa, Simd};

/// Numbers that look random: an xorshift generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    /// A number in the range that `kind` names.
    fn bits(&mut self, kind: Kind) -> u32 {
        let bits = self.next();
        match kind {
            Kind::Any => bits,
            Kind::NearOne => bits & 0x807f_ffff | (0x3f80_0000 ^ (self.next() & 0x0380_0000)),
            // Products of about 2^-126, so that sums are often denormal.
            Kind::Tiny => bits & 0x807f_ffff | (0x2000_0000 ^ (self.next() & 0x0380_0000)),
            Kind::Special => SPECIAL[bits as usize % SPECIAL.len()] << 16,
        }
    }

    fn pair(&mut self, kind: Kind) -> u32 {
        self.bits(kind) >> 16 | self.bits(kind) & 0xffff_0000
    }

    fn sum(&mut self, kind: Kind) -> f32 {
        let bits = self.bits(kind);
        f32::from_bits(if kind == Kind::Tiny { bits & 0x83ff_ffff } else { bits })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Any,
    NearOne,
    Tiny,
    Special,
}

const KINDS: [Kind; 4] = [Kind::Any, Kind::NearOne, Kind::Tiny, Kind::Special];

/// Zeros, infinities, NaNs, denormals, the smallest and the largest numbers.
const SPECIAL: [u32; 16] = [
    0, 0x8000, 0x7f80, 0xff80, 0x7fc0, 0x7f81, 0xffc1, 1, 0x8001, 0x007f, 0x0080, 0x8080, 0x3f80, 0xbf80, 0x7f7f,
    0xff7f,
];

fn half_of(pair: u32, odd: bool) -> f32 {
    flush(f32::from_bits(if odd { pair & 0xffff_0000 } else { pair << 16 }))
}

/// `vdpbf16ps`, one lane.
fn dot(sum: f32, a: u32, b: u32) -> f32 {
    let sum = flush(half_of(a, true).mul_add(half_of(b, true), flush(sum)));
    flush(half_of(a, false).mul_add(half_of(b, false), sum))
}

fn same(a: f32, b: f32) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

/// `dot` on all lanes: by a pair of `a` for all of them, then by a pair each.
struct Dots<'a> {
    sums: &'a [f32; 16],
    a: &'a [u32; 16],
    b: &'a [u32; 16],
}

impl Bf16Kernel for Dots<'_> {
    type Output = [Vec<f32>; 2];

    #[inline(always)]
    fn run<V: Bf16Simd>(self, v: V) -> Self::Output {
        let s = v.simd();
        let sums = s.from_slice(self.sums);
        // SAFETY: the arrays hold sixteen pairs, as many as the widest vectors.
        let (first, each, b) = unsafe {
            let (a, b) = (self.a.as_ptr().cast(), self.b.as_ptr().cast());
            (v.splat_pair(a), v.load_pairs(a), v.load_pairs(b))
        };
        let mut out = [vec![0.0; V::Simd::LANES], vec![0.0; V::Simd::LANES]];
        s.to_slice(v.dot(sums, first, b), &mut out[0]);
        s.to_slice(v.dot(sums, each, b), &mut out[1]);
        out
    }
}

#[test]
fn vectors_give_the_bits_of_the_instruction() {
    let mut random = Random(88_172_645_463_325_252);
    for kind in KINDS {
        for _ in 0..20_000 {
            let sums: [f32; 16] = std::array::from_fn(|_| random.sum(kind));
            let a: [u32; 16] = std::array::from_fn(|_| random.pair(kind));
            let b: [u32; 16] = std::array::from_fn(|_| random.pair(kind));
            for unit in Bf16Unit::available() {
                // The portable level multiplies and adds in two steps, which shows where a product is denormal or too large.
                if unit.level().isa() == Isa::Portable && kind != Kind::NearOne {
                    continue;
                }
                let [first, each] = unit.run(Dots { sums: &sums, a: &a, b: &b });
                for lane in 0..first.len() {
                    let want = [dot(sums[lane], a[0], b[lane]), dot(sums[lane], a[lane], b[lane])];
                    assert!(
                        same(first[lane], want[0]) && same(each[lane], want[1]),
                        "{unit}, {kind:?}: {:e} + {:08x} or {:08x} * {:08x}: {:e}, {:e}; want {want:?}",
                        sums[lane],
                        a[0],
                        a[lane],
                        b[lane],
                        first[lane],
                        each[lane],
                    );
                }
            }
        }
    }
}

/// Just below the smallest normal number, hardware flushes what 24 bits would still tell from it, more than 2^-151 away.
/// The emulation rounds as denormals do first, and flushes from 2^-150 on.
#[test]
fn results_next_to_the_smallest_normal_number_are_flushed() {
    for steps in 0..64_u32 {
        // 2^-126 - steps * 2^-154
        let a = u32::from(bf16::from_f32(-(steps as f32) * 2.0_f32.powi(-76)).to_bits());
        let b = u32::from(bf16::from_f32(2.0_f32.powi(-78)).to_bits());
        for unit in Bf16Unit::available().into_iter().filter(|unit| unit.level().isa() != Isa::Portable) {
            let [first, _] = unit.run(Dots { sums: &[f32::MIN_POSITIVE; 16], a: &[a; 16], b: &[b; 16] });
            let kept = if unit.is_emulated() { 16 } else { 8 };
            let want = if steps <= kept { f32::MIN_POSITIVE } else { 0.0 };
            assert_eq!(first[0], want, "{unit}, {steps} steps");
        }
    }
}

/// Rounds lanes.
struct Rounded<'a>(&'a [f32; 16]);

impl Bf16Kernel for Rounded<'_> {
    type Output = Vec<Vec<bf16>>;

    #[inline(always)]
    fn run<V: Bf16Simd>(self, v: V) -> Self::Output {
        let mut all = Vec::new();
        for n in 0..=V::Simd::LANES {
            let mut out = vec![bf16::MAX; 16];
            // SAFETY: n does not exceed the lanes, and the array holds sixteen numbers.
            unsafe { v.store_rounded(out.as_mut_ptr(), n, v.simd().from_slice(self.0)) };
            all.push(out);
        }
        all
    }
}

#[test]
fn rounding_is_to_nearest_even_on_every_unit() {
    let mut random = Random(1);
    for kind in KINDS {
        for _ in 0..2000 {
            let lanes: [f32; 16] = std::array::from_fn(|_| f32::from_bits(random.bits(kind)));
            for lane in lanes {
                // Another implementation, which keeps denormals.
                let want = bf16::from_f32(flush(lane));
                assert!(round(lane).to_bits() == want.to_bits() || lane.is_nan() && round(lane).is_nan(), "{lane:e}");
            }
            for unit in Bf16Unit::available() {
                for (n, got) in unit.run(Rounded(&lanes)).into_iter().enumerate() {
                    for (lane, got) in got.into_iter().enumerate() {
                        let want = if lane < n { round(lanes[lane]) } else { bf16::MAX };
                        assert_eq!(got.to_bits(), want.to_bits(), "{unit}: lane {lane} of {n}, {:e}", lanes[lane]);
                    }
                }
            }
        }
    }
}

/// One product of tiles: two chained, so that the second adds to the first one's sums.
struct Chain<'a> {
    m: usize,
    n: usize,
    pairs: usize,
    a: &'a [u32],
    b: &'a [u32],
    sums: &'a mut [f32],
}

impl Bf16Product for Chain<'_> {
    fn vectors<V: Bf16Simd>(self, _: V) {
        unreachable!("only units with tiles are asked");
    }

    #[inline(always)]
    fn tiles<T: Tiles>(self, tiles: &mut T) {
        let Self { m, n, pairs, a, b, sums } = self;
        let mut shapes = [TileShape { rows: 16, row_bytes: 64 }; 8];
        shapes[1] = TileShape { rows: m, row_bytes: 4 * n };
        shapes[4] = TileShape { rows: m, row_bytes: 4 * pairs };
        shapes[7] = TileShape { rows: pairs, row_bytes: 4 * n };
        tiles.configure(&shapes);
        // SAFETY: A holds m rows of twice as many pairs, B twice as many rows of n, sums m rows of n.
        unsafe {
            tiles.load::<1>(sums.as_ptr().cast(), 4 * n);
            for half in 0..2 {
                tiles.load::<4>(a.as_ptr().add(half * pairs).cast(), 8 * pairs);
                tiles.load::<7>(b.as_ptr().add(half * pairs * n).cast(), 4 * n);
                tiles.dot::<1, 4, 7>();
            }
            tiles.store::<1>(sums.as_mut_ptr().cast(), 4 * n);
        }
    }
}

/// `tdpbf16ps`, as its pseudo code has it, for row `i` and column `j` of the sums.
fn tile_dot(sum: f32, a: &[u32], b: impl Fn(usize) -> u32) -> f32 {
    let (mut even, mut odd) = (0.0, 0.0);
    for (k, &a) in a.iter().enumerate() {
        even = flush(half_of(a, false).mul_add(half_of(b(k), false), even));
        odd = flush(half_of(a, true).mul_add(half_of(b(k), true), odd));
    }
    flush(flush(sum) + flush(even + odd))
}

#[test]
fn tiles_give_the_bits_of_the_instruction() {
    let units: Vec<_> = Bf16Unit::available().into_iter().filter(|unit| unit.has_tiles()).collect();
    assert!(!units.is_empty());
    let mut random = Random(7);
    for kind in KINDS {
        for _ in 0..300 {
            let [m, n, pairs] = [0; 3].map(|_: usize| random.next() as usize % 16 + 1);
            let a: Vec<u32> = (0..m * 2 * pairs).map(|_| random.pair(kind)).collect();
            let b: Vec<u32> = (0..2 * pairs * n).map(|_| random.pair(kind)).collect();
            let start: Vec<f32> = (0..m * n).map(|_| random.sum(kind)).collect();
            for unit in &units {
                let mut sums = start.clone();
                unit.multiply(Chain { m, n, pairs, a: &a, b: &b, sums: &mut sums });
                for (at, (&got, &start)) in sums.iter().zip(&start).enumerate() {
                    let (i, j) = (at / n, at % n);
                    let row = &a[i * 2 * pairs..][..2 * pairs];
                    let first = tile_dot(start, &row[..pairs], |k| b[k * n + j]);
                    let want = tile_dot(first, &row[pairs..], |k| b[(pairs + k) * n + j]);
                    assert!(same(got, want), "{unit}, {kind:?}: {m}x{n}x{pairs}, ({i}, {j}): {got:e}, want {want:e}");
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "a tile holds TileShape { rows: 17, row_bytes: 64 }")]
fn a_shape_larger_than_a_tile_is_refused() {
    super::check_shapes(&[TileShape { rows: 17, row_bytes: 64 }; 8]);
}

#[test]
fn units_are_named_and_the_current_one_has_the_current_level() {
    let names: Vec<_> = Bf16Unit::available().iter().map(ToString::to_string).collect();
    assert!(names.contains(&"emulated avx512_bf16 on portable".to_owned()), "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("emulated amx"));
    for unit in Bf16Unit::available() {
        assert_eq!(unit.is_emulated(), unit.to_string().starts_with("emulated"), "{unit}");
        assert_eq!(unit.has_tiles(), unit.to_string().ends_with("amx"), "{unit}");
    }
}
