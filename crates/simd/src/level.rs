//! Which instruction set to use.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::Kernel;
use crate::portable::Portable;
#[cfg(target_arch = "x86_64")]
use crate::x86;

/// An instruction set, whether this machine has it or not. Later ones are faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// 128-bit vectors on any machine.
    Portable,
    /// x86-64 with AVX2 and FMA, 256-bit vectors.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL, 512-bit vectors.
    Avx512,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Self; 3] = [Self::Portable, Self::Avx2, Self::Avx512];

    fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => x86::has_avx2(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => x86::has_avx512(),
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Portable => "portable",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl FromStr for Isa {
    type Err = SimdError;

    /// Reads `portable`, `avx2` or `avx512`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = |isa: &Self| isa.to_string() == text.to_ascii_lowercase();
        Self::ALL.into_iter().find(known).ok_or_else(|| SimdError::Unknown { received: text.to_owned() })
    }
}

/// Why a level cannot be had.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimdError {
    /// No such name.
    #[error("the SIMD level must be 'portable', 'avx2' or 'avx512'; received '{received}'")]
    Unknown {
        /// The text that was given.
        received: String,
    },
    /// The CPU lacks the instructions.
    #[error("SIMD level '{isa}' is not available: this CPU's best is '{best}'")]
    Unavailable {
        /// What was asked for.
        isa: Isa,
        /// What there is.
        best: Isa,
    },
}

/// The environment variable that overrides the level: `STAMPNET_SIMD=portable|avx2|avx512`.
const VARIABLE: &str = "STAMPNET_SIMD";

/// What [`Level::set_current`] chose: an index into [`Isa::ALL`], or `AUTOMATIC`.
static CHOSEN: AtomicU8 = AtomicU8::new(AUTOMATIC);
const AUTOMATIC: u8 = u8::MAX;

/// An instruction set that this CPU has. A value of this type is the proof, so running with it is safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(Isa);

impl Level {
    /// The level for `isa`.
    ///
    /// # Errors
    /// This CPU lacks it.
    pub fn new(isa: Isa) -> Result<Self, SimdError> {
        if isa.is_available() { Ok(Self(isa)) } else { Err(SimdError::Unavailable { isa, best: Self::best().0 }) }
    }

    /// Every level that this CPU has, slowest first.
    pub fn available() -> impl Iterator<Item = Self> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).map(Self)
    }

    /// The fastest level that this CPU has.
    pub fn best() -> Self {
        Self::available().last().unwrap_or(Self(Isa::Portable))
    }

    /// The level that the environment variable `STAMPNET_SIMD` asks for, if it is set.
    ///
    /// # Errors
    /// It names no level, or one that this CPU lacks.
    pub fn from_env() -> Result<Option<Self>, SimdError> {
        match std::env::var_os(VARIABLE) {
            Some(name) if !name.is_empty() => Self::new(name.to_string_lossy().parse()?).map(Some),
            _ => Ok(None),
        }
    }

    /// The level that new plans use: the last one given to [`set_current`](Self::set_current), else that of
    /// `STAMPNET_SIMD`, else the best. A faulty variable counts as unset here; programs that want to complain about it
    /// call [`from_env`](Self::from_env) at their start.
    pub fn current() -> Self {
        static DETECTED: OnceLock<Level> = OnceLock::new();
        match Isa::ALL.get(usize::from(CHOSEN.load(Ordering::Relaxed))) {
            Some(&isa) => Self(isa),
            None => *DETECTED.get_or_init(|| Self::from_env().ok().flatten().unwrap_or_else(Self::best)),
        }
    }

    /// Makes `level` the current one of the whole process; `None` returns to the environment's or the best. Plans that
    /// exist keep the level that they were made with.
    pub fn set_current(level: Option<Self>) {
        CHOSEN.store(level.map_or(AUTOMATIC, |level| level.0 as u8), Ordering::Relaxed);
    }

    /// The instruction set.
    pub const fn isa(self) -> Isa {
        self.0
    }

    /// Numbers in one of its vectors.
    pub const fn lanes(self) -> usize {
        match self.0 {
            Isa::Portable => 4,
            Isa::Avx2 => 8,
            Isa::Avx512 => 16,
        }
    }

    /// Runs `kernel` with this level's vectors.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            // SAFETY: a Level exists only if the CPU has the features.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { x86::run_avx512(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { x86::run_avx2(kernel) },
            _ => kernel.run(Portable),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Simd;

    /// Applies every operation to known lanes and returns what it gave.
    struct EveryOperation;

    impl Kernel for EveryOperation {
        type Output = Vec<Vec<f32>>;

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Self::Output {
            let numbers: Vec<f32> = (0..S::LANES).map(|i| i as f32 - 2.0).collect();
            let v = s.from_slice(&numbers);
            let (two, nan) = (s.splat(2.0), s.splat(f32::NAN));
            let results =
                [s.add(v, two), s.sub(v, two), s.mul(v, two), s.mul_add(v, two, two), s.max(v, two), s.max(two, nan)];
            let mut out: Vec<Vec<f32>> = results
                .into_iter()
                .map(|r| {
                    let mut lanes = vec![0.0; S::LANES];
                    s.to_slice(r, &mut lanes);
                    lanes
                })
                .collect();
            for n in 0..=S::LANES {
                let mut lanes = vec![7.0; S::LANES];
                // SAFETY: both slices hold LANES >= n numbers.
                unsafe { s.store_partial(lanes.as_mut_ptr(), n, s.load_partial(numbers.as_ptr(), n)) };
                out.push(lanes);
            }
            out.push(vec![s.sum(v)]);
            out.push(vec![s.bits(s.above(v, s.splat(0.0))) as f32]);
            out
        }
    }

    /// Turns a square whose rows lie apart.
    struct Turn;

    impl Kernel for Turn {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self, s: S) {
            let (from_stride, to_stride) = (S::LANES + 3, S::LANES + 1);
            let from: Vec<f32> = (0..S::LANES * from_stride).map(|i| i as f32).collect();
            let mut to = vec![-1.0; S::LANES * to_stride];
            // SAFETY: both hold LANES rows of LANES numbers, the last ones with a gap behind them.
            unsafe { s.transpose(from.as_ptr(), from_stride, to.as_mut_ptr(), to_stride) };
            for (j, row) in to.chunks_exact(to_stride).enumerate() {
                let want: Vec<f32> = (0..S::LANES).map(|i| (i * from_stride + j) as f32).chain([-1.0]).collect();
                assert_eq!(row, want);
            }
        }
    }

    #[test]
    fn every_level_turns_squares() {
        Level::available().for_each(|level| level.run(Turn));
    }

    #[test]
    fn every_level_computes_what_scalars_do() {
        for level in Level::available() {
            let lanes = level.lanes();
            let numbers: Vec<f32> = (0..lanes).map(|i| i as f32 - 2.0).collect();
            let got = level.run(EveryOperation);
            let each = |f: &dyn Fn(f32) -> f32| numbers.iter().map(|&x| f(x)).collect::<Vec<_>>();
            assert_eq!(got[0], each(&|x| x + 2.0), "{level} add");
            assert_eq!(got[1], each(&|x| x - 2.0), "{level} sub");
            assert_eq!(got[2], each(&|x| x * 2.0), "{level} mul");
            assert_eq!(got[3], each(&|x| x * 2.0 + 2.0), "{level} mul_add");
            assert_eq!(got[4], each(&|x| x.max(2.0)), "{level} max");
            assert!(got[5].iter().all(|x| x.is_nan()), "{level}: max keeps the second operand's NaN");
            for n in 0..=lanes {
                let want: Vec<f32> = (0..lanes).map(|i| if i < n { numbers[i] } else { 7.0 }).collect();
                assert_eq!(got[6 + n], want, "{level} partial {n}");
            }
            assert_eq!(got[7 + lanes], [numbers.iter().sum::<f32>()], "{level} sum");
            let positive = (0..lanes).filter(|&i| numbers[i] > 0.0).map(|i| 1 << i).sum::<u32>();
            assert_eq!(got[8 + lanes], [positive as f32], "{level} bits");
        }
    }

    /// Compares and selects on known lanes.
    struct EverySelection;

    impl Kernel for EverySelection {
        type Output = (Vec<f32>, Vec<Vec<u32>>);

        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Self::Output {
            let a: Vec<f32> = (0..S::LANES).map(|i| A[i % A.len()]).collect();
            let b: Vec<f32> = (0..S::LANES).map(|i| B[i % B.len()]).collect();
            let counts: Vec<u32> = (0..S::LANES as u32).collect();
            let (va, vb) = (s.from_slice(&a), s.from_slice(&b));
            let above = s.above(va, vb);
            let mut chosen = vec![0.0; S::LANES];
            s.to_slice(s.select(above, s.splat(1.0), s.div(s.splat(1.0), s.splat(4.0))), &mut chosen);
            s.to_slice(s.select(s.greater(va, vb), s.splat(2.0), s.from_slice(&chosen)), &mut chosen);
            let mut whole = Vec::new();
            for n in 0..=S::LANES {
                let mut lanes = vec![7; S::LANES];
                // SAFETY: both slices hold LANES >= n numbers.
                unsafe { s.store_partial_u32(lanes.as_mut_ptr(), n, s.load_partial_u32(counts.as_ptr(), n)) };
                whole.push(lanes);
            }
            // SAFETY: the slice holds LANES numbers.
            let v = unsafe { s.load_u32(counts.as_ptr()) };
            let picked = s.select_u32(s.equal_u32(v, s.splat_u32(2)), s.splat_u32(u32::MAX), v);
            let mut lanes = vec![7; S::LANES];
            // SAFETY: the slice holds LANES numbers.
            unsafe { s.store_u32(lanes.as_mut_ptr(), picked) };
            whole.push(lanes);
            let bits = s.or_u32(s.and_u32(v, s.splat_u32(2)), s.add_u32(v, s.splat_u32(u32::MAX)));
            let mut lanes = vec![7; S::LANES];
            // SAFETY: the slice holds LANES numbers.
            unsafe { s.store_u32(lanes.as_mut_ptr(), bits) };
            whole.push(lanes);
            let mut turned = vec![0.0; S::LANES];
            // Lane `i` from `i + 3`, modulo the lanes.
            s.to_slice(s.permute(va, s.add_u32(v, s.splat_u32(3))), &mut turned);
            whole.push(turned.iter().map(|x| x.to_bits()).collect());
            (chosen, whole)
        }
    }

    const A: [f32; 4] = [1.0, f32::NAN, -0.0, f32::NAN];
    const B: [f32; 4] = [f32::NEG_INFINITY, 2.0, 0.0, f32::NAN];
    /// 2 where `A` is greater than `B`, else 1 where it stands above it.
    const CHOSEN: [f32; 4] = [2.0, 1.0, 0.25, 0.25];

    #[test]
    fn every_level_compares_and_selects() {
        for level in Level::available() {
            let lanes = level.lanes();
            let (chosen, whole) = level.run(EverySelection);
            let want: Vec<f32> = (0..lanes).map(|i| CHOSEN[i % CHOSEN.len()]).collect();
            assert_eq!(chosen, want, "{level}");
            let counts = 0..lanes as u32;
            for (n, got) in whole[..=lanes].iter().enumerate() {
                let want: Vec<u32> = counts.clone().map(|i| if (i as usize) < n { i } else { 7 }).collect();
                assert_eq!(*got, want, "{level} partial {n}");
            }
            let want: Vec<u32> = counts.clone().map(|i| if i == 2 { u32::MAX } else { i }).collect();
            assert_eq!(whole[lanes + 1], want, "{level} select_u32");
            let want: Vec<u32> = counts.map(|i| i & 2 | i.wrapping_sub(1)).collect();
            assert_eq!(whole[lanes + 2], want, "{level} whole numbers");
            let want: Vec<u32> = (0..lanes).map(|i| A[(i + 3) % lanes % A.len()].to_bits()).collect();
            assert_eq!(whole[lanes + 3], want, "{level} permute");
        }
    }

    #[test]
    fn names_parse_and_errors_say_what_there_is() {
        for isa in Isa::ALL {
            assert_eq!(isa.to_string().parse(), Ok(isa));
        }
        let error = "sse9".parse::<Isa>().unwrap_err().to_string();
        assert_eq!(error, "the SIMD level must be 'portable', 'avx2' or 'avx512'; received 'sse9'");
        let error = SimdError::Unavailable { isa: Isa::Avx512, best: Isa::Avx2 }.to_string();
        assert_eq!(error, "SIMD level 'avx512' is not available: this CPU's best is 'avx2'");
    }

    #[test]
    fn the_current_level_can_be_overridden() {
        let portable = Level::new(Isa::Portable).unwrap();
        Level::set_current(Some(portable));
        assert_eq!(Level::current(), portable);
        Level::set_current(None);
        assert!(Level::available().any(|level| level == Level::current()));
    }
}
